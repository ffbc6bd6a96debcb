package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// History returns all that is kept of a subscriber; ErrNotFound where there is
// none.
func (s *Store) History(ctx context.Context, id int64) (p newsletter.History, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		if p, err = history(ctx, tx, id); err != nil {
			return err
		}
		if p.Events, err = events(ctx, tx, id); err != nil {
			return err
		}
		if p.Deliveries, err = pastDeliveries(ctx, tx, id); err != nil {
			return err
		}
		if p.Letters, err = pastLetters(ctx, tx, id); err != nil {
			return err
		}
		p.Reports, err = pastReports(ctx, tx, id)
		return err
	})
	if err != nil {
		return newsletter.History{}, fmt.Errorf("read what is kept of subscriber %d: %w", id, err)
	}
	return p, nil
}

func history(ctx context.Context, q queryer, id int64) (newsletter.History, error) {
	sub, err := subscriber(ctx, q, `id = $1`, id)
	if err != nil {
		return newsletter.History{}, err
	}
	p := newsletter.History{Subscriber: sub}
	if p.Preferences, err = preferences(ctx, q, id); err != nil {
		return p, err
	}
	var at sql.NullInt64
	err = q.QueryRowContext(ctx, `SELECT s.status_reason, s.status_at, s.bounces, coalesce(i.file, ''), coalesce(i.consent, '')
		FROM subscribers s LEFT JOIN imports i ON i.id = s.import WHERE s.id = $1`, id).
		Scan(&p.StatusReason, &at, &p.Bounces, &p.ImportFile, &p.Consent)
	p.StatusAt = timeOf(at)
	return p, err
}

// ofSubscriber finds deliveries by the index that begins with the issue.
const ofSubscriber = ` d.issue IN (SELECT number FROM issues) AND d.subscriber = $1`

func pastDeliveries(ctx context.Context, q queryer, id int64) (list []newsletter.PastDelivery, err error) {
	err = each(ctx, q, func(rows *sql.Rows) error {
		var d newsletter.PastDelivery
		var first, changed sql.NullInt64
		err := rows.Scan(&d.Issue, &d.Title, &d.State, &d.Attempts, &first, &changed, &d.Code, &d.Answer)
		d.FirstAt, d.ChangedAt = timeOf(first), timeOf(changed)
		list = append(list, d)
		return err
	}, `SELECT d.issue, i.title, d.state, d.attempts, d.first_at, d.changed_at, d.code, d.answer
		FROM deliveries d JOIN issues i ON i.number = d.issue WHERE`+ofSubscriber+` ORDER BY d.issue`, id)
	return list, err
}

func pastLetters(ctx context.Context, q queryer, id int64) (list []newsletter.PastLetter, err error) {
	err = each(ctx, q, func(rows *sql.Rows) error {
		var l newsletter.PastLetter
		var created, sent sql.NullInt64
		err := rows.Scan(&l.Kind, &l.Email, &created, &sent, &l.Answer)
		l.CreatedAt, l.SentAt = timeOf(created), timeOf(sent)
		list = append(list, l)
		return err
	}, `SELECT kind, email, created_at, sent_at, answer FROM letters WHERE subscriber = $1 ORDER BY id`, id)
	return list, err
}

func pastReports(ctx context.Context, q queryer, id int64) (list []newsletter.PastReport, err error) {
	err = each(ctx, q, func(rows *sql.Rows) error {
		var r newsletter.PastReport
		var at, issue sql.NullInt64
		err := rows.Scan(&at, &issue, &r.Kind, &r.Class, &r.Source, &r.Status, &r.Text)
		r.At, r.Issue = timeOf(at), issue.Int64
		list = append(list, r)
		return err
	}, `SELECT at, issue, kind, class, source, status, text FROM reports WHERE subscriber = $1 ORDER BY id`, id)
	return list, err
}

// Preferences returns what a subscriber chose; ErrNotFound where there is none.
func (s *Store) Preferences(ctx context.Context, id int64) (newsletter.Preferences, error) {
	p, err := preferences(ctx, s.reader, id)
	if err != nil {
		return p, fmt.Errorf("read the preferences of subscriber %d: %w", id, err)
	}
	return p, nil
}

func preferences(ctx context.Context, q queryer, id int64) (newsletter.Preferences, error) {
	var p newsletter.Preferences
	var wants string
	var paused sql.NullInt64
	err := q.QueryRowContext(ctx, `SELECT name, frequency, wants, paused_until FROM subscribers WHERE id = $1`, id).
		Scan(&p.Name, &p.Frequency, &wants, &paused)
	if errors.Is(err, sql.ErrNoRows) {
		return p, newsletter.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal([]byte(wants), &p.Wants)
	}
	p.PausedUntil = timeOf(paused)
	return p, err
}

// SetPreferences writes what a subscriber chose, and e into their history;
// ErrNotFound where there is none.
func (s *Store) SetPreferences(ctx context.Context, id int64, p newsletter.Preferences, e newsletter.SubscriberEvent) error {
	wants, err := encodeTags(p.Wants)
	if err != nil {
		return err
	}
	err = s.change(ctx, id, e, `UPDATE subscribers SET name = $2, frequency = $3, wants = $4, paused_until = $5 WHERE id = $1`,
		plain(p.Name), p.Frequency, wants, msOrNull(p.PausedUntil))
	if err != nil {
		return fmt.Errorf("write the preferences of subscriber %d: %w", id, err)
	}
	return nil
}

// PauseSubscriber keeps issues from a subscriber until a time, none to end a pause, and
// writes e into their history; ErrNotFound where there is none.
func (s *Store) PauseSubscriber(ctx context.Context, id int64, until time.Time, e newsletter.SubscriberEvent) error {
	err := s.change(ctx, id, e, `UPDATE subscribers SET paused_until = $2 WHERE id = $1`, msOrNull(until))
	if err != nil {
		return fmt.Errorf("pause subscriber %d: %w", id, err)
	}
	return nil
}

// change changes one subscriber's row, whose id is $1, and adds an event.
func (s *Store) change(ctx context.Context, id int64, e newsletter.SubscriberEvent, update string, args ...any) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, update, append([]any{id}, args...)...)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, newsletter.ErrNotFound)
		}
		e.Subscriber = id
		return addEvent(ctx, tx, e)
	})
}

// Leave ends a subscription, and tells whether it was one; e goes into the
// history then.
func (s *Store) Leave(ctx context.Context, id int64, reason string, e newsletter.SubscriberEvent) (left bool, err error) {
	return s.turnTo(ctx, id, newsletter.SubscriberUnsubscribed, reason, e, `status IN ('active', 'pending')`)
}

// Return makes a subscriber active who unsubscribed, and tells whether they had;
// e goes into the history then. Whoever bounced, complained or was removed
// stays away.
func (s *Store) Return(ctx context.Context, id int64, reason string, e newsletter.SubscriberEvent) (returned bool, err error) {
	return s.turnTo(ctx, id, newsletter.SubscriberActive, reason, e,
		`status = 'unsubscribed' AND NOT EXISTS (SELECT 1 FROM suppressions x WHERE x.key = subscribers.key)`)
}

func (s *Store) turnTo(ctx context.Context, id int64, status newsletter.SubscriberStatus, reason string, e newsletter.SubscriberEvent, where string) (bool, error) {
	err := s.change(ctx, id, e, `UPDATE subscribers SET status = $2, status_reason = $3, status_at = $4 WHERE id = $1 AND `+where,
		status, reason, msNow())
	if errors.Is(err, newsletter.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("set subscriber %d to %s: %w", id, status, err)
	}
	return true, nil
}
