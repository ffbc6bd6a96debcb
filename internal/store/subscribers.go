package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

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

// lockSubscriber keeps others from changing a subscriber until the transaction
// ends, and tells whether there is one.
func (s *Store) lockSubscriber(ctx context.Context, tx *sql.Tx, id int64) (there bool, err error) {
	list, err := ids(ctx, tx, `SELECT id FROM subscribers WHERE id = $1`+s.forUpdate, id)
	return len(list) > 0, err
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

// Suppress keeps a mailbox from ever getting mail, whoever adds it again, and
// tells whether it was on the list.
func (s *Store) Suppress(ctx context.Context, key, reason string) (known bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		known = false
		if err := s.alone(ctx, tx, aloneAudience); err != nil {
			return err
		}
		if hidden, err := isForgotten(ctx, tx, key); err != nil || hidden {
			return err
		}
		if err := suppress(ctx, tx, key, reason); err != nil {
			return err
		}
		sub, err := subscriber(ctx, tx, `key = $1`, key)
		if errors.Is(err, newsletter.ErrNotFound) {
			return nil
		}
		known = true
		if err != nil || sub.Status == newsletter.SubscriberSuppressed {
			return err
		}
		if err := setStatus(ctx, tx, sub.ID, newsletter.SubscriberSuppressed, reason); err != nil {
			return err
		}
		return addEvent(ctx, tx, newsletter.SubscriberEvent{Subscriber: sub.ID, Kind: newsletter.EventSuppressed, Text: reason})
	})
	if err != nil {
		return false, fmt.Errorf("suppress a mailbox: %w", err)
	}
	return known, nil
}

// suppress takes the place of a suppression that a bounce left, which can be
// lifted.
func suppress(ctx context.Context, tx *sql.Tx, key, reason string) error {
	return suppressAt(ctx, tx, key, reason, msNow())
}

func suppressAt(ctx context.Context, tx *sql.Tx, key, reason string, at int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO suppressions (key, reason, created_at) VALUES ($1, $2, $3)
		ON CONFLICT (key) DO UPDATE SET reason = excluded.reason, created_at = excluded.created_at
		WHERE suppressions.reason = '`+bounced+`'`, key, reason, at)
	return err
}

// LiftBounce makes a mailbox active again that is off the list because of a
// bounce, and tells whether it was. Who left, complained or was removed stays
// away.
func (s *Store) LiftBounce(ctx context.Context, key string) (lifted bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE subscribers SET status = 'active', status_reason = $2, status_at = $3, bounces = 0
			WHERE key = $1 AND (status = 'bounced' OR status = 'suppressed'
				AND EXISTS (SELECT 1 FROM suppressions x WHERE x.key = $1 AND x.reason = '`+bounced+`'))`,
			key, "bounce lifted by the operator", msNow())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if lifted = n > 0; err != nil || !lifted {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM suppressions WHERE key = $1 AND reason = '`+bounced+`'`, key)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("lift a bounce: %w", err)
	}
	return lifted, nil
}

// SetSubscriberStatus changes a subscriber's status; ErrNotFound where there
// is none. Suppressed leaves a suppression, which outlives the subscriber.
func (s *Store) SetSubscriberStatus(ctx context.Context, id int64, status newsletter.SubscriberStatus, reason string) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if status == newsletter.SubscriberSuppressed {
			if err := s.alone(ctx, tx, aloneAudience); err != nil {
				return err
			}
			sub, err := subscriber(ctx, tx, `id = $1`, id)
			if err == nil {
				err = suppress(ctx, tx, sub.Key, reason)
			}
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
