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
	err := s.tx(ctx, func(tx *sql.Tx) error {
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
