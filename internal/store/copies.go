package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

const nextCopy = `SELECT min(c.issue) FROM author_copies c JOIN issues i ON i.number = c.issue
	WHERE c.sent_at IS NULL AND i.site_at IS NOT NULL
	AND NOT EXISTS (SELECT 1 FROM issue_holds h WHERE h.issue = c.issue AND h.withdrawn)`

// TakeCopy returns an author's copy that is due, and notes that it was sent;
// its Issue is 0 when none is due. The copies of issues that were withdrawn
// are not.
func (s *Store) TakeCopy(ctx context.Context) (newsletter.AuthorCopy, error) {
	var c newsletter.AuthorCopy
	var due sql.NullInt64
	if err := s.reader.QueryRowContext(ctx, nextCopy).Scan(&due); err != nil {
		return c, fmt.Errorf("read the author's copies: %w", err)
	}
	if !due.Valid {
		return c, nil
	}
	err := s.tx(ctx, func(tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, `UPDATE author_copies SET sent_at = $1 WHERE issue = (`+nextCopy+`) AND sent_at IS NULL RETURNING issue, email`, msNow()).
			Scan(&c.Issue, &c.Email)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return newsletter.AuthorCopy{}, fmt.Errorf("take an author's copy: %w", err)
	}
	return c, nil
}

// ReturnCopy says that an author's copy was not sent.
func (s *Store) ReturnCopy(ctx context.Context, issue int64) error {
	if _, err := s.exec(ctx, `UPDATE author_copies SET sent_at = NULL WHERE issue = $1`, issue); err != nil {
		return fmt.Errorf("return the author's copy of issue %d: %w", issue, err)
	}
	return nil
}

// SentSince counts the messages that the relay took since a time, or may have
// taken, by minutes since 1970. Only issues that were under way since are
// read, so that the journal needs no index for it.
func (s *Store) SentSince(ctx context.Context, since time.Time) (map[int64]int, error) {
	list := map[int64]int{}
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var minute int64
		var n int
		err := rows.Scan(&minute, &n)
		list[minute] += n
		return err
	}, `SELECT changed_at / 60000, count(*) FROM deliveries
			WHERE issue IN (SELECT number FROM issues WHERE finished_at IS NULL OR finished_at >= $1)
			AND state IN ('sending', 'sent', 'in_doubt') AND changed_at >= $1 GROUP BY changed_at / 60000
		UNION ALL SELECT sent_at / 60000, count(*) FROM author_copies WHERE sent_at >= $1 GROUP BY sent_at / 60000`, ms(since))
	if err != nil {
		return nil, fmt.Errorf("count what was sent: %w", err)
	}
	return list, nil
}
