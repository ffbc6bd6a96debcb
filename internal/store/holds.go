package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// Holds returns all holds, the oldest first, with those that are lifted but
// not cleared yet.
func (s *Store) Holds(ctx context.Context) ([]newsletter.Hold, error) {
	list := []newsletter.Hold{}
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var h newsletter.Hold
		var since, probe sql.NullInt64
		var undo string
		if err := rows.Scan(&h.Domain, &h.Kind, &h.Reason, &since, &probe, &h.Step, &undo, &h.Lifted); err != nil {
			return err
		}
		h.Since, h.ProbeAt = timeOf(since), timeOf(probe)
		list = append(list, h)
		return json.Unmarshal([]byte(undo), &list[len(list)-1].Undo)
	}, `SELECT domain, kind, reason, since_at, probe_at, step, undo, lifted FROM holds ORDER BY since_at, domain`)
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	return list, nil
}

// SetHold writes a hold, in place of one for the same domain. What another
// sender blamed on the domain at the same time is to be undone as well.
func (s *Store) SetHold(ctx context.Context, h newsletter.Hold) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		undo := append([]int64{}, h.Undo...)
		var others string
		err := each(ctx, tx, func(rows *sql.Rows) error { return rows.Scan(&others) },
			`SELECT undo FROM holds WHERE domain = $1 AND since_at <> $2 AND NOT lifted`+s.forUpdate, h.Domain, ms(h.Since))
		if err == nil && others != "" {
			var more []int64
			err = json.Unmarshal([]byte(others), &more)
			undo = append(undo, slices.DeleteFunc(more, func(id int64) bool { return slices.Contains(undo, id) })...)
		}
		if err != nil {
			return err
		}
		return setHold(ctx, tx, h, undo)
	})
	if err != nil {
		return fmt.Errorf("hold the mail to %q: %w", h.Domain, err)
	}
	return nil
}

func setHold(ctx context.Context, tx *sql.Tx, h newsletter.Hold, undo []int64) error {
	list, err := json.Marshal(undo)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO holds (domain, kind, reason, since_at, probe_at, step, undo, lifted) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (domain) DO UPDATE SET kind = excluded.kind, reason = excluded.reason, since_at = excluded.since_at,
			probe_at = excluded.probe_at, step = excluded.step, undo = excluded.undo, lifted = excluded.lifted,
			told_at = CASE WHEN holds.since_at = excluded.since_at THEN holds.told_at END`,
			h.Domain, h.Kind, plain(h.Reason), ms(h.Since), ms(h.ProbeAt), h.Step, string(list), h.Lifted)
	}
	return err
}

// HoldBack defers pending deliveries until the hold of a domain is lifted, or
// until next where that is earlier.
func (s *Store) HoldBack(ctx context.Context, domain string, ids []int64, next time.Time) error {
	args := []any{domain, ms(next)}
	_, err := s.exec(ctx, `UPDATE deliveries SET state = 'deferred', hold = $1, next_at = $2
		WHERE state = 'pending' AND id IN (`+placeholders(&args, ids)+`)`, args...)
	if err != nil {
		return fmt.Errorf("hold the mail to %s: %w", domain, err)
	}
	return nil
}

// placeholders appends ids to args and returns their parameters.
func placeholders(args *[]any, ids []int64) string {
	var b strings.Builder
	for i, id := range ids {
		*args = append(*args, id)
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "$%d", len(*args))
	}
	return b.String()
}

// WakeHeld makes one of the deliveries pending that wait for the hold of a
// domain, and returns it; the zero Delivery where none waits. It takes one
// after the other, since an address of its own may be wrong.
func (s *Store) WakeHeld(ctx context.Context, domain string) (newsletter.Delivery, error) {
	var d newsletter.Delivery
	err := s.tx(ctx, func(tx *sql.Tx) error {
		d = newsletter.Delivery{}
		err := each(ctx, tx, func(rows *sql.Rows) error { return rows.Scan(&d.ID, &d.Batch, &d.Issue) },
			`SELECT id, batch, issue FROM deliveries WHERE hold = $1 AND state = 'deferred' ORDER BY changed_at NULLS FIRST, id LIMIT 1`, domain)
		if err != nil || d.ID == 0 {
			return err
		}
		n, err := s.wake(ctx, tx, "", `id = $1 AND state = 'deferred'`, d.ID)
		if n == 0 { // another process was first
			d = newsletter.Delivery{}
		}
		return err
	})
	if err != nil {
		return newsletter.Delivery{}, fmt.Errorf("probe the hold of %s: %w", domain, err)
	}
	return d, nil
}

// WakeLifted makes up to limit deliveries pending that wait for a hold that is
// lifted, and forgets the hold when none is left.
func (s *Store) WakeLifted(ctx context.Context, domain string, limit int) (int, error) {
	var n int
	err := s.tx(ctx, func(tx *sql.Tx) (err error) {
		n, err = s.wake(ctx, tx, "", `state = 'deferred' AND id IN (SELECT id FROM deliveries WHERE hold = $1 AND state = 'deferred' LIMIT $2)`, domain, limit)
		if err == nil && n < limit {
			_, err = tx.ExecContext(ctx, `DELETE FROM holds WHERE domain = $1 AND lifted`, domain)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("wake the mail to %s: %w", domain, err)
	}
	return n, nil
}

// bounced is the reason of a suppression that a refusal led to.
const bounced = "bounced"

// bounce blames a refusal on its subscriber, who was active when the delivery
// was marked and may have left since.
func (s *Store) bounce(ctx context.Context, tx *sql.Tx, e newsletter.DeliveryEnd) error {
	var subscriber, issue int64
	err := tx.QueryRowContext(ctx, `SELECT subscriber, issue FROM deliveries WHERE id = $1`, e.ID).Scan(&subscriber, &issue)
	if err != nil {
		return err
	}
	if there, err := s.lockSubscriber(ctx, tx, subscriber); err != nil || !there {
		return err
	}
	if moved, err := movedSince(ctx, tx, subscriber, issue, time.Now()); err != nil || moved {
		return err
	}
	words := fmt.Sprintf("%d %s", e.Code, e.Answer)
	if e.Bounce != newsletter.BounceFull {
		return drop(ctx, tx, subscriber, issue, words)
	}
	known, err := missed(ctx, tx, subscriber, issue)
	if err != nil || known {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE deliveries SET bounce = $2 WHERE id = $1`, e.ID, e.Bounce); err != nil {
		return err
	}
	_, err = s.count(ctx, tx, subscriber, issue, words)
	return err
}

// UndoBounces takes back what refusals did: the failed deliveries become
// pending, or canceled where their issue was withdrawn, and subscribers whom
// they made bounce active. It returns how many there were.
func (s *Store) UndoBounces(ctx context.Context, deliveries []int64) (n int, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		n, err = s.undo(ctx, tx, deliveries)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("take back %d refusals: %w", len(deliveries), err)
	}
	return n, nil
}

func (s *Store) undo(ctx context.Context, tx *sql.Tx, ids []int64) (int, error) {
	var args []any
	in := placeholders(&args, ids)
	failed := `SELECT subscriber FROM deliveries WHERE state = 'failed' AND id IN (` + in + `)`
	counted := ` FROM deliveries d WHERE d.subscriber = subscribers.id AND d.state = 'failed' AND d.bounce = '` + string(newsletter.BounceFull) + `' AND d.id IN (` + in + `)`
	for _, statement := range []string{
		`DELETE FROM subscriber_events WHERE kind = 'bounced' AND (subscriber, issue) IN (SELECT subscriber, issue FROM deliveries WHERE state = 'failed' AND id IN (` + in + `))`,
		`DELETE FROM suppressions WHERE reason = '` + bounced + `' AND key IN (SELECT key FROM subscribers WHERE status = 'bounced' AND id IN (` + failed + `))`,
		`UPDATE subscribers SET status = 'active', status_reason = '' WHERE status = 'bounced' AND id IN (` + failed + `)`,
		`UPDATE subscribers SET bounces = bounces - (SELECT count(*)` + counted + `) WHERE id IN (` + failed + `)`,
	} {
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return 0, err
		}
	}
	back := `, attempts = attempts - 1, bounce = NULL`
	failed = `state = 'failed' AND id IN (` + in + `)`
	n, err := s.wake(ctx, tx, back, failed+notWithdrawn, args...)
	if err != nil {
		return 0, err
	}
	canceled, err := s.settle(ctx, tx, `UPDATE deliveries SET state = 'canceled'`+back+` WHERE `+failed, args...)
	return n + canceled, err
}

// GiveUpHeld fails up to limit deliveries that a hold has kept back, and whose
// issue was published, or that were asked for again, before a time, with the
// server's answer; it returns how many. Nobody is blamed. An empty domain
// stands for the relay: all that is pending and that nothing else holds.
func (s *Store) GiveUpHeld(ctx context.Context, h newsletter.Hold, before time.Time, limit int) (n int, err error) {
	first, answer, _ := strings.Cut(h.Reason, " ")
	code, _ := strconv.Atoi(first) // 0 stands for no code
	state := newsletter.DeliveryDeferred
	held := `hold = $6 AND state = 'deferred' AND issue IN (SELECT number FROM issues WHERE published_at <= $2)`
	if h.Domain == "" {
		state = newsletter.DeliveryPending
		held = `$6 = '' AND state = 'pending' AND batch IN (SELECT b.id FROM batches b JOIN issues i ON i.number = b.issue
			WHERE NOT b.done AND i.site_at IS NOT NULL AND i.published_at <= $2
			AND ` + mailGoes("i.number", "$5") + `)`
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		n, err = s.settle(ctx, tx, `UPDATE deliveries SET state = 'failed', next_at = NULL, hold = NULL, code = $3, answer = $4, changed_at = $5
			WHERE id IN (SELECT id FROM deliveries WHERE `+held+` AND coalesce(retried_at, 0) <= $2 LIMIT $1)
			AND state = '`+string(state)+`'`, limit, ms(before), code, plain(answer), msNow(), h.Domain)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("give up the mail to %q: %w", h.Domain, err)
	}
	return n, nil
}
