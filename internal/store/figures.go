package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"threadmill/internal/newsletter"
)

// Figures returns what the database tells about how the publication does: all
// but the schedule and the threads. Deliveries are counted by their batches;
// subscribers one by one, which takes a moment where there are many, and keeps
// nobody from writing.
func (s *Store) Figures(ctx context.Context) (f newsletter.Figures, err error) {
	if f.Subscribers, err = s.CountSubscribers(ctx); err != nil {
		return f, err
	}
	if f.OldestDeferred, _, err = s.Deferred(ctx); err != nil {
		return f, err
	}
	warnings, err := s.Warnings(ctx)
	if err != nil {
		return f, err
	}
	f.Warnings = map[string]int{}
	for _, w := range warnings {
		f.Warnings[w.Kind]++
	}
	err = s.view(ctx, func(tx *sql.Tx) error {
		return errors.Join(countAll(ctx, tx, &f.Deliveries), lastFigures(ctx, tx, &f), letterFigures(ctx, tx, &f), reportFigures(ctx, tx, &f))
	})
	if err != nil {
		return f, fmt.Errorf("read figures: %w", err)
	}
	return f, nil
}

func lastFigures(ctx context.Context, tx *sql.Tx, f *newsletter.Figures) error {
	var published sql.NullInt64
	err := tx.QueryRowContext(ctx, `SELECT number, published_at FROM issues ORDER BY number DESC LIMIT 1`).Scan(&f.Last.Number, &published)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	f.Last.PublishedAt = timeOf(published)
	return countIssue(ctx, tx, f.Last.Number, &f.Last.Counts)
}

func letterFigures(ctx context.Context, tx *sql.Tx, f *newsletter.Figures) error {
	all, l := 0, &f.Letters
	err := tx.QueryRowContext(ctx, `SELECT count(*), count(CASE WHEN sent_at IS NULL THEN next_at END), count(sent_at) FROM letters`).Scan(&all, &l.Waiting, &l.Sent)
	l.GivenUp = all - l.Waiting - l.Sent
	return err
}

func reportFigures(ctx context.Context, tx *sql.Tx, f *newsletter.Figures) error {
	f.Reports = map[string]int{}
	return each(ctx, tx, func(rows *sql.Rows) error {
		var kind string
		var n int
		err := rows.Scan(&kind, &n)
		f.Reports[kind] = n
		return err
	}, `SELECT kind, count(*) FROM reports GROUP BY kind`)
}
