package store

import (
	"context"
	"database/sql"
	"errors"
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

// TakeLetter returns the letter that is due the longest and keeps it from
// everybody for the time of the lease, after which it is due again: a letter
// whose sender died is sent once more. It is newsletter.ErrNotFound when none is
// due.
func (s *Store) TakeLetter(ctx context.Context, lease time.Duration) (l newsletter.Letter, err error) {
	now := time.Now()
	var due int
	// Mostly there is none, and a look does not disturb those who write.
	err = s.reader.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM letters WHERE next_at <= $1 LIMIT 1) d`, ms(now)).Scan(&due)
	if err == nil && due == 0 {
		return l, newsletter.ErrNotFound
	}
	if err == nil {
		err = s.tx(ctx, func(tx *sql.Tx) error {
			l, err = takeLetter(ctx, tx, now, lease)
			return err
		})
	}
	if err != nil && !errors.Is(err, newsletter.ErrNotFound) {
		return l, fmt.Errorf("take a letter: %w", err)
	}
	return l, err
}

func takeLetter(ctx context.Context, tx *sql.Tx, now time.Time, lease time.Duration) (l newsletter.Letter, err error) {
	var created sql.NullInt64
	err = tx.QueryRowContext(ctx, `UPDATE letters SET attempts = attempts + 1, next_at = $2
		WHERE id = (SELECT id FROM letters WHERE next_at <= $1 ORDER BY next_at, id LIMIT 1) AND next_at <= $1
		RETURNING id, subscriber, kind, email, created_at, attempts`, ms(now), ms(now.Add(lease))).
		Scan(&l.ID, &l.Subscriber, &l.Kind, &l.Email, &created, &l.Attempts)
	if errors.Is(err, sql.ErrNoRows) {
		return l, newsletter.ErrNotFound
	}
	l.CreatedAt = timeOf(created)
	return l, err
}

// WaitingLetters returns how many letters are to leave, and since when the
// oldest of them waits.
func (s *Store) WaitingLetters(ctx context.Context) (n int, oldest time.Time, err error) {
	var since sql.NullInt64
	err = s.reader.QueryRowContext(ctx, `SELECT count(*), min(created_at) FROM letters WHERE next_at IS NOT NULL AND sent_at IS NULL`).Scan(&n, &since)
	return n, timeOf(since), wrapped("count the letters that wait", err)
}

// LetterSent says that the relay took a letter.
func (s *Store) LetterSent(ctx context.Context, id int64) error {
	return s.endLetter(ctx, `UPDATE letters SET next_at = NULL, sent_at = $2, answer = '' WHERE id = $1`, id, ms(time.Now()))
}

// LetterOver says that a letter is not sent, and why.
func (s *Store) LetterOver(ctx context.Context, id int64, why string) error {
	return s.endLetter(ctx, `UPDATE letters SET next_at = NULL, answer = $2 WHERE id = $1`, id, plain(why))
}

// LetterLater puts off a letter; one that was not tried costs no attempt.
func (s *Store) LetterLater(ctx context.Context, id int64, at time.Time, why string, tried bool) error {
	return s.endLetter(ctx, `UPDATE letters SET next_at = $2, answer = $3, attempts = attempts - $4 WHERE id = $1`, id, ms(at), plain(why), number(!tried))
}

func (s *Store) endLetter(ctx context.Context, query string, args ...any) error {
	if _, err := s.exec(ctx, query, args...); err != nil {
		return fmt.Errorf("keep what became of letter %d: %w", args[0], err)
	}
	return nil
}

// Remind writes the one reminder to everybody who was asked before a time and
// has not confirmed, as long as the letter that asked is younger than since. It
// returns how many it wrote.
func (s *Store) Remind(ctx context.Context, before, since time.Time) (int64, error) {
	const who = `SELECT DISTINCT l.subscriber FROM letters l JOIN subscribers s ON s.id = l.subscriber
		WHERE l.kind = 'confirm' AND l.sent_at IS NOT NULL AND l.created_at <= $1 AND l.created_at > $2 AND s.status = 'pending'
			AND NOT EXISTS (SELECT 1 FROM letters o WHERE o.subscriber = s.id AND (o.kind = 'remind' OR o.kind = 'confirm' AND o.created_at > $1))`
	var some int
	err := s.reader.QueryRowContext(ctx, `SELECT count(*) FROM (`+who+`) w`, ms(before), ms(since)).Scan(&some)
	if err != nil || some == 0 {
		return 0, wrapped("look who is to be reminded", err)
	}
	var n int64
	err = s.tx(ctx, func(tx *sql.Tx) error {
		// Two may look after this while one takes over from the other.
		if err := s.alone(ctx, tx, aloneAudience); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO letters (subscriber, kind, created_at, next_at)
			SELECT w.subscriber, 'remind', CAST($3 AS BIGINT), CAST($3 AS BIGINT) FROM (`+who+`) w`, ms(before), ms(since), msNow())
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	return n, wrapped("write reminders", err)
}

// wrapped says what was tried, where that went wrong.
func wrapped(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// forgetAtOnce bounds how many are forgotten in one transaction.
const forgetAtOnce = 200

// ForgetPending deletes those who were asked before a time and never answered,
// with all that is known of them, and letters that nobody needs any more. It
// returns how many people it forgot; more may be left.
func (s *Store) ForgetPending(ctx context.Context, before time.Time) (forgot int64, err error) {
	const who = `SELECT DISTINCT l.subscriber FROM letters l JOIN subscribers s ON s.id = l.subscriber
		WHERE l.kind = 'confirm' AND l.created_at <= $1 AND s.status = 'pending'
			AND NOT EXISTS (SELECT 1 FROM letters o WHERE o.subscriber = s.id AND o.kind IN ('confirm', 'remind') AND o.created_at > $1)`
	const old = `created_at <= $1 AND next_at IS NULL OR kind = 'silent' AND created_at <= $2`
	var some int
	month, day := time.Now().Add(-letterMonth), time.Now().Add(-letterDay)
	err = s.reader.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM (`+who+`) w) + (SELECT count(*) FROM letters WHERE created_at <= $2 AND next_at IS NULL OR kind = 'silent' AND created_at <= $3)`,
		ms(before), ms(month), ms(day)).Scan(&some)
	if err != nil || some == 0 {
		return 0, wrapped("look who did not confirm", err)
	}
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneAudience); err != nil {
			return err
		}
		forgot, err = forgetWhere(ctx, tx, fmt.Sprintf(`%s ORDER BY 1 LIMIT %d`, who, forgetAtOnce), ms(before))
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM letters WHERE `+old, ms(month), ms(day)); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM subscriber_events WHERE subscriber = 0 AND at <= $1`, ms(day))
		return err
	})
	return forgot, wrapped("forget who did not confirm", err)
}

// forgetWhere deletes the subscribers that a query names, who never got an
// issue, and all that is kept of them.
func forgetWhere(ctx context.Context, tx *sql.Tx, who string, arg any) (int64, error) {
	var ids []int64
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, who, arg)
	for _, id := range ids {
		for _, table := range []string{"letters WHERE subscriber", "subscriber_events WHERE subscriber", "reports WHERE subscriber", "subscribers WHERE id"} {
			if err == nil {
				_, err = tx.ExecContext(ctx, `DELETE FROM `+table+` = $1`, id)
			}
		}
	}
	return int64(len(ids)), err
}
