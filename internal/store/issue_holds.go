package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// IssueHold is why an issue's mail does not leave.
type IssueHold struct {
	Until     time.Time // the end of the grace; zero: it does not end by itself
	Withdrawn bool
}

// Stopped tells whether somebody stopped the issue.
func (h IssueHold) Stopped() bool { return h.Until.IsZero() && !h.Withdrawn }

// holdIssue keeps the mail of a new issue until its grace is over.
func holdIssue(ctx context.Context, tx *sql.Tx, issue newsletter.Issue) error {
	if !issue.HeldUntil.After(issue.PublishedAt) {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO issue_holds (issue, until_at, held_at) VALUES ($1, $2, $3)`,
		issue.Number, ms(issue.HeldUntil), ms(issue.PublishedAt))
	if err == nil && issue.AuthorCopy != "" {
		_, err = tx.ExecContext(ctx, `INSERT INTO author_copies (issue, email) VALUES ($1, $2)`, issue.Number, issue.AuthorCopy)
	}
	if err != nil {
		return fmt.Errorf("hold the mail: %w", err)
	}
	return nil
}

// holds reads the holds that are in force, by issue.
func issueHolds(ctx context.Context, q queryer, now time.Time) (map[int64]*IssueHold, error) {
	list := map[int64]*IssueHold{}
	err := each(ctx, q, func(rows *sql.Rows) error {
		var issue int64
		var until sql.NullInt64
		var h IssueHold
		err := rows.Scan(&issue, &until, &h.Withdrawn)
		h.Until = timeOf(until)
		list[issue] = &h
		return err
	}, `SELECT issue, until_at, withdrawn FROM issue_holds WHERE until_at IS NULL OR until_at > $1`, ms(now))
	if err != nil {
		return nil, fmt.Errorf("read which issues are held: %w", err)
	}
	return list, nil
}

// NextRelease is when the next grace is over of an issue that has mail, zero if
// there is none.
func (s *Store) NextRelease(ctx context.Context, now time.Time) (time.Time, error) {
	var at sql.NullInt64
	err := s.reader.QueryRowContext(ctx, `SELECT min(h.until_at) FROM issue_holds h JOIN issues i ON i.number = h.issue
		WHERE h.until_at > $1 AND i.finished_at IS NULL`, ms(now)).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("read which issue leaves next: %w", err)
	}
	return timeOf(at), nil
}

// mailGoes is the condition that nothing holds the mail of an issue at a time.
func mailGoes(issue, now string) string {
	return `NOT EXISTS (SELECT 1 FROM issue_holds h WHERE h.issue = ` + issue + ` AND (h.until_at IS NULL OR h.until_at > ` + now + `))`
}

// ErrWithdrawn says that an issue was withdrawn, which is for good.
var ErrWithdrawn = errors.New("it is withdrawn")

// StopIssue holds the mail of an issue until GoIssue, from this moment on:
// only messages under way still end.
func (s *Store) StopIssue(ctx context.Context, issue int64) error {
	return s.changeHold(ctx, "stop", issue, `INSERT INTO issue_holds (issue, held_at) VALUES ($1, $2)
		ON CONFLICT (issue) DO UPDATE SET until_at = NULL, held_at = excluded.held_at`, issue, msNow())
}

// FaultIssue stops an issue whose mail cannot be made, so that others go on; a
// warning stands until GoIssue, which tries again, or until it is withdrawn.
func (s *Store) FaultIssue(ctx context.Context, issue int64, fault string) error {
	return s.changeHold(ctx, "stop", issue, `INSERT INTO issue_holds (issue, held_at, fault) VALUES ($1, $2, $3)
		ON CONFLICT (issue) DO UPDATE SET until_at = NULL, fault = excluded.fault`, issue, msNow(), plain(fault))
}

// GoIssue lets the mail of an issue go that is stopped or in its grace.
func (s *Store) GoIssue(ctx context.Context, issue int64) error {
	return s.changeHold(ctx, "let go", issue, `DELETE FROM issue_holds WHERE issue = $1 AND NOT withdrawn`, issue)
}

func (s *Store) changeHold(ctx context.Context, what string, issue int64, query string, args ...any) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if withdrawn, err := isWithdrawn(ctx, tx, issue); err != nil || withdrawn {
			return errors.Join(err, ErrWithdrawn)
		}
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s issue %d: %w", what, issue, err)
	}
	return nil
}

func isWithdrawn(ctx context.Context, q queryer, issue int64) (bool, error) {
	var n int
	err := q.QueryRowContext(ctx, `SELECT count(*) FROM issue_holds WHERE issue = $1 AND withdrawn`, issue).Scan(&n)
	return n > 0, err
}

// WithdrawIssue stops an issue for good and cancels what is pending. When it
// has mail and none has left it is undone: its threads are free again.
// Otherwise they are withdrawn: off the site and never mailed again. It asks
// for a new site, and may be called again when it was cut off.
func (s *Store) WithdrawIssue(ctx context.Context, issue int64) (undone bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneThreads); err != nil {
			return err
		}
		if s.freeze != "" {
			// What is marked now has left; nothing may be marked from here on.
			if _, err := tx.ExecContext(ctx, s.freeze); err != nil {
				return err
			}
		}
		again, err := isWithdrawn(ctx, tx, issue)
		if err != nil || again {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO issue_holds (issue, withdrawn, held_at) VALUES ($1, TRUE, $2)
			ON CONFLICT (issue) DO UPDATE SET until_at = NULL, withdrawn = TRUE, held_at = excluded.held_at`, issue, msNow())
		if err != nil {
			return err
		}
		if undone, err = freeThreads(ctx, tx, issue); err != nil {
			return err
		}
		_, err = s.siteChanged(ctx, tx)
		return err
	})
	if err == nil {
		err = s.cancelWithdrawn(ctx)
	}
	if err != nil {
		return false, fmt.Errorf("withdraw issue %d: %w", issue, err)
	}
	return undone, nil
}

// freeThreads undoes an issue whose mail was all kept back, and withdraws the
// threads of any other. One that had nobody to go to is out with its feeds:
// freed, its threads would go out again at the next slot.
func freeThreads(ctx context.Context, tx *sql.Tx, issue int64) (undone bool, err error) {
	var left bool
	err = tx.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT 1 FROM batches WHERE issue = $1)
		OR EXISTS (SELECT 1 FROM issues WHERE number = $1 AND folded_at IS NOT NULL)
		OR EXISTS (SELECT 1 FROM batches b JOIN deliveries d ON d.batch = b.id
			WHERE b.issue = $1 AND b.lease > 0 AND d.state IN ('sending', 'sent', 'failed', 'in_doubt'))`, issue).Scan(&left)
	if err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE threads SET revision = revision + 1, withdrawn_at = CASE WHEN $2 THEN $3 ELSE withdrawn_at END,
			out_number = CASE WHEN $2 THEN out_number END
		WHERE id IN (SELECT thread FROM issue_threads WHERE issue = $1)`, issue, left, msNow())
	if err == nil && !left {
		_, err = tx.ExecContext(ctx, `DELETE FROM issue_threads WHERE issue = $1`, issue)
	}
	return !left, err
}

// cancelWithdrawn cancels what is left of issues that were withdrawn, a batch
// at a time, so that others get their turn. It may be cut off, and called
// again.
func (s *Store) cancelWithdrawn(ctx context.Context) error {
	left, err := s.batches(ctx, `SELECT b.id, b.issue FROM batches b JOIN issue_holds h ON h.issue = b.issue WHERE h.withdrawn
		AND EXISTS (SELECT 1 FROM deliveries d WHERE d.batch = b.id AND d.state IN ('pending', 'deferred') `+eachAlone+`) ORDER BY b.id`)
	for _, b := range left {
		if err == nil {
			err = s.tx(ctx, func(tx *sql.Tx) error {
				_, err := s.settle(ctx, tx, `UPDATE deliveries SET state = 'canceled', next_at = NULL, changed_at = $2
					WHERE batch = $1 AND state IN ('pending', 'deferred')`, b.ID, msNow())
				return err
			})
		}
	}
	if err != nil {
		return fmt.Errorf("cancel deliveries: %w", err)
	}
	return nil
}

// WithdrawnIssues returns the numbers of the issues that were withdrawn.
func (s *Store) WithdrawnIssues(ctx context.Context) ([]int64, error) {
	list, err := ids(ctx, s.reader, `SELECT issue FROM issue_holds WHERE withdrawn ORDER BY issue`)
	if err != nil {
		return nil, fmt.Errorf("read which issues were withdrawn: %w", err)
	}
	return list, nil
}
