package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

const (
	// settingInstance tells this database from its copies.
	settingInstance = "instance"
	// settingAccepted is the mark of a site that somebody said to go on from.
	settingAccepted = "accepted"
	// settingBefore is the mark with the highest issue of those.
	settingBefore = "before"
	// settingFormer is the mark of this database before it took over.
	settingFormer = "former"
	// settingRestored is when the archive was made that the database comes from,
	// until somebody says that it may go on.
	settingRestored = "restored"
)

// Mark is what the site is to tell of this database, and what mark of another
// one was accepted. Issues go on after those of the accepted one.
func (s *Store) Mark(ctx context.Context) (own, accepted newsletter.Mark, err error) {
	fail := func(err error) (newsletter.Mark, newsletter.Mark, error) {
		return newsletter.Mark{}, newsletter.Mark{}, fmt.Errorf("read what the site tells of the database: %w", err)
	}
	if own.Publication, err = s.PublicationID(ctx); err != nil {
		return fail(err)
	}
	if own.Instance, err = s.settingOnce(ctx, settingInstance, newWord()); err != nil {
		return fail(err)
	}
	if err := setting(ctx, s.reader, settingAccepted, &accepted); err != nil {
		return fail(err)
	}
	if own.Issue, own.PublishedAt, err = s.lastIssue(ctx); err != nil {
		return fail(err)
	}
	return own, accepted, nil
}

// lastIssue is the last issue of this database, or of the one that it goes on
// from.
func (s *Store) lastIssue(ctx context.Context) (number int64, at time.Time, err error) {
	var published sql.NullInt64
	err = s.reader.QueryRowContext(ctx, `SELECT number, published_at FROM issues ORDER BY number DESC LIMIT 1`).Scan(&number, &published)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, at, fmt.Errorf("read the last issue's number: %w", err)
	}
	var before newsletter.Mark
	err = setting(ctx, s.reader, settingBefore, &before)
	if before.Issue > number {
		return before.Issue, before.PublishedAt, err
	}
	return number, timeOf(published), err
}

// newWord is a word that nobody else has.
func newWord() string { return strings.ToLower(rand.Text()) }

// Accept lets the database go on from where a site with that mark stands. A
// database without issues of its own takes over who the publication is.
func (s *Store) Accept(ctx context.Context, m newsletter.Mark) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if err := setSetting(ctx, tx, settingAccepted, m); err != nil {
			return err
		}
		var before newsletter.Mark
		err := setting(ctx, tx, settingBefore, &before)
		if err == nil && m.Issue > before.Issue {
			err = setSetting(ctx, tx, settingBefore, m)
		}
		if err != nil {
			return err
		}
		var some bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM issues)`).Scan(&some); err != nil || some {
			return err
		}
		return setSetting(ctx, tx, settingPublication, m.Publication)
	})
	if err != nil {
		return fmt.Errorf("accept what the site tells: %w", err)
	}
	return nil
}

// TakeOver gives the database a new instance, so that the site, once it is
// written, shuts every other copy out.
func (s *Store) TakeOver(ctx context.Context) error {
	own, _, err := s.Mark(ctx)
	if err != nil {
		return err
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := setSetting(ctx, tx, settingFormer, own); err != nil {
			return err
		}
		if err := setSetting(ctx, tx, settingInstance, newWord()); err != nil {
			return err
		}
		_, err := s.siteChanged(ctx, tx)
		return err
	})
	if err != nil {
		return fmt.Errorf("take the publication over: %w", err)
	}
	return nil
}

// Former is the mark of this database before it took over; what it wrote until
// then is its own.
func (s *Store) Former(ctx context.Context) (m newsletter.Mark, err error) {
	err = setting(ctx, s.reader, settingFormer, &m)
	return m, err
}

// Restored is when the archive was made that the database was restored from, as
// long as nobody said that it may go on; zero else.
func (s *Store) Restored(ctx context.Context) (at time.Time, err error) {
	err = setting(ctx, s.reader, settingRestored, &at)
	return at, err
}

// Release ends the hold of a restore.
func (s *Store) Release(ctx context.Context) error {
	_, err := s.exec(ctx, `DELETE FROM settings WHERE name = $1`, settingRestored)
	if err != nil {
		return fmt.Errorf("release what was restored: %w", err)
	}
	return nil
}

// RecoverThreads notes of threads, in their order, that they went out as a public
// feed shows them: under that id and slug where nobody else has it. It returns how
// many were not known to be out.
func (s *Store) RecoverThreads(ctx context.Context, list []newsletter.Recovered) (n int, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		n = 0
		if err := s.alone(ctx, tx, aloneThreads); err != nil {
			return err
		}
		for _, r := range list {
			fresh, err := recoverThread(ctx, tx, r)
			if err != nil {
				return fmt.Errorf("thread %s: %w", r.ID, err)
			}
			n += fresh
		}
		if err := numberOut(ctx, tx); err != nil {
			return err
		}
		_, err := s.siteChanged(ctx, tx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("mark as sent: %w", err)
	}
	return n, nil
}

func recoverThread(ctx context.Context, tx *sql.Tx, r newsletter.Recovered) (int, error) {
	at := r.Shown.PublishedAt
	if at.IsZero() {
		at = time.Now()
	}
	res, err := tx.ExecContext(ctx, `UPDATE threads SET archived_at = $2, revision = revision + 1 WHERE id = $1 AND archived_at IS NULL
		AND withdrawn_at IS NULL AND NOT EXISTS (SELECT 1 FROM issue_threads it WHERE it.thread = threads.id)`, r.ID, ms(at))
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return 0, err
	}
	if r.Withdrawn {
		_, err := tx.ExecContext(ctx, `UPDATE threads SET withdrawn_at = $2 WHERE id = $1`, r.ID, ms(at))
		return int(n), err
	}
	for column, value := range map[string]string{"guid": r.Shown.GUID, "slug": r.Shown.Slug()} {
		_, err := tx.ExecContext(ctx, `UPDATE threads SET `+column+` = $2 WHERE id = $1 AND $2 <> ''
			AND NOT EXISTS (SELECT 1 FROM threads o WHERE o.`+column+` = $2)`, r.ID, value)
		if err != nil {
			return 0, err
		}
	}
	return int(n), nil
}
