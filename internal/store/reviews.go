package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

const reviewColumns = `SELECT due_at, slot, title, threads, mailed_at, answer, done_at IS NOT NULL FROM reviews`

// Review returns what the author was told of the slot at a time; ErrNotFound
// where that was nothing.
func (s *Store) Review(ctx context.Context, due time.Time) (newsletter.Review, error) {
	list, err := s.reviews(ctx, reviewColumns+` WHERE due_at = $1`, ms(due))
	if err == nil && len(list) == 0 {
		err = newsletter.ErrNotFound
	}
	if err != nil {
		return newsletter.Review{}, fmt.Errorf("read the review of a slot: %w", err)
	}
	return list[0], nil
}

// AnsweredReviews returns those whose answer was not carried out to its end.
func (s *Store) AnsweredReviews(ctx context.Context) ([]newsletter.Review, error) {
	list, err := s.reviews(ctx, reviewColumns+` WHERE answer <> '' AND done_at IS NULL ORDER BY due_at`)
	return list, wrapped("read the answers to reviews", err)
}

func (s *Store) reviews(ctx context.Context, query string, args ...any) (list []newsletter.Review, err error) {
	err = each(ctx, s.reader, func(rows *sql.Rows) error {
		var r newsletter.Review
		var due, mailed sql.NullInt64
		var threads string
		err := rows.Scan(&due, &r.Key, &r.Title, &threads, &mailed, &r.Answer, &r.Done)
		if err == nil {
			err = json.Unmarshal([]byte(threads), &r.Threads)
		}
		r.Due, r.MailedAt = timeOf(due), timeOf(mailed)
		list = append(list, r)
		return err
	}, query, args...)
	return list, err
}

// KeepReview notes what the author was told of a slot; an answer stays.
func (s *Store) KeepReview(ctx context.Context, r newsletter.Review) error {
	threads, err := json.Marshal(r.Threads)
	if err == nil {
		_, err = s.exec(ctx, `INSERT INTO reviews (due_at, slot, title, threads, mailed_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (due_at) DO UPDATE SET title = excluded.title, threads = excluded.threads, mailed_at = excluded.mailed_at`,
			ms(r.Due), r.Key, plain(r.Title), string(threads), ms(r.MailedAt))
	}
	return wrapped("keep the review of a slot", err)
}

// AnswerReview notes the one answer to a review. It is ErrTaken when there is
// one already, and ErrNotFound when there is no such review.
func (s *Store) AnswerReview(ctx context.Context, due time.Time, answer newsletter.ReviewAnswer) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		var earlier string
		err := tx.QueryRowContext(ctx, `UPDATE reviews SET answer = $2, answered_at = $3 WHERE due_at = $1 AND answer = '' RETURNING answer`,
			ms(due), answer, msNow()).Scan(&earlier)
		if !errors.Is(err, sql.ErrNoRows) {
			return wrapped("keep the answer to a review", err)
		}
		err = tx.QueryRowContext(ctx, `SELECT answer FROM reviews WHERE due_at = $1`, ms(due)).Scan(&earlier)
		if errors.Is(err, sql.ErrNoRows) {
			return newsletter.ErrNotFound
		}
		if err == nil {
			err = newsletter.ErrTaken
		}
		return err
	})
}

// ReviewDone says that the answer to a review was carried out.
func (s *Store) ReviewDone(ctx context.Context, due time.Time) error {
	_, err := s.exec(ctx, `UPDATE reviews SET done_at = $2 WHERE due_at = $1`, ms(due), msNow())
	return wrapped("keep that a review was done", err)
}

// LeftBy counts those who unsubscribed by the mail of an issue.
func (s *Store) LeftBy(ctx context.Context, issue int64) (n int, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT count(DISTINCT subscriber) FROM subscriber_events WHERE issue = $1 AND kind = $2`,
		issue, newsletter.EventUnsubscribed).Scan(&n)
	return n, wrapped("count who unsubscribed", err)
}
