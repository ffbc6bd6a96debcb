package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// AskMove keeps the letter that asks whether a subscriber wants to move to
// another address, unless that is somebody else's, gets no mail, or as many were
// asked for since a time as there may be. Whoever asks does not learn which.
func (s *Store) AskMove(ctx context.Context, id int64, email, key string, since time.Time, most int) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		var asked int
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM letters WHERE kind IN ('move', 'silent') AND created_at > $2 AND (subscriber = $1 OR lower(email) = $3)`,
			id, ms(since), key).Scan(&asked)
		if err != nil || asked >= most {
			return err
		}
		l := newsletter.Letter{Subscriber: id, Kind: newsletter.LetterMove, Email: email}
		if err := mayMove(ctx, tx, key); errors.Is(err, newsletter.ErrAddressTaken) {
			l.Kind, l.Email = newsletter.LetterSilent, "" // takes as long
		} else if err != nil {
			return err
		}
		_, err = addLetter(ctx, tx, l)
		return err
	})
	if err != nil {
		return fmt.Errorf("ask subscriber %d about another address: %w", id, err)
	}
	return nil
}

// mayMove is ErrAddressTaken where a mailbox is on the list or gets no mail.
func mayMove(ctx context.Context, tx *sql.Tx, key string) error {
	var taken bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM subscribers WHERE key = $1) OR EXISTS (SELECT 1 FROM suppressions WHERE key = $1)`, key).
		Scan(&taken)
	if err == nil && !taken {
		taken, err = isForgotten(ctx, tx, key)
	}
	if err == nil && taken {
		err = newsletter.ErrAddressTaken
	}
	return err
}

// MoveLetter returns the last letter that asked a subscriber about another
// address; ErrNotFound where it is not the one with an id.
func (s *Store) MoveLetter(ctx context.Context, subscriber, id int64) (newsletter.Letter, error) {
	l := newsletter.Letter{ID: id, Subscriber: subscriber, Kind: newsletter.LetterMove}
	var created sql.NullInt64
	err := s.reader.QueryRowContext(ctx, `SELECT email, created_at FROM letters WHERE id = $1
		AND id = (SELECT max(id) FROM letters WHERE subscriber = $2 AND kind = $3)`, id, subscriber, l.Kind).Scan(&l.Email, &created)
	if errors.Is(err, sql.ErrNoRows) {
		err = newsletter.ErrNotFound
	}
	if err != nil {
		return newsletter.Letter{}, fmt.Errorf("read letter %d: %w", id, err)
	}
	l.CreatedAt = timeOf(created)
	return l, nil
}

// MoveSubscriber gives a subscriber another address, whose owner confirmed it, and writes
// e into their history. Whoever bounced gets mail again. ErrAddressTaken where
// another subscriber has the mailbox or it gets no mail; ErrNotFound where there
// is no such subscriber.
func (s *Store) MoveSubscriber(ctx context.Context, id int64, email, key string, e newsletter.SubscriberEvent) error {
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneAudience); err != nil {
			return err
		}
		old, err := subscriber(ctx, tx, `id = $1`, id)
		if err != nil {
			return err
		}
		if old.Key != key {
			if err := mayMove(ctx, tx, key); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE subscribers SET email = $2, key = $3, bounces = 0,
			status = CASE WHEN status = 'bounced' THEN 'active' ELSE status END WHERE id = $1`, id, email, key)
		if err != nil || old.Email == email {
			return err
		}
		if old.Key != key && old.Status == newsletter.SubscriberActive { // in case that it was somebody else
			if _, err := addLetter(ctx, tx, newsletter.Letter{Subscriber: id, Kind: newsletter.LetterMoved, Email: old.Email}); err != nil {
				return err
			}
		}
		e.Subscriber = id
		return addEvent(ctx, tx, e)
	})
	if err != nil {
		return fmt.Errorf("move subscriber %d: %w", id, err)
	}
	return nil
}
