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

// The reasons why an issue goes to nobody else.
var (
	// ErrFolded says that of an issue only counts are left: who had it is not
	// known any more.
	ErrFolded = errors.New("its deliveries are kept as counts only")
	// ErrNotMailed says that an issue was published without a mail.
	ErrNotMailed = errors.New("nothing of it went out by mail")
)

// SendIssue gives an issue, as it went out, to subscribers who had none of it, in
// one batch, and opens it again. Those who do not get mail are left out, and so
// is whoever has a delivery of it, however that ended. ErrWithdrawn, ErrFolded
// or ErrNotMailed where the issue goes to nobody any more.
func (s *Store) SendIssue(ctx context.Context, issue int64, subscribers ...int64) (added int, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneThreads); err != nil { // nobody withdraws it meanwhile
			return err
		}
		added, err = s.sendIssue(ctx, tx, issue, subscribers)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("send issue %d: %w", issue, err)
	}
	return added, nil
}

func (s *Store) sendIssue(ctx context.Context, tx *sql.Tx, issue int64, subscribers []int64) (added int, err error) {
	// Whoever is about to finish it waits, and sees the new batch.
	if err := s.lockRow(ctx, tx, `SELECT number FROM issues WHERE number = $1`, issue); err != nil {
		return 0, err
	}
	if err := mayGo(ctx, tx, issue); err != nil {
		return 0, err
	}
	list, err := json.Marshal(subscribers)
	if err != nil {
		return 0, err
	}
	var batch int64
	if err := tx.QueryRowContext(ctx, `INSERT INTO batches (issue, size) VALUES ($1, 0) RETURNING id`, issue).Scan(&batch); err != nil {
		return 0, err
	}
	// They have as much time as if it were published now.
	res, err := tx.ExecContext(ctx, `INSERT INTO deliveries (issue, subscriber, batch, retried_at)
		SELECT $1, id, $2, CAST($4 AS BIGINT) FROM subscribers WHERE`+s.mailed()+` AND id IN (SELECT CAST(t.value AS BIGINT) FROM `+fmt.Sprintf(s.elements, "$3")+`)
		ORDER BY id ON CONFLICT (issue, subscriber) DO NOTHING`, issue, batch, string(list), msNow())
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		_, err = tx.ExecContext(ctx, `DELETE FROM batches WHERE id = $1`, batch)
		return 0, err
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE batches SET size = $2 WHERE id = $1`, batch, n)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE issues SET recipients = recipients + $2, finished_at = NULL WHERE number = $1`, issue, n)
	}
	return int(n), err
}

// mayGo is an error where an issue goes to nobody any more.
func mayGo(ctx context.Context, q queryer, issue int64) error {
	var mailed, folded bool
	err := q.QueryRowContext(ctx, `SELECT length(message) > 0, folded_at IS NOT NULL FROM issues WHERE number = $1`, issue).Scan(&mailed, &folded)
	switch withdrawn, werr := isWithdrawn(ctx, q, issue); {
	case errors.Is(err, sql.ErrNoRows):
		return newsletter.ErrNotFound
	case err != nil || werr != nil:
		return errors.Join(err, werr)
	case withdrawn:
		return ErrWithdrawn
	case folded:
		return ErrFolded
	case !mailed:
		return ErrNotMailed
	}
	return nil
}

// missedBy is the condition that subscribers have no delivery of an issue.
const missedBy = ` AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.issue = $1 AND d.subscriber = subscribers.id)`

// Missed returns the subscribers who would get an issue if it were published now,
// and have no delivery of it: those who came later, above all. The errors are
// those of SendIssue.
func (s *Store) Missed(ctx context.Context, issue int64) (list []int64, err error) {
	err = s.view(ctx, func(tx *sql.Tx) error {
		if err := mayGo(ctx, tx, issue); err != nil {
			return err
		}
		where, args, err := s.circleNow(ctx, tx, issue, 2)
		if err == nil {
			list, err = ids(ctx, tx, `SELECT id FROM subscribers WHERE`+where+missedBy+` ORDER BY id`, append([]any{issue}, args...)...)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read who has not got issue %d: %w", issue, err)
	}
	return list, nil
}

// circleNow is the condition on subscribers who are in an issue's circle now, and
// its values, which stand from $n on.
func (s *Store) circleNow(ctx context.Context, q queryer, issue int64, n int) (where string, args []any, err error) {
	var row IssueRow
	var segment, topics string
	err = q.QueryRowContext(ctx, `SELECT segment, topics, month FROM issues WHERE number = $1`, issue).Scan(&segment, &topics, &row.Month)
	if err == nil {
		err = readCircle(&row, segment, topics, "")
	}
	if err != nil {
		return "", nil, err
	}
	who, err := s.circleOf(ctx, q, row.Circle, time.Now())
	if err != nil {
		return "", nil, err
	}
	where, args = who.where(n)
	return where, args, nil
}

// SendMissed sends an issue to all who missed it, in batches of the given size,
// and returns how many they are. When it is cut off it may be called again.
func (s *Store) SendMissed(ctx context.Context, issue int64, batch int) (added int, err error) {
	list, err := s.Missed(ctx, issue)
	for chunk := range slices.Chunk(list, batch) {
		if err != nil {
			break
		}
		var n int
		n, err = s.SendIssue(ctx, issue, chunk...)
		added += n
	}
	return added, err
}

// lately bounds how far back the newest issue is looked for that is for somebody.
const lately = 10

// latest are the newest issues that may go to more people, the newest first.
const latest = `SELECT number FROM issues WHERE length(message) > 0 AND month = '' AND folded_at IS NULL
	AND NOT EXISTS (SELECT 1 FROM issue_holds h WHERE h.issue = number AND h.withdrawn) ORDER BY number DESC LIMIT $1`

// LatestIssue is the number of the newest issue that went out by mail and is not
// withdrawn; 0 where there is none.
func (s *Store) LatestIssue(ctx context.Context) (int64, error) {
	list, err := ids(ctx, s.reader, latest, 1)
	if err != nil {
		return 0, fmt.Errorf("read the latest issue: %w", err)
	}
	if len(list) == 0 {
		return 0, nil
	}
	return list[0], nil
}

// WelcomeLatest stands for the latest issue where a thread could be named.
const WelcomeLatest = "latest"

// welcome gives somebody who has just come onto the list the latest issue that is
// for them, or that of a thread, as it went out; nothing for an empty choice, or
// where the thread has not gone out by mail. The caller may be alone with the
// audience, and with nothing else.
func (s *Store) welcome(ctx context.Context, tx *sql.Tx, subscriber int64, choice string) error {
	var list []int64
	var err error
	if choice == "" {
		return nil
	}
	if err := s.alone(ctx, tx, aloneThreads); err != nil { // nobody withdraws an issue meanwhile
		return err
	}
	switch choice {
	case WelcomeLatest:
		list, err = ids(ctx, tx, latest, lately)
	default:
		list, err = ids(ctx, tx, `SELECT issue FROM issue_threads WHERE thread = $1`, choice)
	}
	if err != nil {
		return fmt.Errorf("choose an issue to welcome somebody with: %w", err)
	}
	for _, issue := range list {
		fits, err := s.welcomes(ctx, tx, issue, subscriber)
		if err != nil {
			return err
		}
		if fits {
			_, err := s.sendIssue(ctx, tx, issue, []int64{subscriber})
			return err
		}
	}
	return nil
}

// welcomes tells whether an issue may go to a newcomer.
func (s *Store) welcomes(ctx context.Context, tx *sql.Tx, issue, subscriber int64) (bool, error) {
	switch err := mayGo(ctx, tx, issue); {
	case errors.Is(err, ErrWithdrawn), errors.Is(err, ErrFolded), errors.Is(err, ErrNotMailed):
		return false, nil
	case err != nil:
		return false, err
	}
	where, args, err := s.circleNow(ctx, tx, issue, 2)
	if err != nil {
		return false, err
	}
	var n int
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM subscribers WHERE id = $1 AND`+where, append([]any{subscriber}, args...)...).Scan(&n)
	return n > 0, err
}
