package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// AddSubscribers inserts or completes subscribers in one transaction and tells
// for each what that changed. It never raises anybody from unsubscribed,
// bounced, complained or suppressed; one who is active or pending takes such a
// status over. A mailbox that is suppressed enters as suppressed, and one that
// enters as suppressed stays so for good.
func (s *Store) AddSubscribers(ctx context.Context, subs []newsletter.Subscriber) ([]newsletter.AddResult, error) {
	results := make([]newsletter.AddResult, len(subs))
	err := s.tx(ctx, func(tx *sql.Tx) error {
		a, err := newAdder(ctx, tx)
		if err != nil {
			return err
		}
		for i, sub := range subs {
			if results[i], err = a.add(ctx, sub); err != nil {
				return fmt.Errorf("add %s: %w", sub.Email, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("add subscribers: %w", err)
	}
	return results, nil
}

// adder holds the statements that the rows of an import need. They end with
// their transaction.
type adder struct {
	tx           *sql.Tx
	insert, find *sql.Stmt
}

func newAdder(ctx context.Context, tx *sql.Tx) (*adder, error) {
	a := &adder{tx: tx}
	for query, stmt := range map[string]**sql.Stmt{
		`INSERT INTO subscribers (key, email, name, status, status_at, tags, created_at)
			SELECT $1, $2, $3, CASE WHEN EXISTS (SELECT 1 FROM suppressions x WHERE x.key = $1) THEN 'suppressed' ELSE $4 END, $5, $6, $7
			WHERE TRUE ON CONFLICT (key) DO NOTHING RETURNING status`: &a.insert,
		`SELECT ` + subscriberColumns + ` FROM subscribers WHERE key = $1`: &a.find,
	} {
		var err error
		if *stmt, err = tx.PrepareContext(ctx, query); err != nil { //nolint:sqlclosecheck // closed with the transaction
			return nil, err
		}
	}
	return a, nil
}

func (a *adder) add(ctx context.Context, sub newsletter.Subscriber) (newsletter.AddResult, error) {
	tags, err := encodeTags(sub.Tags)
	if err != nil {
		return "", err
	}
	created := sub.CreatedAt
	if created.IsZero() {
		created = time.Now()
	}
	var status newsletter.SubscriberStatus
	err = a.insert.QueryRowContext(ctx, sub.Key, sub.Email, sub.Name, sub.Status, msNow(), tags, ms(created)).Scan(&status)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return a.complete(ctx, sub)
	case err != nil:
		return "", err
	case status != sub.Status:
		return newsletter.Kept, nil
	case status == newsletter.SubscriberSuppressed:
		err = suppress(ctx, a.tx, sub.Key, importReason)
	}
	return newsletter.Added, err
}

// importReason stands in the records of what an import changed.
const importReason = "imported"

// complete fills in what is missing of a known subscriber.
func (a *adder) complete(ctx context.Context, sub newsletter.Subscriber) (newsletter.AddResult, error) {
	old, err := scanSubscriber(a.find.QueryRowContext(ctx, sub.Key).Scan)
	if err != nil {
		return "", err
	}
	next := old
	if next.Name == "" {
		next.Name = sub.Name
	}
	for _, t := range sub.Tags {
		if !slices.Contains(next.Tags, t) {
			next.Tags = append(slices.Clip(next.Tags), t)
		}
	}
	mailed := old.Status == newsletter.SubscriberActive || old.Status == newsletter.SubscriberPending
	if mailed && sub.Status != newsletter.SubscriberPending {
		next.Status = sub.Status
	}
	changed := next.Name != old.Name || next.Status != old.Status || len(next.Tags) != len(old.Tags)
	if changed {
		if err := a.update(ctx, old, next); err != nil {
			return "", err
		}
	}
	switch {
	case !mailed:
		return newsletter.Kept, nil
	case changed:
		return newsletter.Completed, nil
	}
	return newsletter.Unchanged, nil
}

func (a *adder) update(ctx context.Context, old, next newsletter.Subscriber) error {
	tags, err := encodeTags(next.Tags)
	if err != nil {
		return err
	}
	_, err = a.tx.ExecContext(ctx, `UPDATE subscribers SET name = $2, tags = $3 WHERE id = $1`, old.ID, next.Name, tags)
	if err != nil || old.Status == next.Status {
		return err
	}
	if next.Status == newsletter.SubscriberSuppressed {
		if err := suppress(ctx, a.tx, old.Key, importReason); err != nil {
			return err
		}
	}
	return setStatus(ctx, a.tx, old.ID, next.Status, importReason)
}

func encodeTags(tags []string) (string, error) {
	if len(tags) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(tags)
	return string(b), err
}
