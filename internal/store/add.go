package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// AddSubscribers inserts or completes subscribers in one transaction and tells
// for each what that changed. It never raises anybody from unsubscribed,
// bounced, complained or suppressed; one who is active or pending takes such a
// status over. A mailbox that is suppressed enters as suppressed, and one that
// enters as suppressed stays so for good. Whoever was forgotten does not enter,
// and is Kept.
func (s *Store) AddSubscribers(ctx context.Context, subs []newsletter.Subscriber) ([]newsletter.AddResult, error) {
	results := make([]newsletter.AddResult, len(subs))
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneAudience); err != nil {
			return err
		}
		forgotten, err := forgottenAmong(ctx, tx, subs)
		if err != nil {
			return err
		}
		enter := slices.DeleteFunc(slices.Clone(subs), func(sub newsletter.Subscriber) bool { return forgotten[sub.Key] })
		list, err := encodeIncoming(enter)
		if err != nil {
			return err
		}
		a := adder{dialect: s.dialect, tx: tx}
		if err := a.enter(ctx, list); err != nil {
			return err
		}
		if len(a.entered) < len(enter) {
			if err := a.find(ctx, list); err != nil {
				return err
			}
		}
		for i, sub := range subs {
			if forgotten[sub.Key] {
				results[i] = newsletter.Kept
				continue
			}
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

// incoming is a subscriber to be added, as the statements read it.
type incoming struct {
	Key       string                      `json:"key"`
	Email     string                      `json:"email"`
	Name      string                      `json:"name"`
	Status    newsletter.SubscriberStatus `json:"status"`
	Tags      string                      `json:"tags"`
	CreatedAt int64                       `json:"created_at"`
}

func encodeIncoming(subs []newsletter.Subscriber) (string, error) {
	list := make([]incoming, len(subs))
	now := time.Now()
	for i, sub := range subs {
		created := sub.CreatedAt
		if created.IsZero() {
			created = now
		}
		tags, err := encodeTags(sub.Tags)
		if err != nil {
			return "", err
		}
		list[i] = incoming{sub.Key, sub.Email, plain(sub.Name), sub.Status, tags, ms(created)}
	}
	b, err := json.Marshal(list)
	return string(b), err
}

// adder is one transaction that adds subscribers. All that are new enter in one
// statement and all that were there are read by one, so that a server far away
// is asked twice, not twice a row.
type adder struct {
	dialect
	tx      *sql.Tx
	entered map[string]newsletter.SubscriberStatus // by key
	known   map[string]newsletter.Subscriber
}

func (a *adder) enter(ctx context.Context, list string) error {
	a.entered = map[string]newsletter.SubscriberStatus{}
	return each(ctx, a.tx, func(rows *sql.Rows) error {
		var key string
		var status newsletter.SubscriberStatus
		err := rows.Scan(&key, &status)
		a.entered[key] = status
		return err
	}, `INSERT INTO subscribers (key, email, name, status, status_at, tags, created_at)
		SELECT i.key, i.email, i.name, CASE WHEN EXISTS (SELECT 1 FROM suppressions x WHERE x.key = i.key) THEN 'suppressed' ELSE i.status END,
			CAST($2 AS BIGINT), i.tags, i.created_at
		FROM `+a.incoming+` i WHERE TRUE ORDER BY i.n ON CONFLICT (key) DO NOTHING RETURNING key, status`, list, msNow())
}

func (a *adder) find(ctx context.Context, list string) error {
	a.known = map[string]newsletter.Subscriber{}
	return each(ctx, a.tx, func(rows *sql.Rows) error {
		sub, err := scanSubscriber(rows.Scan)
		a.known[sub.Key] = sub
		return err
	}, `SELECT `+subscriberColumns+` FROM subscribers WHERE key IN (SELECT i.key FROM `+a.incoming+` i) ORDER BY id`+a.forUpdate, list)
}

func (a *adder) add(ctx context.Context, sub newsletter.Subscriber) (newsletter.AddResult, error) {
	status, entered := a.entered[sub.Key]
	delete(a.entered, sub.Key) // a second one of the same mailbox completes it
	switch {
	case !entered:
		return a.complete(ctx, sub)
	case status != sub.Status:
		return newsletter.Kept, nil
	case status == newsletter.SubscriberSuppressed:
		return newsletter.Added, suppress(ctx, a.tx, sub.Key, importReason)
	}
	return newsletter.Added, nil
}

// importReason stands in the records of what an import changed.
const importReason = "imported"

// complete fills in what is missing of a known subscriber.
func (a *adder) complete(ctx context.Context, sub newsletter.Subscriber) (newsletter.AddResult, error) {
	old, known := a.known[sub.Key]
	if !known {
		return "", newsletter.ErrNotFound
	}
	next := old
	if next.Name == "" {
		next.Name = plain(sub.Name)
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
		a.known[sub.Key] = next
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
