package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// How far letters count: those of a day for anybody, those of a month for an
// address that refused mail or called it spam.
const (
	letterDay   = 24 * time.Hour
	letterMonth = 30 * letterDay
	// lettersAMonth bounds those to one address, who may be weary of them.
	lettersAMonth = 10
)

// SignUp keeps that somebody asked for the mail, and the letter that asks them
// whether it was them. Somebody new is pending; who is known stays as they are
// until they confirm. Whoever was removed, and an address to which enough
// letters went, get none. It returns the letter's kind, empty for none.
//
// The same statements run whoever it is, in one transaction, so that the time it
// takes does not tell who is on the list.
func (s *Store) SignUp(ctx context.Context, u newsletter.SignUp) (kind newsletter.LetterKind, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneAudience); err != nil {
			return err
		}
		reason, err := suppression(ctx, tx, u.Key)
		if err != nil {
			return err
		}
		removed := u.Silent || reason != "" && reason != bounced
		id, status, err := s.enterPending(ctx, tx, u, removed)
		if err != nil {
			return err
		}
		today, lately, month, err := lettersTo(ctx, tx, cmp.Or(id, nobody), u.At)
		if err != nil {
			return err
		}
		if kind = answerTo(status, removed || month >= lettersAMonth, lately); id != 0 && today >= u.PerDay {
			kind = ""
			return nil
		}
		if _, err := addLetter(ctx, tx, newsletter.Letter{Subscriber: id, Kind: kind, CreatedAt: u.At}); err != nil {
			return err
		}
		return addEvent(ctx, tx, newsletter.SubscriberEvent{
			Subscriber: id, At: u.At, Kind: newsletter.EventAsked, Form: u.Form, Network: u.Network, Text: u.Text,
		})
	})
	if err != nil {
		return "", fmt.Errorf("sign up: %w", err)
	}
	return kind, nil
}

// nobody has letters: those that stand for answers to who was removed are many,
// and to count them would take the longer the more there are.
const nobody = -1

// suppression is why a mailbox never gets mail, empty where it may.
func suppression(ctx context.Context, tx *sql.Tx, key string) (reason string, err error) {
	err = tx.QueryRowContext(ctx, `SELECT reason FROM suppressions WHERE key = $1`, key).Scan(&reason)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return reason, err
}

// enterPending returns whom a mailbox belongs to, somebody new where it was not
// there. Of somebody who was removed and is not on the list the id is 0: nothing
// is kept of them but that a number is taken, as by anybody else. Tokens hold
// numbers, so those of the next ones would tell.
func (s *Store) enterPending(ctx context.Context, tx *sql.Tx, u newsletter.SignUp, removed bool) (id int64, status newsletter.SubscriberStatus, err error) {
	tags, err := encodeTags(u.Tags)
	if err != nil {
		return 0, "", err
	}
	// Who is known is written as they are, which takes as long as somebody new.
	err = tx.QueryRowContext(ctx, `INSERT INTO subscribers (key, email, name, status, status_at, tags, created_at)
		SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), 'pending', CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($4 AS BIGINT)
		WHERE CAST($6 AS INTEGER) = 0 OR EXISTS (SELECT 1 FROM subscribers WHERE key = $1)
		ON CONFLICT (key) DO UPDATE SET status_at = subscribers.status_at RETURNING id, status`,
		u.Key, u.Email, plain(u.Name), ms(u.At), tags, number(removed)).Scan(&id, &status)
	if errors.Is(err, sql.ErrNoRows) {
		_, err = tx.ExecContext(ctx, s.skip)
		return 0, newsletter.SubscriberSuppressed, err
	}
	return id, status, err
}

// number is a truth as a parameter of either database.
func number(is bool) int {
	if is {
		return 1
	}
	return 0
}

// lettersTo counts what was written because of the form: of any kind today, and
// in a month those that asked, and those that went out.
func lettersTo(ctx context.Context, tx *sql.Tx, subscriber int64, at time.Time) (today, lately, month int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT coalesce(sum(CASE WHEN created_at > $2 THEN 1 ELSE 0 END), 0),
			coalesce(sum(CASE WHEN kind IN ('confirm', 'remind') THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN kind = 'silent' THEN 0 ELSE 1 END), 0)
		FROM letters WHERE subscriber = $1 AND kind IN ('confirm', 'remind', 'known', 'silent') AND created_at > $3`,
		subscriber, ms(at.Add(-letterDay)), ms(at.Add(-letterMonth))).Scan(&today, &lately, &month)
	return today, lately, month, err
}

// answerTo is the letter that answers the form, by who it is. To confirm is the
// word of the one who reads the mailbox, and so it is good for an address that
// refused mail or called it spam, too; but such a one is asked once in a month.
func answerTo(status newsletter.SubscriberStatus, never bool, lately int) newsletter.LetterKind {
	switch {
	case never:
		return newsletter.LetterSilent
	case status == newsletter.SubscriberActive:
		return newsletter.LetterKnown
	case status == newsletter.SubscriberPending, status == newsletter.SubscriberUnsubscribed, lately == 0:
		return newsletter.LetterConfirm
	}
	return newsletter.LetterSilent
}

// Confirm makes active who has confirmed, and returns them; it may be repeated.
// The error is newsletter.ErrNotFound where the letter is not there or too old,
// or where they left or were removed since.
func (s *Store) Confirm(ctx context.Context, c newsletter.Confirmation) (sub newsletter.Subscriber, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneAudience); err != nil {
			return err
		}
		if sub, err = asked(ctx, tx, c); err != nil || sub.Status == newsletter.SubscriberActive {
			return err
		}
		if err := setStatus(ctx, tx, sub.ID, newsletter.SubscriberActive, "confirmed"); err != nil {
			return err
		}
		sub.Status = newsletter.SubscriberActive
		return s.confirmed(ctx, tx, sub, c)
	})
	if err != nil {
		return newsletter.Subscriber{}, fmt.Errorf("confirm: %w", err)
	}
	return sub, nil
}

// confirmed does what follows from a confirmation, in its transaction.
func (s *Store) confirmed(ctx context.Context, tx *sql.Tx, sub newsletter.Subscriber, c newsletter.Confirmation) error {
	for _, statement := range []string{
		`UPDATE subscribers SET bounces = 0 WHERE id = $1`,
		`DELETE FROM suppressions WHERE reason = '` + bounced + `' AND key = (SELECT key FROM subscribers WHERE id = $1)`,
		`UPDATE letters SET next_at = NULL WHERE subscriber = $1 AND kind IN ('confirm', 'remind')`,
	} {
		if _, err := tx.ExecContext(ctx, statement, sub.ID); err != nil {
			return err
		}
	}
	if err := recall(ctx, tx, sub.Key); err != nil {
		return err
	}
	if err := s.welcome(ctx, tx, sub.ID, c.Welcome); err != nil {
		return err
	}
	return addEvent(ctx, tx, newsletter.SubscriberEvent{
		Subscriber: sub.ID, At: c.At, Kind: newsletter.EventConfirmed, Form: c.Form, Network: c.Network, Text: c.Text,
	})
}

// Asked returns the subscriber whom a letter asked, as long as Confirm would
// take their word.
func (s *Store) Asked(ctx context.Context, c newsletter.Confirmation) (newsletter.Subscriber, error) {
	var sub newsletter.Subscriber
	err := s.view(ctx, func(tx *sql.Tx) (err error) {
		sub, err = asked(ctx, tx, c)
		return err
	})
	if err != nil {
		return newsletter.Subscriber{}, fmt.Errorf("look who was asked: %w", err)
	}
	return sub, nil
}

func asked(ctx context.Context, tx *sql.Tx, c newsletter.Confirmation) (newsletter.Subscriber, error) {
	var there, left int
	err := tx.QueryRowContext(ctx, `SELECT count(*), coalesce(sum(CASE WHEN s.status NOT IN ('active', 'pending') AND s.status_at > l.created_at THEN 1 ELSE 0 END), 0)
		FROM letters l JOIN subscribers s ON s.id = l.subscriber
		WHERE l.subscriber = $1 AND l.created_at = $2 AND l.created_at > $3 AND l.kind IN ('confirm', 'remind')`,
		c.Subscriber, ms(c.Asked), ms(c.Since)).Scan(&there, &left)
	if err != nil {
		return newsletter.Subscriber{}, err
	}
	if there == 0 || left > 0 {
		return newsletter.Subscriber{}, newsletter.ErrNotFound
	}
	sub, err := subscriber(ctx, tx, `id = $1`, c.Subscriber)
	if err != nil {
		return sub, err
	}
	reason, err := suppression(ctx, tx, sub.Key)
	if err == nil && reason != "" && reason != bounced {
		err = newsletter.ErrNotFound
	}
	return sub, err
}
