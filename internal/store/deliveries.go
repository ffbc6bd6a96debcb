package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// Snapshot returns what issue number froze for its mail.
func (s *Store) Snapshot(ctx context.Context, number int64) (newsletter.Snapshot, error) {
	var snap newsletter.Snapshot
	err := s.reader.QueryRowContext(ctx, `SELECT message, sender, domain, unsubscribe_url FROM issues WHERE number = $1`, number).
		Scan(&snap.Message, &snap.Sender, &snap.Domain, &snap.UnsubscribeURL)
	if err != nil {
		return newsletter.Snapshot{}, fmt.Errorf("read the snapshot of issue %d: %w", number, err)
	}
	return snap, nil
}

// OpenBatches returns up to limit batches that hold pending deliveries or can
// be closed, of issues whose site is in place and that nobody holds, the oldest
// issue first, and that no node works.
func (s *Store) OpenBatches(ctx context.Context, limit int) ([]newsletter.Batch, error) {
	return s.openBatches(ctx, "", limit)
}

// mayTake are the batches b that node $1 may take, which may be its own.
const mayTake = ` (b.node = '' OR b.node = $1 OR b.node NOT IN (SELECT id FROM nodes))`

// batches reads the id and the issue of each batch that a query finds.
func (s *Store) batches(ctx context.Context, query string, args ...any) (list []newsletter.Batch, err error) {
	err = each(ctx, s.reader, func(rows *sql.Rows) error {
		var b newsletter.Batch
		err := rows.Scan(&b.ID, &b.Issue)
		list = append(list, b)
		return err
	}, query, args...)
	return list, err
}

func (s *Store) openBatches(ctx context.Context, node string, limit int) ([]newsletter.Batch, error) {
	list, err := s.batches(ctx, `SELECT b.id, b.issue FROM batches b JOIN issues i ON i.number = b.issue
		WHERE NOT b.done AND i.site_at IS NOT NULL AND`+mayTake+`
		AND `+mailGoes("b.issue", "$3")+`
		AND (EXISTS (SELECT 1 FROM deliveries d WHERE d.batch = b.id AND d.state = 'pending' `+eachAlone+`)
			OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.batch = b.id AND d.state = 'sending' `+eachAlone+`))
		ORDER BY b.issue, b.id LIMIT $2`, node, limit, msNow())
	if err != nil {
		return nil, fmt.Errorf("read open batches: %w", err)
	}
	return list, nil
}

// eachAlone keeps PostgreSQL from answering a question about some batches by
// reading all deliveries, as it may before it knows how many there are.
const eachAlone = `LIMIT 1 OFFSET 0`

// TakeBatch begins a batch and returns what is pending in it; ErrTaken when a
// node works it, or it is not open any more. From then on its deliveries are
// counted one by one, until it is closed.
func (s *Store) TakeBatch(ctx context.Context, batch newsletter.Batch) ([]newsletter.Delivery, error) {
	return s.takeBatch(ctx, "", batch)
}

func (s *Store) takeBatch(ctx context.Context, node string, batch newsletter.Batch) ([]newsletter.Delivery, error) {
	n, err := s.exec(ctx, `UPDATE batches AS b SET lease = lease + 1, node = $1 WHERE id = $2 AND NOT done AND`+mayTake+`
		AND issue IN (SELECT number FROM issues WHERE site_at IS NOT NULL)
		AND `+mailGoes("b.issue", "$3")+`
		AND ($1 = '' OR $1 IN (SELECT id FROM nodes))`, node, batch.ID, msNow())
	if err == nil && n == 0 {
		err = newsletter.ErrTaken
	}
	if err != nil {
		return nil, fmt.Errorf("begin batch %d of issue %d: %w", batch.ID, batch.Issue, err)
	}
	var list []newsletter.Delivery
	err = each(ctx, s.reader, func(rows *sql.Rows) error {
		d := newsletter.Delivery{Batch: batch.ID, Issue: batch.Issue}
		var first, retried, joined sql.NullInt64
		err := rows.Scan(&d.ID, &d.Subscriber, &d.Attempts, &d.Doubts, &first, &retried, &d.Email, &d.Name, &joined)
		d.FirstAt, d.RetriedAt, d.JoinedAt = timeOf(first), timeOf(retried), timeOf(joined)
		list = append(list, d)
		return err
	}, `SELECT d.id, d.subscriber, d.attempts, d.doubts, d.first_at, d.retried_at, coalesce(s.email, ''), coalesce(s.name, ''), s.created_at
		FROM deliveries d LEFT JOIN subscribers s ON s.id = d.subscriber
		WHERE d.batch = $1 AND d.state = 'pending' ORDER BY d.id`, batch.ID)
	if err != nil {
		return nil, fmt.Errorf("read batch %d of issue %d: %w", batch.ID, batch.Issue, err)
	}
	return list, nil
}

// CloseBatch notes that nothing is pending in a batch, and ends its issue
// where that was the last; it changes nothing while something is.
func (s *Store) CloseBatch(ctx context.Context, b newsletter.Batch) error {
	return s.leaveBatch(ctx, "", b)
}

// leaveBatch closes a batch if it can be, and lets other nodes have it.
func (s *Store) leaveBatch(ctx context.Context, node string, b newsletter.Batch) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if node != "" {
			if _, err := tx.ExecContext(ctx, `UPDATE batches SET node = '' WHERE id = $1 AND node = $2`, b.ID, node); err != nil {
				return err
			}
		}
		return s.closeBatch(ctx, tx, b)
	})
	if err != nil {
		return fmt.Errorf("close batch %d of issue %d: %w", b.ID, b.Issue, err)
	}
	return nil
}

// closeBatch ends a batch of which nothing is pending or being sent, and counts
// it, anew where it was done already. Any other is begun, since something in it
// has changed.
//
// Of two that change a batch or an issue at once, the second has to see what the
// first one did: hence the row is locked by a statement before the one that
// looks, and always the batch before its issue.
func (s *Store) closeBatch(ctx context.Context, tx *sql.Tx, b newsletter.Batch) error {
	if err := s.lockRow(ctx, tx, `SELECT id FROM batches WHERE id = $1`, b.ID); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE batches SET lease = 1 WHERE id = $1 AND lease = 0`, b.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE batches SET done = TRUE, (sent, deferred, failed, canceled, in_doubt) = (SELECT
			count(*) FILTER (WHERE state = 'sent'), count(*) FILTER (WHERE state = 'deferred'), count(*) FILTER (WHERE state = 'failed'),
			count(*) FILTER (WHERE state = 'canceled'), count(*) FILTER (WHERE state = 'in_doubt')
			FROM deliveries d WHERE d.batch = batches.id)
		WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM issues i WHERE i.number = batches.issue AND i.folded_at IS NOT NULL)
		AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.batch = batches.id AND d.state IN ('pending', 'sending'))`, b.ID)
	if err != nil {
		return err
	}
	if err := s.lockRow(ctx, tx, `SELECT number FROM issues WHERE number = $1`, b.Issue); err != nil {
		return err
	}
	return finishIssue(ctx, tx, b.Issue, time.Now())
}

// lockRow locks the row that a query finds, where others may write too.
func (s *Store) lockRow(ctx context.Context, tx *sql.Tx, query string, arg any) error {
	if s.forUpdate == "" {
		return nil
	}
	return each(ctx, tx, func(*sql.Rows) error { return nil }, query+s.forUpdate, arg)
}

// settle runs a statement that settles deliveries and returns their batch and
// issue, and closes these. It returns how many deliveries there were.
func (s *Store) settle(ctx context.Context, tx *sql.Tx, statement string, args ...any) (n int, err error) {
	batches := map[newsletter.Batch]bool{}
	err = each(ctx, tx, func(rows *sql.Rows) error {
		var b newsletter.Batch
		err := rows.Scan(&b.ID, &b.Issue)
		batches[b] = true
		n++
		return err
	}, statement+` RETURNING batch, issue`, args...)
	for _, b := range slices.SortedFunc(maps.Keys(batches), func(a, b newsletter.Batch) int { return cmp.Compare(a.ID, b.ID) }) {
		if err == nil {
			err = s.closeBatch(ctx, tx, b)
		}
	}
	return n, err
}

// finishIssue ends an issue of which nothing is left to send.
func finishIssue(ctx context.Context, tx *sql.Tx, issue int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE issues SET finished_at = $2 WHERE number = $1 AND finished_at IS NULL
		AND NOT EXISTS (SELECT 1 FROM batches b WHERE b.issue = issues.number AND NOT b.done)
		AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.issue = issues.number AND d.next_at IS NOT NULL AND d.state = 'deferred')`,
		issue, ms(now))
	return err
}

// notWithdrawn keeps deliveries of withdrawn issues from being sent again.
const notWithdrawn = ` AND NOT EXISTS (SELECT 1 FROM issue_holds h WHERE h.issue = deliveries.issue AND h.withdrawn)`

// wake makes the chosen deliveries pending, with further columns set, and
// opens their batches and issues again. It returns how many there were.
func (s *Store) wake(ctx context.Context, tx *sql.Tx, set, where string, args ...any) (int, error) {
	batches := map[int64]bool{}
	n := 0
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var batch int64
		err := rows.Scan(&batch)
		batches[batch] = true
		n++
		return err
	}, `UPDATE deliveries SET state = 'pending', next_at = NULL, hold = NULL`+set+` WHERE `+where+` RETURNING batch`, args...)
	if err != nil {
		return 0, err
	}
	for _, id := range slices.Sorted(maps.Keys(batches)) {
		if _, err := tx.ExecContext(ctx, `UPDATE batches SET done = FALSE WHERE id = $1`, id); err != nil {
			return 0, err
		}
		err := s.lockRow(ctx, tx, `SELECT number FROM issues WHERE number = (SELECT issue FROM batches WHERE id = $1)`, id)
		if err != nil {
			return 0, err
		}
		_, err = tx.ExecContext(ctx, `UPDATE issues SET finished_at = NULL
			WHERE number = (SELECT issue FROM batches WHERE id = $1) AND finished_at IS NOT NULL`, id)
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// WakeDeferred makes up to limit deferred deliveries pending whose time has
// come, and returns how many.
func (s *Store) WakeDeferred(ctx context.Context, now time.Time, limit int) (int, error) {
	next, err := s.NextDeferred(ctx)
	if err != nil || next.IsZero() || next.After(now) {
		return 0, err
	}
	var n int
	err = s.tx(ctx, func(tx *sql.Tx) error {
		n, err = s.wake(ctx, tx, "", `state = 'deferred' AND id IN (SELECT id FROM deliveries WHERE state = 'deferred' AND next_at <= $1 ORDER BY next_at LIMIT $2)`,
			ms(now), limit)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("wake deferred deliveries: %w", err)
	}
	return n, nil
}

// NextDeferred is when the next deferred delivery is due, zero if there is none.
func (s *Store) NextDeferred(ctx context.Context) (time.Time, error) {
	var at sql.NullInt64
	err := s.reader.QueryRowContext(ctx, `SELECT min(next_at) FROM deliveries WHERE next_at IS NOT NULL AND state = 'deferred'`).Scan(&at)
	if err != nil {
		return time.Time{}, fmt.Errorf("read the next deferred delivery: %w", err)
	}
	return timeOf(at), nil
}

// Recover settles what a sender that died left behind: deliveries still marked
// as being sent, which the relay may or may not have taken. Where resend is
// set those in doubt for the first time become pending; all others wait for
// the operator. Who sends calls it before, as holder of the lock or as a node.
func (s *Store) Recover(ctx context.Context, resend bool) (again, held int, err error) {
	if err := s.cancelWithdrawn(ctx); err != nil { // what a withdrawal that was cut off left
		return 0, 0, err
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		// What a sender that died left is in batches that are begun and not done:
		// no index is needed that every message would have to keep.
		batches, err := ids(ctx, tx, `SELECT id FROM batches WHERE NOT done AND lease > 0
			AND (node = '' OR node NOT IN (SELECT id FROM nodes)) ORDER BY id`)
		if err == nil {
			again, held, err = s.settleDoubts(ctx, tx, resend, batches)
		}
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("settle deliveries in doubt: %w", err)
	}
	return again, held, nil
}

// settleDoubts does what Recover tells with batches, one at a time.
func (s *Store) settleDoubts(ctx context.Context, tx *sql.Tx, resend bool, batches []int64) (again, held int, err error) {
	const sending = `batch = $1 AND state = 'sending'`
	for _, id := range batches {
		if resend {
			n, err := s.wake(ctx, tx, `, doubts = doubts + 1`, sending+` AND doubts = 0`+notWithdrawn, id)
			if err != nil {
				return 0, 0, err
			}
			again += n
		}
		res, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = 'in_doubt', doubts = doubts + 1 WHERE `+sending, id)
		if err != nil {
			return 0, 0, err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return 0, 0, err
		}
		held += int(n)
	}
	return again, held, nil
}

// ids returns the numbers that a query gives.
func ids(ctx context.Context, q queryer, query string, args ...any) ([]int64, error) {
	var list []int64
	err := each(ctx, q, func(rows *sql.Rows) error {
		list = append(list, 0)
		return rows.Scan(&list[len(list)-1])
	}, query, args...)
	return list, err
}

// Retry makes the failed deliveries of an issue pending whose subscribers get
// mail, and returns how many. They have as much time as new ones until they
// are given up.
func (s *Store) Retry(ctx context.Context, issue int64) (int, error) {
	return s.reopen(ctx, issue, `, attempts = 0`, `issue = $1 AND state = 'failed'
		AND EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber AND s.status = 'active')`)
}

// Failed counts the failed deliveries of an issue by what their subscribers
// are now; the status is empty for those who are forgotten.
func (s *Store) Failed(ctx context.Context, issue int64) (map[newsletter.SubscriberStatus]int, error) {
	counts := map[newsletter.SubscriberStatus]int{}
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var status newsletter.SubscriberStatus
		var n int
		err := rows.Scan(&status, &n)
		counts[status] = n
		return err
	}, `SELECT coalesce(s.status, ''), count(*) FROM deliveries d LEFT JOIN subscribers s ON s.id = d.subscriber
		WHERE d.issue = $1 AND d.state = 'failed' GROUP BY s.status`, issue)
	if err != nil {
		return nil, fmt.Errorf("count what failed of issue %d: %w", issue, err)
	}
	return counts, nil
}

// ResolveResend sends an issue's deliveries in doubt again.
func (s *Store) ResolveResend(ctx context.Context, issue int64) (int, error) {
	return s.reopen(ctx, issue, "", `issue = $1 AND doubts > 0 AND state = 'in_doubt'`)
}

func (s *Store) reopen(ctx context.Context, issue int64, set, where string) (n int, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := notFolded(ctx, tx, issue); err != nil {
			return err
		}
		n, err = s.wake(ctx, tx, set+`, retried_at = $2`, where+notWithdrawn, issue, msNow())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("reopen deliveries of issue %d: %w", issue, err)
	}
	return n, nil
}

// ResolveSkip takes an issue's deliveries in doubt as sent.
func (s *Store) ResolveSkip(ctx context.Context, issue int64) (n int, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := notFolded(ctx, tx, issue); err != nil {
			return err
		}
		n, err = s.settle(ctx, tx, `UPDATE deliveries SET state = 'sent', changed_at = $2 WHERE issue = $1 AND doubts > 0 AND state = 'in_doubt'`, issue, msNow())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("skip deliveries in doubt of issue %d: %w", issue, err)
	}
	return n, nil
}

func msNow() int64 { return ms(time.Now()) }

// Unsettled is a delivery that did not simply go out.
type Unsettled struct {
	Email    string                   `json:"email"`
	State    newsletter.DeliveryState `json:"state"`
	Attempts int                      `json:"attempts"`
	Code     int                      `json:"code,omitempty"`
	Answer   string                   `json:"answer,omitempty"`
	NextAt   *time.Time               `json:"next_at,omitempty"`
	Hold     string                   `json:"hold,omitempty"` // the domain whose hold it waits for
}

// unsettledMax bounds how many deliveries one listing names.
const unsettledMax = 10_000

// Unsettled returns an issue's deliveries that are neither sent nor pending,
// at most 10,000 of them.
func (s *Store) Unsettled(ctx context.Context, issue int64) ([]Unsettled, error) {
	list := []Unsettled{}
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var u Unsettled
		var next sql.NullInt64
		if err := rows.Scan(&u.Email, &u.State, &u.Attempts, &u.Code, &u.Answer, &next, &u.Hold); err != nil {
			return err
		}
		if next.Valid {
			at := timeOf(next)
			u.NextAt = &at
		}
		list = append(list, u)
		return nil
	}, `SELECT coalesce(s.email, ''), d.state, d.attempts, d.code, d.answer, d.next_at, coalesce(d.hold, '')
		FROM deliveries d LEFT JOIN subscribers s ON s.id = d.subscriber
		WHERE d.issue = $1 AND d.state NOT IN ('sent', 'pending') ORDER BY d.state, d.id LIMIT $2`, issue, unsettledMax)
	if err != nil {
		return nil, fmt.Errorf("read the deliveries of issue %d: %w", issue, err)
	}
	return list, nil
}

// Deferred returns the first attempt of the delivery that is deferred the
// longest, and when one is tried next; zero when none is.
func (s *Store) Deferred(ctx context.Context) (oldest, next time.Time, err error) {
	var first, at sql.NullInt64
	err = s.reader.QueryRowContext(ctx, `SELECT min(first_at), min(next_at) FROM deliveries WHERE next_at IS NOT NULL AND state = 'deferred'`).Scan(&first, &at)
	if err != nil {
		return time.Time{}, time.Time{}, fmt.Errorf("read deferred deliveries: %w", err)
	}
	return timeOf(first), timeOf(at), nil
}
