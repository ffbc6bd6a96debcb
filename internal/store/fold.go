package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// foldChunk is how many deliveries one transaction takes away, so that others get
// their turn.
const foldChunk = 500

// FoldDeliveries takes away who got the issues that were finished before a time,
// so that only counts are left of them, and returns how many issues that is new
// for. One with deliveries in doubt is left to the operator. It may be cut off,
// and called again.
func (s *Store) FoldDeliveries(ctx context.Context, before time.Time) (folded int, err error) {
	old, err := ids(ctx, s.reader, `SELECT number FROM issues WHERE`+folds+` ORDER BY number`, ms(before))
	for _, issue := range old {
		var is bool
		if err == nil {
			is, err = s.fold(ctx, issue, before)
		}
		if is {
			folded++
		}
	}
	if err == nil {
		err = s.dropFolded(ctx)
	}
	if err != nil {
		return folded, fmt.Errorf("fold deliveries: %w", err)
	}
	return folded, nil
}

// folds are the issues that were finished before $1 and of which nothing is open.
const folds = ` folded_at IS NULL AND finished_at < $1
	AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.issue = issues.number AND NOT b.done)
	AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.issue = issues.number AND d.doubts > 0 AND d.state = 'in_doubt')`

// fold marks an issue, from which on its batches keep their counts and it goes to
// nobody any more.
func (s *Store) fold(ctx context.Context, issue int64, before time.Time) (is bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.lockRow(ctx, tx, `SELECT number FROM issues WHERE number = $1`, issue); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE issues SET folded_at = $3 WHERE number = $2 AND`+folds, ms(before), issue, msNow())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		is = n > 0
		return err
	})
	return is, err
}

// dropFolded deletes the deliveries of issues that are folded, a batch after the
// other: PostgreSQL would pass by all that it has deleted of an issue each time.
func (s *Store) dropFolded(ctx context.Context) error {
	left, err := ids(ctx, s.reader, `SELECT number FROM issues WHERE folded_at IS NOT NULL
		AND EXISTS (SELECT 1 FROM deliveries d WHERE d.issue = issues.number) ORDER BY number`)
	for _, issue := range left {
		var batches []int64
		if err == nil {
			batches, err = ids(ctx, s.reader, `SELECT id FROM batches b WHERE issue = $1
				AND EXISTS (SELECT 1 FROM deliveries d WHERE d.batch = b.id `+eachAlone+`) ORDER BY id`, issue)
		}
		for _, batch := range batches {
			for n := int64(foldChunk); err == nil && n == foldChunk; {
				n, err = s.exec(ctx, `DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE batch = $1 LIMIT $2)`, batch, foldChunk)
			}
		}
	}
	return err
}

// notFolded is ErrFolded where only counts are left of an issue.
func notFolded(ctx context.Context, q queryer, issue int64) error {
	var folded bool
	err := q.QueryRowContext(ctx, `SELECT folded_at IS NOT NULL FROM issues WHERE number = $1`, issue).Scan(&folded)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err == nil && folded:
		return ErrFolded
	}
	return err
}
