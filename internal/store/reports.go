package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// SuppressAfter sets how many issues in a row have to come back from a full or
// silent mailbox until it gets no more; 0 for never, as it is before the call.
func (s *Store) SuppressAfter(issues int) { s.suppressAfter.Store(int64(issues)) }

// TakeReport keeps a report and does what it asks for, in one transaction: who
// complained or has no such address gets no mail from then on, nor what is
// pending. One that was told before, or is about somebody who was forgotten,
// changes nothing. The id is ignored.
func (s *Store) TakeReport(ctx context.Context, r newsletter.Report) (outcome newsletter.ReportOutcome, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		outcome, err = s.takeReport(ctx, tx, r)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("take in a %s about subscriber %d: %w", r.Kind, r.Subscriber, err)
	}
	return outcome, nil
}

func (s *Store) takeReport(ctx context.Context, tx *sql.Tx, r newsletter.Report) (newsletter.ReportOutcome, error) {
	// Two reports about one delivery may come at once, and count once.
	if there, err := s.lockSubscriber(ctx, tx, r.Subscriber); err != nil || !there {
		return newsletter.ReportIgnored, err
	}
	// Before the row is there, which would count as an earlier one.
	missed, err := missed(ctx, tx, r.Subscriber, r.Issue)
	if err != nil {
		return "", err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO reports (digest, at, subscriber, issue, kind, class, source, status, text)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (digest) DO NOTHING`,
		r.Digest, ms(r.At), r.Subscriber, sql.NullInt64{Int64: r.Issue, Valid: r.Issue > 0}, r.Kind, r.Class, r.Source, r.Status, plain(r.Text))
	if err != nil {
		return "", err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return newsletter.ReportTwice, err
	}
	if r.Kind == newsletter.ReportComplaint {
		return newsletter.ReportComplained, complain(ctx, tx, r)
	}
	if r.Kind != newsletter.ReportBounce {
		return newsletter.ReportNoted, nil
	}
	return s.takeBounce(ctx, tx, r, missed)
}

// takeBounce does what a bounce asks for; missed tells whether it is counted
// already that its issue did not arrive.
func (s *Store) takeBounce(ctx context.Context, tx *sql.Tx, r newsletter.Report, missed bool) (newsletter.ReportOutcome, error) {
	moved, err := movedSince(ctx, tx, r.Subscriber, r.Issue, r.At)
	switch {
	case err != nil || moved:
		return newsletter.ReportNoted, err
	case r.Class == newsletter.BounceDead:
		return newsletter.ReportBounced, drop(ctx, tx, r.Subscriber, r.Issue, r.Text)
	case missed || r.Class != newsletter.BounceFull && r.Class != newsletter.BounceSoft:
		return newsletter.ReportNoted, nil
	}
	off, err := s.count(ctx, tx, r.Subscriber, r.Issue, r.Text)
	if off {
		return newsletter.ReportBounced, err
	}
	return newsletter.ReportCounted, err
}

// complain takes whoever complained off the list.
func complain(ctx context.Context, tx *sql.Tx, r newsletter.Report) error {
	_, err := tx.ExecContext(ctx, `UPDATE subscribers SET status = 'complained', status_reason = $2, status_at = $3
		WHERE id = $1 AND status IN ('active', 'pending')`, r.Subscriber, "complaint by "+r.Source, msNow())
	if err != nil {
		return err
	}
	return addEvent(ctx, tx, newsletter.SubscriberEvent{Subscriber: r.Subscriber, At: r.At, Kind: newsletter.EventComplained, Issue: r.Issue, Text: r.Text})
}

// How long before the mark of a message its address was read, and before a
// report a message of which nothing is known left, at most.
const (
	readBefore = time.Hour
	sentBefore = 7 * 24 * time.Hour
)

// movedSince tells whether an issue, of which was heard at a time, may have gone
// to an address that the subscriber has left: that it is none says nothing about
// the one they have now.
func movedSince(ctx context.Context, tx *sql.Tx, subscriber, issue int64, heard time.Time) (moved bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM subscriber_events e WHERE e.subscriber = $1 AND e.kind = 'moved'
			AND e.at > coalesce((SELECT d.first_at FROM deliveries d WHERE d.issue = $2 AND d.subscriber = $1) - CAST($3 AS BIGINT), $4))`,
		subscriber, issue, readBefore.Milliseconds(), ms(heard.Add(-sentBefore))).Scan(&moved)
	return moved, err
}

// drop takes an address that is none off the list, with a suppression that can
// be lifted. Who left by themselves stays as they are.
func drop(ctx context.Context, tx *sql.Tx, subscriber, issue int64, words string) error {
	const of = ` WHERE status IN ('active', 'pending') AND id = $1`
	_, err := tx.ExecContext(ctx, `INSERT INTO suppressions (key, reason, created_at)
		SELECT key, $2, $3 FROM subscribers`+of+` ON CONFLICT (key) DO NOTHING`, subscriber, bounced, msNow())
	if err != nil {
		return err
	}
	res, err := tx.ExecContext(ctx, `UPDATE subscribers SET status = 'bounced', status_reason = $2, status_at = $3`+of, subscriber, plain(words), msNow())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return addEvent(ctx, tx, newsletter.SubscriberEvent{Subscriber: subscriber, Kind: newsletter.EventBounced, Issue: issue, Text: words})
}

// missed tells whether it is counted already that an issue did not arrive: by
// another report, or by a refusal while it was sent.
func missed(ctx context.Context, tx *sql.Tx, subscriber, issue int64) (known bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT
		EXISTS (SELECT 1 FROM reports WHERE subscriber = $1 AND issue = $2 AND kind = 'bounce' AND class IN ('full', 'soft'))
		OR EXISTS (SELECT 1 FROM deliveries WHERE subscriber = $1 AND issue = $2 AND bounce IS NOT NULL)`, subscriber, issue).Scan(&known)
	return known, err
}

// count counts an issue that did not arrive, and takes the subscriber off the
// list when it is one too many in a row: with a newsletter of many years a few
// full weeks say nothing, so the count begins anew after an issue of which
// nothing was heard.
func (s *Store) count(ctx context.Context, tx *sql.Tx, subscriber, issue int64, words string) (off bool, err error) {
	var arrived bool
	err = tx.QueryRowContext(ctx, `SELECT coalesce((SELECT d.state = 'sent' AND NOT EXISTS
			(SELECT 1 FROM reports r WHERE r.subscriber = d.subscriber AND r.issue = d.issue AND r.kind = 'bounce')
		FROM issues i JOIN deliveries d ON d.issue = i.number AND d.subscriber = $1
		WHERE i.number < $2 ORDER BY i.number DESC LIMIT 1), FALSE)`, subscriber, issue).Scan(&arrived)
	if err != nil {
		return false, err
	}
	var n int64
	err = tx.QueryRowContext(ctx, `UPDATE subscribers SET bounces = CASE WHEN $2 THEN 1 ELSE bounces + 1 END WHERE id = $1 RETURNING bounces`,
		subscriber, arrived).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) { // forgotten
		return false, nil
	}
	limit := s.suppressAfter.Load()
	if off = limit > 0 && n >= limit; err != nil || !off {
		return false, err
	}
	return true, drop(ctx, tx, subscriber, issue, fmt.Sprintf("%d issues in a row did not arrive: %s", n, words))
}

// Reports returns what was reported about a subscriber, the oldest first.
func (s *Store) Reports(ctx context.Context, subscriber int64) ([]newsletter.Report, error) {
	var list []newsletter.Report
	err := each(ctx, s.reader, func(rows *sql.Rows) error {
		r := newsletter.Report{Subscriber: subscriber}
		var at, issue sql.NullInt64
		err := rows.Scan(&r.ID, &r.Digest, &at, &issue, &r.Kind, &r.Class, &r.Source, &r.Status, &r.Text)
		r.At, r.Issue = timeOf(at), issue.Int64
		list = append(list, r)
		return err
	}, `SELECT id, digest, at, issue, kind, class, source, status, text FROM reports WHERE subscriber = $1 ORDER BY id`, subscriber)
	if err != nil {
		return nil, fmt.Errorf("read the reports about subscriber %d: %w", subscriber, err)
	}
	return list, nil
}

// reportsOf counts whom of those an issue was sent to a report named. A refusal
// while it was sent is a failed delivery and counts as that.
func reportsOf(ctx context.Context, tx *sql.Tx, issue int64) (bounced, complained int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(DISTINCT CASE WHEN kind = 'bounce' THEN subscriber END),
			count(DISTINCT CASE WHEN kind = 'complaint' THEN subscriber END)
		FROM reports r WHERE issue = $1 AND kind IN ('bounce', 'complaint')
		AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.issue = r.issue AND d.subscriber = r.subscriber AND d.state = 'failed')`, issue).
		Scan(&bounced, &complained)
	return bounced, complained, err
}

// Blamed counts the bounces since a time that blame us and not the address, and
// returns the words of the last one.
func (s *Store) Blamed(ctx context.Context, since time.Time) (n int, words string, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT count(*), coalesce((SELECT text FROM reports WHERE class = 'policy' ORDER BY id DESC LIMIT 1), '')
		FROM reports WHERE class = 'policy' AND at >= $1`, ms(since)).Scan(&n, &words)
	if err != nil {
		return 0, "", fmt.Errorf("count what was refused because of us: %w", err)
	}
	return n, words, nil
}

// LastSent is the latest issue that was sent to a subscriber, 0 for none.
func (s *Store) LastSent(ctx context.Context, subscriber int64) (issue int64, err error) {
	err = s.reader.QueryRowContext(ctx, `SELECT coalesce((SELECT d.issue FROM issues i JOIN deliveries d ON d.issue = i.number AND d.subscriber = $1
		WHERE d.state = 'sent' ORDER BY i.number DESC LIMIT 1), 0)`, subscriber).Scan(&issue)
	if err != nil {
		return 0, fmt.Errorf("read the last issue of subscriber %d: %w", subscriber, err)
	}
	return issue, nil
}

// LastIssue is the highest number of an issue, 0 for none.
func (s *Store) LastIssue(ctx context.Context) (issue int64, err error) {
	if err = s.reader.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) FROM issues`).Scan(&issue); err != nil {
		return 0, fmt.Errorf("read the last issue: %w", err)
	}
	return issue, nil
}
