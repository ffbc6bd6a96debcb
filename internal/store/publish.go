package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
)

// NextIssue is the number that the next issue gets unless another process
// publishes first.
func (s *Store) NextIssue(ctx context.Context) (int64, error) {
	last, _, err := s.lastIssue(ctx)
	return last + 1, err
}

// Publish makes an issue in one transaction: it claims the slot, if there is
// one, and the threads or the month, keeps the snapshot and gives everyone who is active,
// not suppressed and in the issue's circle one pending delivery, in batches of
// the given size. An issue without a message has no deliveries. It returns the
// number of recipients; ErrTaken when another process had the slot, a thread or
// the number first, or archived a thread, and then nothing is changed.
func (s *Store) Publish(ctx context.Context, issue newsletter.Issue, slot *newsletter.Slot, snap newsletter.Snapshot, batch int) (recipients int, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		if err := s.alone(ctx, tx, aloneThreads); err != nil {
			return err
		}
		if slot != nil {
			if err := claimSlot(ctx, tx, *slot, newsletter.SlotPublished, issue.Number, issue.PublishedAt); err != nil {
				return err
			}
		}
		if err := insertIssue(ctx, tx, issue, slot, snap); err != nil {
			return err
		}
		if err := s.claimThreads(ctx, tx, issue); err != nil {
			return err
		}
		left := newsletter.LeftOut{}
		if len(snap.Message) > 0 {
			if recipients, left, err = s.insertDeliveries(ctx, tx, issue, batch); err != nil {
				return err
			}
		}
		if err := keepCircle(ctx, tx, issue, left); err != nil {
			return err
		}
		if recipients > 0 {
			if err := holdIssue(ctx, tx, issue); err != nil {
				return err
			}
		}
		if err := finishIssue(ctx, tx, issue.Number, issue.PublishedAt); err != nil {
			return err
		}
		_, err := s.siteChanged(ctx, tx)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("publish issue %d: %w", issue.Number, err)
	}
	return recipients, nil
}

func insertIssue(ctx context.Context, tx *sql.Tx, issue newsletter.Issue, slot *newsletter.Slot, snap newsletter.Snapshot) error {
	var key sql.NullString
	if slot != nil {
		key = sql.NullString{String: slot.Key, Valid: true}
	}
	message := snap.Message
	if message == nil {
		message = []byte{}
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO issues (number, slot, slug, title, subject, published_at, message, sender, domain, unsubscribe_url)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (number) DO NOTHING`,
		issue.Number, key, issue.Slug, issue.Title, issue.Subject, ms(issue.PublishedAt),
		message, snap.Sender, snap.Domain, snap.UnsubscribeURL)
	return inserted(res, err)
}

// claimThreads claims the threads of an issue; of a digest of a month the month,
// since its threads are in other issues.
func (s *Store) claimThreads(ctx context.Context, tx *sql.Tx, issue newsletter.Issue) error {
	if issue.Month != "" {
		return s.claimMonth(ctx, tx, issue.Month)
	}
	for i, t := range issue.Threads {
		if err := insertIssueThread(ctx, tx, issue.Number, i, t); err != nil {
			return err
		}
	}
	return numberOut(ctx, tx)
}

func insertIssueThread(ctx context.Context, tx *sql.Tx, issue int64, position int, t newsletter.Thread) error {
	res, err := tx.ExecContext(ctx, `INSERT INTO issue_threads (issue, position, thread, source, prints, digest)
		SELECT $1, $2, id, $4, $5, $6 FROM threads WHERE id = $3 AND archived_at IS NULL AND withdrawn_at IS NULL
		ON CONFLICT DO NOTHING`,
		issue, position, t.ID, plain(t.Source), t.Prints().String(), t.Digest)
	if err := inserted(res, err); err != nil {
		return fmt.Errorf("claim thread %s: %w", t.ID, err)
	}
	return nil
}

// inserted turns an insert that met a conflict into ErrTaken.
func inserted(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = newsletter.ErrTaken
	}
	return err
}

// insertDeliveries gives everyone in the issue's circle their delivery, a batch
// after the other, and counts those who are left out.
func (s *Store) insertDeliveries(ctx context.Context, tx *sql.Tx, issue newsletter.Issue, batch int) (recipients int, left newsletter.LeftOut, err error) {
	who, err := s.circleOf(ctx, tx, issue.Circle, issue.PublishedAt)
	if err == nil {
		left, err = who.leftOut(ctx, tx)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("choose the recipients: %w", err)
	}
	where, args := who.where(5)
	fill, err := tx.PrepareContext(ctx, `INSERT INTO deliveries (issue, subscriber, batch)
		SELECT $1, id, $2 FROM subscribers WHERE id > $3 AND`+where+` ORDER BY id LIMIT $4`)
	if err != nil {
		return 0, nil, err
	}
	defer fill.Close()
	for last := int64(0); ; {
		id, err := beginBatch(ctx, tx, issue.Number, last, who)
		if err != nil {
			return 0, nil, fmt.Errorf("begin a batch: %w", err)
		}
		if id == 0 {
			_, err := tx.ExecContext(ctx, `UPDATE issues SET recipients = $2 WHERE number = $1`, issue.Number, recipients)
			return recipients, left, err
		}
		res, err := fill.ExecContext(ctx, append([]any{issue.Number, id, last, batch}, args...)...)
		if err != nil {
			return 0, nil, fmt.Errorf("write the deliveries: %w", err)
		}
		n, err := res.RowsAffected()
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE batches SET size = $2 WHERE id = $1`, id, n)
		}
		if err == nil && n > 0 {
			err = tx.QueryRowContext(ctx, `SELECT max(subscriber) FROM deliveries WHERE issue = $1`, issue.Number).Scan(&last)
		}
		if err != nil {
			return 0, nil, fmt.Errorf("write the batches: %w", err)
		}
		recipients += int(n)
	}
}

// beginBatch makes a batch for those after the last one, and returns its id; 0
// when nobody is left.
func beginBatch(ctx context.Context, tx *sql.Tx, issue, last int64, who circle) (id int64, err error) {
	where, args := who.where(4)
	err = tx.QueryRowContext(ctx, `INSERT INTO batches (issue, size) SELECT $1, $2
		WHERE (SELECT min(id) FROM subscribers WHERE id > $3 AND`+where+`) IS NOT NULL RETURNING id`, append([]any{issue, 0, last}, args...)...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

// SiteDue returns the numbers of the issues whose page and feeds are not in
// place yet, so that their mail is held.
func (s *Store) SiteDue(ctx context.Context) ([]int64, error) {
	list, err := ids(ctx, s.reader, `SELECT number FROM issues WHERE site_at IS NULL ORDER BY number`)
	if err != nil {
		return nil, fmt.Errorf("read which issues have no page: %w", err)
	}
	return list, nil
}

// SiteWritten says that the pages and feeds of these issues are in place, and
// lets their mail go.
func (s *Store) SiteWritten(ctx context.Context, issues []int64) error {
	return s.tx(ctx, func(tx *sql.Tx) error {
		for _, n := range issues {
			at := msNow()
			if _, err := tx.ExecContext(ctx, `UPDATE issues SET site_at = $2 WHERE number = $1`, n, at); err != nil {
				return fmt.Errorf("release issue %d: %w", n, err)
			}
		}
		return nil
	})
}

// IssueRow is an issue as it is listed, with its deliveries counted.
type IssueRow struct {
	newsletter.Issue
	newsletter.Counts
	Bounced    int // whom reports named after it was sent, outside the sum
	Complained int
	ThreadIDs  []string
	SiteReady  bool
	FinishedAt time.Time  // zero while something is left to send
	Hold       *IssueHold // nil when nothing holds its mail
	LeftOut    newsletter.LeftOut
	FoldedAt   time.Time // since when there are only counts; zero while there are deliveries
}

const issueColumns = `SELECT number, coalesce(slot, ''), slug, title, subject, published_at, site_at, finished_at,
	segment, topics, left_out, month, folded_at FROM issues`

// Issues returns every issue, the oldest first.
func (s *Store) Issues(ctx context.Context) ([]IssueRow, error) {
	return s.issues(ctx, issueColumns+` ORDER BY number`)
}

// IssuesSince returns the issues that were published since a time, the oldest
// first.
func (s *Store) IssuesSince(ctx context.Context, since time.Time) ([]IssueRow, error) {
	return s.issues(ctx, issueColumns+` WHERE published_at >= $1 ORDER BY number`, ms(since))
}

// Issue returns one issue; ErrNotFound where there is none.
func (s *Store) Issue(ctx context.Context, number int64) (IssueRow, error) {
	list, err := s.issues(ctx, issueColumns+` WHERE number = $1`, number)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("issue %d: %w", number, newsletter.ErrNotFound)
	}
	if err != nil {
		return IssueRow{}, err
	}
	return list[0], nil
}

func (s *Store) issues(ctx context.Context, query string, args ...any) ([]IssueRow, error) {
	var list []IssueRow
	err := s.view(ctx, func(tx *sql.Tx) error {
		err := each(ctx, tx, func(rows *sql.Rows) error {
			var i IssueRow
			var published, site, finished, folded sql.NullInt64
			var segment, topics, left string
			err := rows.Scan(&i.Number, &i.Slot, &i.Slug, &i.Title, &i.Subject, &published, &site, &finished, &segment, &topics, &left, &i.Month, &folded)
			if err == nil {
				err = readCircle(&i, segment, topics, left)
			}
			i.PublishedAt, i.SiteReady, i.FinishedAt, i.FoldedAt = timeOf(published), site.Valid, timeOf(finished), timeOf(folded)
			list = append(list, i)
			return err
		}, query, args...)
		held, herr := issueHolds(ctx, tx, time.Now())
		err = errors.Join(err, herr)
		for n := range list {
			list[n].Hold = held[list[n].Number]
			err = errors.Join(err, fillIssue(ctx, tx, &list[n]))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read issues: %w", err)
	}
	return list, nil
}

func fillIssue(ctx context.Context, tx *sql.Tx, i *IssueRow) error {
	err := each(ctx, tx, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		i.ThreadIDs = append(i.ThreadIDs, id)
		return err
	}, `SELECT thread FROM issue_threads WHERE issue = $1 ORDER BY position`, i.Number)
	if err != nil {
		return err
	}
	if i.Bounced, i.Complained, err = reportsOf(ctx, tx, i.Number); err != nil {
		return err
	}
	return countIssue(ctx, tx, i.Number, &i.Counts)
}

// countIssue counts an issue's deliveries: one by one only in the batches that
// are under way.
func countIssue(ctx context.Context, tx *sql.Tx, issue int64, c *newsletter.Counts) error {
	return countBatches(ctx, tx, c, "issue = $1", issue)
}

// countAll counts the deliveries of all issues in the same way.
func countAll(ctx context.Context, tx *sql.Tx, c *newsletter.Counts) error {
	return countBatches(ctx, tx, c, "TRUE")
}

// countBatches counts the deliveries of the batches that a condition names.
func countBatches(ctx context.Context, tx *sql.Tx, c *newsletter.Counts, where string, args ...any) error {
	err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(CASE WHEN done OR lease = 0 THEN size END), 0),
		coalesce(sum(CASE WHEN NOT done AND lease = 0 THEN size END), 0),
		coalesce(sum(CASE WHEN done THEN sent END), 0), coalesce(sum(CASE WHEN done THEN deferred END), 0),
		coalesce(sum(CASE WHEN done THEN failed END), 0), coalesce(sum(CASE WHEN done THEN canceled END), 0),
		coalesce(sum(CASE WHEN done THEN in_doubt END), 0) FROM batches WHERE `+where, args...).
		Scan(&c.Recipients, &c.Pending, &c.Sent, &c.Deferred, &c.Failed, &c.Canceled, &c.InDoubt)
	if err != nil {
		return err
	}
	return each(ctx, tx, func(rows *sql.Rows) error {
		var state newsletter.DeliveryState
		var n int
		err := rows.Scan(&state, &n)
		c.Add(state, n)
		return err
	}, `SELECT d.state, count(*) FROM batches b JOIN deliveries d ON d.batch = b.id
		WHERE b.id IN (SELECT id FROM batches WHERE `+where+` AND NOT done AND lease > 0) GROUP BY d.state`, args...)
}

// UnfinishedIssues returns the issues of which something is left to send or in
// doubt, the oldest first.
func (s *Store) UnfinishedIssues(ctx context.Context) ([]IssueRow, error) {
	return s.issues(ctx, issueColumns+` WHERE finished_at IS NULL
		OR EXISTS (SELECT 1 FROM deliveries d WHERE d.issue = issues.number AND d.doubts > 0 AND d.state = 'in_doubt') ORDER BY number`)
}
