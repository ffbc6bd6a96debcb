package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"threadmill/internal/newsletter"
)

// KeyForgotten hides the mailboxes of those who were forgotten. It never
// rotates: what it hid cannot be hidden anew.
const KeyForgotten = "forgotten"

// forgotten is the reason of the suppression that is left of them.
const forgotten = "forgotten"

// veil hides mailboxes as suppressions keep them of those who were forgotten.
// The zero value hides none: nobody was forgotten yet.
type veil []byte

// veiled reads the veil.
func veiled(ctx context.Context, q queryer) (v veil, err error) {
	err = q.QueryRowContext(ctx, `SELECT secret FROM keys WHERE purpose = $1 ORDER BY id LIMIT 1`, KeyForgotten).Scan((*[]byte)(&v))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the %s key: %w", KeyForgotten, err)
	}
	return v, nil
}

// hide returns what stands for a mailbox; empty where nobody is hidden. It
// cannot be the key of a mailbox, which holds an @.
func (v veil) hide(key string) string {
	if len(v) == 0 {
		return ""
	}
	h := hmac.New(sha256.New, v)
	h.Write([]byte(key))
	return "hmac:" + hex.EncodeToString(h.Sum(nil))
}

// newVeil reads the veil and makes it where there is none.
func (s *Store) newVeil(ctx context.Context, tx *sql.Tx) (veil, error) {
	if err := s.alone(ctx, tx, aloneKeys); err != nil {
		return nil, err
	}
	v, err := veiled(ctx, tx)
	if err != nil || v != nil {
		return v, err
	}
	v = make(veil, 32)
	_, _ = rand.Read(v) // never fails
	_, err = tx.ExecContext(ctx, `INSERT INTO keys (purpose, secret, created_at) VALUES ($1, $2, $3)`, KeyForgotten, []byte(v), msNow())
	if err != nil {
		return nil, fmt.Errorf("create the %s key: %w", KeyForgotten, err)
	}
	return v, nil
}

// Forgotten tells whether a mailbox is that of somebody who was forgotten. They
// may only come back by their own will; see Recall.
func (s *Store) Forgotten(ctx context.Context, key string) (bool, error) {
	return isForgotten(ctx, s.reader, key)
}

func isForgotten(ctx context.Context, q queryer, key string) (yes bool, err error) {
	v, err := veiled(ctx, q)
	if err != nil || v == nil {
		return false, err
	}
	err = q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM suppressions WHERE key = $1)`, v.hide(key)).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("look for a mailbox that was forgotten: %w", err)
	}
	return yes, nil
}

// lookAtOnce bounds how many mailboxes one statement asks for.
const lookAtOnce = 250

// forgottenAmong returns the keys of those who were forgotten. While that is
// nobody, it costs one look whoever is asked for.
func forgottenAmong(ctx context.Context, q queryer, subs []newsletter.Subscriber) (map[string]bool, error) {
	v, err := veiled(ctx, q)
	if err != nil || v == nil {
		return nil, err
	}
	keys := map[string]string{} // by what hides them
	found := map[string]bool{}
	for part := range slices.Chunk(subs, lookAtOnce) {
		clear(keys)
		var in strings.Builder
		var args []any
		for _, sub := range part {
			hidden := v.hide(sub.Key)
			keys[hidden] = sub.Key
			args = append(args, hidden)
			fmt.Fprintf(&in, ", $%d", len(args))
		}
		err := each(ctx, q, func(rows *sql.Rows) error {
			var hidden string
			err := rows.Scan(&hidden)
			found[keys[hidden]] = true
			return err
		}, `SELECT key FROM suppressions WHERE key IN (`+in.String()[2:]+`)`, args...)
		if err != nil {
			return nil, fmt.Errorf("look who was forgotten: %w", err)
		}
	}
	return found, nil
}

// Recall lets mail go again to a mailbox that was forgotten, whose owner said so
// in answer to a mail to it.
func (s *Store) Recall(ctx context.Context, key string) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return recall(ctx, tx, key) })
}

func recall(ctx context.Context, tx *sql.Tx, key string) error {
	v, err := veiled(ctx, tx)
	if err == nil && v != nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM suppressions WHERE key = $1`, v.hide(key))
	}
	return err
}

// Forget erases a person, and tells whether they were on the list. The rows of
// their deliveries and reports stay as counts, without a word about anybody;
// nothing that is pending is sent any more. Of the mailbox a keyed hash is left,
// so that nobody but its owner puts it on the list again.
func (s *Store) Forget(ctx context.Context, key, email string) (known bool, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if s.erase != "" {
			if _, err := tx.ExecContext(ctx, s.erase); err != nil {
				return err
			}
		}
		v, err := s.newVeil(ctx, tx)
		if err != nil {
			return err
		}
		if err := s.alone(ctx, tx, aloneAudience); err != nil {
			return err
		}
		sub, err := subscriber(ctx, tx, `key = $1`, key)
		known = err == nil
		if err != nil && !errors.Is(err, newsletter.ErrNotFound) {
			return err
		}
		if known {
			err = eraseRows(ctx, tx, sub)
		} else {
			err = eraseText(ctx, tx, email)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM suppressions WHERE key = $1`, key); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO suppressions (key, reason, created_at) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING`,
			v.hide(key), forgotten, msNow())
		return err
	})
	if err == nil && s.shrink != "" { // what was erased also stands in the log before it
		_ = each(ctx, s.writer, func(*sql.Rows) error { return nil }, s.shrink) // may be in use; it is written over in time
	}
	if err != nil {
		return false, fmt.Errorf("forget a mailbox: %w", err)
	}
	return known, nil
}

// eraseRows deletes what is kept of a subscriber. That somebody was erased is
// the last step of a history without a person.
func eraseRows(ctx context.Context, tx *sql.Tx, sub newsletter.Subscriber) error {
	for _, statement := range []string{
		`UPDATE deliveries AS d SET answer = '' WHERE` + ofSubscriber,
		`UPDATE reports SET text = '' WHERE subscriber = $1`,
		`DELETE FROM subscriber_events WHERE subscriber = $1`,
		`DELETE FROM letters WHERE subscriber = $1`,
		`DELETE FROM subscribers WHERE id = $1`,
	} {
		if _, err := tx.ExecContext(ctx, statement, sub.ID); err != nil {
			return err
		}
	}
	if err := eraseText(ctx, tx, sub.Email); err != nil {
		return err
	}
	return addEvent(ctx, tx, newsletter.SubscriberEvent{Subscriber: sub.ID, Kind: newsletter.EventErased})
}

// eraseText takes an address out of what was not about its owner alone: answers
// of servers that led to a hold or a warning, and letters of others to it.
func eraseText(ctx context.Context, tx *sql.Tx, email string) error {
	if email == "" {
		return nil
	}
	for _, statement := range []string{
		`DELETE FROM letters WHERE email = $1`,
		`UPDATE holds SET reason = replace(reason, $1, '…') WHERE reason LIKE '%@%'`,
		`UPDATE issue_holds SET fault = replace(fault, $1, '…') WHERE fault LIKE '%@%'`,
		`UPDATE warnings SET text = replace(text, $1, '…') WHERE text LIKE '%@%'`,
	} {
		if _, err := tx.ExecContext(ctx, statement, email); err != nil {
			return err
		}
	}
	return nil
}
