package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// Threads returns every thread ever seen, in the order of first sight.
func (s *Store) Threads(ctx context.Context) ([]newsletter.KnownThread, error) {
	return threads(ctx, s.reader)
}

func threads(ctx context.Context, q queryer) ([]newsletter.KnownThread, error) {
	var list []newsletter.KnownThread
	err := each(ctx, q, func(rows *sql.Rows) error {
		var k newsletter.KnownThread
		var prints, sent string
		var issue, published, archived, withdrawn, changed sql.NullInt64
		err := rows.Scan(&k.ID, &k.Slug, &k.GUID, &k.PinnedID, &k.File, &k.Digest, &prints, &changed,
			&archived, &withdrawn, &issue, &published, &sent)
		if err != nil {
			return err
		}
		k.Issue = issue.Int64
		k.OutAt = timeOf(published)
		k.Archived, k.Withdrawn = archived.Valid, withdrawn.Valid
		if k.Issue == 0 {
			k.OutAt = timeOf(archived)
		}
		k.ChangedAt = timeOf(changed)
		var perr, serr error
		k.Prints, perr = newsletter.ParsePrints(prints)
		k.Sent, serr = newsletter.ParsePrints(sent)
		list = append(list, k)
		return errors.Join(perr, serr)
	}, `SELECT t.id, t.slug, t.guid, t.pinned_id, t.file, t.digest, t.prints, t.changed_at,
			t.archived_at, t.withdrawn_at, i.number, i.published_at, coalesce(it.prints, '')
		FROM threads t
		LEFT JOIN issue_threads it ON it.thread = t.id
		LEFT JOIN issues i ON i.number = it.issue
		ORDER BY t.number`)
	if err != nil {
		return nil, fmt.Errorf("read known threads: %w", err)
	}
	return list, nil
}

// UpdateThreads shows decide all that is known and keeps what it returns, new
// threads and changed ones, in one transaction, so that two processes agree
// about identities.
func (s *Store) UpdateThreads(ctx context.Context, now time.Time, decide func([]newsletter.KnownThread) []newsletter.ThreadUpdate) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		known, err := threads(ctx, tx)
		if err != nil {
			return err
		}
		for _, u := range decide(known) {
			if err := updateThread(ctx, tx, u, now); err != nil {
				return fmt.Errorf("keep thread %s: %w", u.ID, err)
			}
		}
		return nil
	})
}

func updateThread(ctx context.Context, tx *sql.Tx, u newsletter.ThreadUpdate, now time.Time) error {
	if u.File != "" {
		if _, err := tx.ExecContext(ctx, `UPDATE threads SET file = '' WHERE file = $1 AND id <> $2`, u.File, u.ID); err != nil {
			return err
		}
	}
	if u.New {
		_, err := tx.ExecContext(ctx, `INSERT INTO threads (id, slug, guid, pinned_id, file, source, digest, prints, first_seen_at, changed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)`,
			u.ID, u.Slug, u.GUID, u.PinnedID, u.File, u.Source, u.Digest, u.Prints.String(), ms(now))
		return err
	}
	if !u.Edited {
		_, err := tx.ExecContext(ctx, `UPDATE threads SET slug = $2, pinned_id = $3, file = $4 WHERE id = $1`,
			u.ID, u.Slug, u.PinnedID, u.File)
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE threads SET slug = $2, pinned_id = $3, file = $4, source = $5, digest = $6, prints = $7,
			revision = revision + 1, changed_at = $8 WHERE id = $1`,
		u.ID, u.Slug, u.PinnedID, u.File, u.Source, u.Digest, u.Prints.String(), ms(now))
	return err
}

// ThreadSource returns the text of a thread as last seen, and the file it
// stood in.
func (s *Store) ThreadSource(ctx context.Context, id string) (file, source string, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT file, source FROM threads WHERE id = $1`, id).Scan(&file, &source)
	if errors.Is(err, sql.ErrNoRows) {
		err = newsletter.ErrNotFound
	}
	if err != nil {
		return "", "", fmt.Errorf("read thread %s: %w", id, err)
	}
	return file, source, nil
}

// ArchiveThread notes that a thread went out elsewhere. One that was sent or
// archived before is left as it is.
func (s *Store) ArchiveThread(ctx context.Context, id string, at time.Time) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE threads SET archived_at =
			CASE WHEN EXISTS (SELECT 1 FROM issue_threads it WHERE it.thread = threads.id) THEN archived_at ELSE coalesce(archived_at, $2) END
			WHERE id = $1`, id, ms(at))
		if err != nil {
			return fmt.Errorf("archive thread %s: %w", id, err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fmt.Errorf("archive thread %s: %w", id, newsletter.ErrNotFound))
		}
		return nil
	})
}
