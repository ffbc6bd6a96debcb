package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

const subscriberColumns = `id, key, email, name, status, tags, created_at`

func scanSubscriber(scan func(...any) error) (newsletter.Subscriber, error) {
	var s newsletter.Subscriber
	var tags string
	var created sql.NullInt64
	if err := scan(&s.ID, &s.Key, &s.Email, &s.Name, &s.Status, &tags, &created); err != nil {
		return s, err
	}
	s.CreatedAt = timeOf(created)
	return s, json.Unmarshal([]byte(tags), &s.Tags)
}

func subscriber(ctx context.Context, q queryer, where string, arg any) (newsletter.Subscriber, error) {
	row := q.QueryRowContext(ctx, `SELECT `+subscriberColumns+` FROM subscribers WHERE `+where, arg)
	s, err := scanSubscriber(row.Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return newsletter.Subscriber{}, newsletter.ErrNotFound
	}
	if err != nil {
		return newsletter.Subscriber{}, fmt.Errorf("read subscriber: %w", err)
	}
	return s, nil
}

// Subscriber returns the subscriber with an id; ErrNotFound where there is none.
func (s *Store) Subscriber(ctx context.Context, id int64) (newsletter.Subscriber, error) {
	return subscriber(ctx, s.reader, `id = $1`, id)
}

// SubscriberByKey returns the subscriber of a mailbox; ErrNotFound where there is none.
func (s *Store) SubscriberByKey(ctx context.Context, key string) (newsletter.Subscriber, error) {
	return subscriber(ctx, s.reader, `key = $1`, key)
}

// page is how many subscribers are read at a time, so that a long listing
// neither holds a read transaction open nor fills the memory.
const page = 1000

// Subscribers yields every subscriber by id; after an error it ends.
func (s *Store) Subscribers(ctx context.Context) iter.Seq2[newsletter.Subscriber, error] {
	return func(yield func(newsletter.Subscriber, error) bool) {
		var last int64
		for {
			list := make([]newsletter.Subscriber, 0, page)
			err := each(ctx, s.reader, func(rows *sql.Rows) error {
				sub, err := scanSubscriber(rows.Scan)
				list = append(list, sub)
				return err
			}, `SELECT `+subscriberColumns+` FROM subscribers WHERE id > $1 ORDER BY id LIMIT $2`, last, page)
			if err != nil {
				yield(newsletter.Subscriber{}, fmt.Errorf("read subscribers: %w", err))
				return
			}
			for _, sub := range list {
				if !yield(sub, nil) {
					return
				}
				last = sub.ID
			}
			if len(list) < page {
				return
			}
		}
	}
}

// CountSubscribers counts the subscribers by status.
func (s *Store) CountSubscribers(ctx context.Context) (map[newsletter.SubscriberStatus]int, error) {
	counts := map[newsletter.SubscriberStatus]int{}
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		var st newsletter.SubscriberStatus
		var n int
		err := rows.Scan(&st, &n)
		counts[st] = n
		return err
	}, `SELECT status, count(*) FROM subscribers GROUP BY status`)
	if err != nil {
		return nil, fmt.Errorf("count subscribers: %w", err)
	}
	return counts, nil
}

// AddSubscribers inserts or completes subscribers in one transaction and tells
// for each what that changed. It never raises anybody from unsubscribed,
// bounced, complained or suppressed; one who is active or pending takes such a
// status over. A mailbox that is suppressed enters as suppressed.
func (s *Store) AddSubscribers(ctx context.Context, subs []newsletter.Subscriber) ([]newsletter.AddResult, error) {
	results := make([]newsletter.AddResult, len(subs))
	err := s.tx(ctx, func(tx *sql.Tx) error {
		add, err := prepareAdd(ctx, tx)
		if err != nil {
			return err
		}
		defer add.close()
		for i, sub := range subs {
			if results[i], err = add.subscriber(ctx, tx, sub); err != nil {
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

// adder holds the statement that most rows of an import need.
type adder struct{ insert *sql.Stmt }

func prepareAdd(ctx context.Context, tx *sql.Tx) (adder, error) {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO subscribers (key, email, name, status, status_at, tags, created_at)
		SELECT $1, $2, $3, CASE WHEN EXISTS (SELECT 1 FROM suppressions x WHERE x.key = $1) THEN 'suppressed' ELSE $4 END, $5, $6, $7
		WHERE TRUE ON CONFLICT (key) DO NOTHING`)
	return adder{insert}, err
}

func (a adder) close() { _ = a.insert.Close() } // its transaction is over

func (a adder) subscriber(ctx context.Context, tx *sql.Tx, sub newsletter.Subscriber) (newsletter.AddResult, error) {
	tags, err := encodeTags(sub.Tags)
	if err != nil {
		return "", err
	}
	created := sub.CreatedAt
	if created.IsZero() {
		created = time.Now()
	}
	res, err := a.insert.ExecContext(ctx, sub.Key, sub.Email, sub.Name, sub.Status, msNow(), tags, ms(created))
	if err != nil {
		return "", err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return newsletter.Added, err
	}
	return complete(ctx, tx, sub)
}

// complete fills in what is missing of a known subscriber.
func complete(ctx context.Context, tx *sql.Tx, sub newsletter.Subscriber) (newsletter.AddResult, error) {
	old, err := subscriber(ctx, tx, `key = $1`, sub.Key)
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
	if next.Name != old.Name || next.Status != old.Status || len(next.Tags) != len(old.Tags) {
		if err := updateSubscriber(ctx, tx, old, next, "imported"); err != nil {
			return "", err
		}
		if mailed {
			return newsletter.Completed, nil
		}
	}
	if !mailed {
		return newsletter.Kept, nil
	}
	return newsletter.Unchanged, nil
}

func updateSubscriber(ctx context.Context, tx *sql.Tx, old, next newsletter.Subscriber, reason string) error {
	tags, err := encodeTags(next.Tags)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE subscribers SET name = $2, tags = $3 WHERE id = $1`, old.ID, next.Name, tags)
	if err == nil && old.Status != next.Status {
		err = setStatus(ctx, tx, old.ID, next.Status, reason)
	}
	return err
}

func encodeTags(tags []string) (string, error) {
	if len(tags) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(tags)
	return string(b), err
}

// SetSubscriberStatus changes a subscriber's status; ErrNotFound where there
// is none. Suppressed leaves a suppression, which outlives the subscriber.
func (s *Store) SetSubscriberStatus(ctx context.Context, id int64, status newsletter.SubscriberStatus, reason string) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if status == newsletter.SubscriberSuppressed {
			_, err := tx.ExecContext(ctx, `INSERT INTO suppressions (key, reason, created_at)
				SELECT key, $2, $3 FROM subscribers WHERE id = $1 ON CONFLICT (key) DO NOTHING`, id, reason, msNow())
			if err != nil {
				return err
			}
		}
		return setStatus(ctx, tx, id, status, reason)
	})
	if err != nil {
		return fmt.Errorf("set subscriber %d to %s: %w", id, status, err)
	}
	return nil
}

func setStatus(ctx context.Context, tx *sql.Tx, id int64, status newsletter.SubscriberStatus, reason string) error {
	res, err := tx.ExecContext(ctx, `UPDATE subscribers SET status = $2, status_reason = $3, status_at = $4 WHERE id = $1`,
		id, status, reason, msNow())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, newsletter.ErrNotFound)
	}
	return nil
}
