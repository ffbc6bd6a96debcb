package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// AddLetter keeps a letter to be sent at its NextAt, at once where that is
// not set, and returns its id.
func (s *Store) AddLetter(ctx context.Context, l newsletter.Letter) (id int64, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		id, err = addLetter(ctx, tx, l)
		return err
	})
	return id, err
}

func addLetter(ctx context.Context, tx *sql.Tx, l newsletter.Letter) (id int64, err error) {
	if l.CreatedAt.IsZero() {
		l.CreatedAt = time.Now()
	}
	if l.NextAt.IsZero() && l.Kind != newsletter.LetterSilent {
		l.NextAt = l.CreatedAt
	}
	err = tx.QueryRowContext(ctx, `INSERT INTO letters (subscriber, kind, email, created_at, next_at)
		VALUES ($1, $2, $3, $4, $5) RETURNING id`, l.Subscriber, l.Kind, l.Email, ms(l.CreatedAt), msOrNull(l.NextAt)).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("keep a letter (%s): %w", l.Kind, err)
	}
	return id, nil
}
