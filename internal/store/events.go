package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// AddEvent adds a step to a subscriber's history; its id is ignored, and no
// time is now. Of somebody who is not there, or was forgotten meanwhile, nothing
// is kept.
func (s *Store) AddEvent(ctx context.Context, e newsletter.SubscriberEvent) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		there, err := s.lockSubscriber(ctx, tx, e.Subscriber)
		if err != nil || !there {
			return err
		}
		return addEvent(ctx, tx, e)
	})
	if err != nil {
		return fmt.Errorf("note what became of subscriber %d: %w", e.Subscriber, err)
	}
	return nil
}

func addEvent(ctx context.Context, tx *sql.Tx, e newsletter.SubscriberEvent) error {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO subscriber_events (subscriber, at, kind, issue, form, network, text)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, e.Subscriber, ms(e.At), e.Kind, sql.NullInt64{Int64: e.Issue, Valid: e.Issue > 0},
		plain(e.Form), e.Network, plain(e.Text))
	return err
}

// Events returns the history of a subscriber, the oldest first.
func (s *Store) Events(ctx context.Context, subscriber int64) ([]newsletter.SubscriberEvent, error) {
	list, err := events(ctx, s.reader, subscriber)
	if err != nil {
		return nil, fmt.Errorf("read what became of subscriber %d: %w", subscriber, err)
	}
	return list, nil
}

func events(ctx context.Context, q queryer, subscriber int64) ([]newsletter.SubscriberEvent, error) {
	var list []newsletter.SubscriberEvent
	err := each(ctx, q, func(rows *sql.Rows) error {
		e := newsletter.SubscriberEvent{Subscriber: subscriber}
		var at, issue sql.NullInt64
		if err := rows.Scan(&e.ID, &at, &e.Kind, &issue, &e.Form, &e.Network, &e.Text); err != nil {
			return err
		}
		e.At, e.Issue = timeOf(at), issue.Int64
		list = append(list, e)
		return nil
	}, `SELECT id, at, kind, issue, form, network, text FROM subscriber_events WHERE subscriber = $1 ORDER BY id`, subscriber)
	return list, err
}
