package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
)

// publishReport is what `publish --json` prints for an issue.
type publishReport struct {
	Issue   int64    `json:"issue"`
	Slug    string   `json:"slug"`
	Title   string   `json:"title"`
	Slot    *string  `json:"slot"`
	Threads []string `json:"threads"`
	circleReport
	newsletter.Counts
	reportEnd
}

// reportEnd is what both reports end with.
type reportEnd struct {
	Earlier *tally   `json:"earlier,omitempty"` // mail of earlier issues that this call settled
	Held    []string `json:"held,omitempty"`    // what keeps mail back, and until when
	Error   string   `json:"error,omitempty"`
	DryRun  bool     `json:"dry_run,omitempty"`
}

// nothingReport is what it prints when nothing was published; the counts are
// what is left of earlier issues.
type nothingReport struct {
	Issue  *int64 `json:"issue"`
	Reason string `json:"reason"`
	newsletter.Counts
	reportEnd
}

// endOf is the end of a report.
func endOf(earlier tally, held []string, failure error) reportEnd {
	end := reportEnd{Held: held}
	if earlier != (tally{}) {
		end.Earlier = &earlier
	}
	if failure != nil {
		end.Error = failure.Error()
	}
	return end
}

func newPublishReport(issue newsletter.Issue) publishReport {
	r := publishReport{Issue: issue.Number, Slug: issue.Slug, Title: issue.Title, Threads: []string{}}
	if issue.Slot != "" {
		r.Slot = &issue.Slot
	}
	for _, t := range issue.Threads {
		r.Threads = append(r.Threads, t.ID)
	}
	return r
}

// reportPublish tells what was published and how far it is, whatever ended
// the sending; the report must come out even after an interrupt. done counts
// all messages of this run.
func (a *app) reportPublish(p *publication, outcome publish.Outcome, done tally, o publishOptions, failure error) error {
	ctx := context.Background()
	if outcome.Issue == nil {
		return errors.Join(a.reportNothing(ctx, p, outcome.Reason, done, o.json, failure), failure)
	}
	row, err := p.store.Issue(ctx, outcome.Issue.Number)
	if err != nil {
		return errors.Join(failure, err)
	}
	held, err := p.heldBy(ctx, row.Counts)
	if err != nil {
		return errors.Join(failure, err)
	}
	if o.json {
		r := newPublishReport(*outcome.Issue)
		r.circleReport = newCircleReport(row.To, row.LeftOut)
		r.Counts, r.reportEnd = row.Counts, endOf(done.without(row.Counts), held, failure)
		err = printJSON(a.stdout, r)
	} else {
		err = a.printPublished(ctx, p, row)
	}
	p.tellHeld(held)
	err = errors.Join(err, p.tellHowOn(ctx, failure))
	if row.Failed > 0 && failure == nil {
		failure = fmt.Errorf("issue %d: %d of %d: %w; `threadmill issues show %d` names them", row.Number, row.Failed, row.Recipients, errPartly, row.Number)
	}
	return errors.Join(failure, err)
}

// without is what became of the messages of other issues than one that was
// new; where another process sent, that is not known.
func (t tally) without(c newsletter.Counts) tally {
	return tally{Sent: max(t.Sent-c.Sent, 0), Failed: max(t.Failed-c.Failed, 0), Canceled: max(t.Canceled-c.Canceled, 0)}
}

func (a *app) printPublished(ctx context.Context, p *publication, row store.IssueRow) error {
	if row.Recipients == 0 && row.LeftOut.Sum() > 0 { // of a segment, it may be nowhere to read
		fmt.Fprintf(a.stdout, "Issue %d, “%s”, is out, by mail to nobody: %s.\n", row.Number, row.Title, leftOutNote(row.LeftOut, row.To))
		return nil
	}
	if row.Recipients == 0 {
		fmt.Fprintf(a.stdout, "Issue %d, “%s”, is out: on the site and in the feeds, by mail to nobody.\n", row.Number, row.Title)
		counts, err := p.store.CountSubscribers(ctx)
		if err == nil && counts[newsletter.SubscriberActive] == 0 {
			fmt.Fprintln(a.stdout, "Nobody is subscribed yet; `threadmill subscribers` keeps the list.")
		}
		return err
	}
	switch {
	case row.Sent > 0:
		fmt.Fprintf(a.stdout, "Issue %d, “%s”, is out: %s, %s sent.\n", row.Number, row.Title, plural(row.Recipients, "recipient"), thousands(row.Sent))
	case row.SiteReady:
		fmt.Fprintf(a.stdout, "Issue %d, “%s”, is published on the site; 0 of %s sent.\n", row.Number, row.Title, plural(row.Recipients, "mail"))
	default:
		fmt.Fprintf(a.stdout, "Issue %d, “%s”, is published, but its page is not written yet; 0 of %s sent.\n", row.Number, row.Title, plural(row.Recipients, "mail"))
	}
	if err := a.printFailed(ctx, p, row); err != nil {
		return err
	}
	return a.printLeft(ctx, p, row.Counts, row.Number)
}

// printFailed tells what failed for good or was canceled, and of whom it took
// off the list.
func (a *app) printFailed(ctx context.Context, p *publication, row store.IssueRow) error {
	if note := countsNote(newsletter.Counts{Failed: row.Failed, Canceled: row.Canceled}); note != "" {
		fmt.Fprintf(a.stdout, "%s.\n", note)
	}
	if row.Failed == 0 {
		return nil
	}
	failed, err := p.store.Failed(ctx, row.Number)
	switch n := failed[newsletter.SubscriberBounced]; {
	case n == 1:
		fmt.Fprintln(a.stdout, "1 address does not exist and is off the list now (bounced).")
	case n > 1:
		fmt.Fprintf(a.stdout, "%s addresses do not exist and are off the list now (bounced).\n", thousands(n))
	}
	return err
}

// countsNote names the counts that are not zero: "3 failed, 1 canceled".
func countsNote(c newsletter.Counts) string {
	var parts []string
	for _, part := range []struct {
		n    int
		what string
	}{
		{c.Sent, "sent"},
		{c.Pending, "pending"},
		{c.Deferred, "deferred"},
		{c.Failed, "failed"},
		{c.Canceled, "canceled"},
		{c.InDoubt, "in doubt"},
	} {
		if part.n > 0 {
			parts = append(parts, thousands(part.n)+" "+part.what)
		}
	}
	return strings.Join(parts, ", ")
}

// printLeft tells what is not settled of an issue, or of all where issue is 0,
// why, and what there is to do; also which other issues are held by themselves.
func (a *app) printLeft(ctx context.Context, p *publication, c newsletter.Counts, issue int64) error {
	rows, err := p.store.UnfinishedIssues(ctx)
	if err != nil {
		return err
	}
	held := slices.DeleteFunc(rows, func(r store.IssueRow) bool { return r.Pending+r.Deferred == 0 || holdNote(r, p.facts.Zone) == "" })
	if c.Pending > 0 {
		why := ""
		i := slices.IndexFunc(held, func(r store.IssueRow) bool { return r.Number == issue || issue == 0 && len(held) == 1 })
		if i >= 0 {
			why = fmt.Sprintf("; issue %d %s", held[i].Number, holdNote(held[i], p.facts.Zone))
			held = slices.Delete(held, i, i+1)
		}
		fmt.Fprintf(a.stdout, "%s pending%s.\n", thousands(c.Pending), why)
	}
	for _, r := range held {
		fmt.Fprintf(a.stdout, "Issue %d, “%s”, has %s to send: it %s.\n", r.Number, r.Title, plural(r.Pending+r.Deferred, "message"), holdNote(r, p.facts.Zone))
	}
	if c.Deferred > 0 {
		next, err := p.store.NextDeferred(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s deferred; the next is tried again on %s.\n", thousands(c.Deferred), longTime(next, p.facts.Zone))
	}
	doubts, err := p.store.InDoubt(ctx)
	if note := doubtNote(doubts); note != "" {
		fmt.Fprintf(a.stdout, "%s.\n", note)
	}
	return err
}

// sentToday counts the messages of the last 24 hours.
func (p *publication) sentToday(ctx context.Context) (n int, err error) {
	sent, err := p.store.SentSince(ctx, time.Now().Add(-24*time.Hour))
	for _, more := range sent {
		n += more
	}
	return n, err
}

func (a *app) reportNothing(ctx context.Context, p *publication, reason string, done tally, asJSON bool, failure error) error {
	left, err := p.leftover(ctx)
	if err != nil {
		return err
	}
	held, err := p.heldBy(ctx, left)
	if err != nil {
		return err
	}
	if asJSON {
		err = printJSON(a.stdout, nothingReport{Reason: reason, Counts: left, reportEnd: endOf(done, held, failure)})
	} else {
		err = a.printNothing(ctx, p, reason, done, left)
	}
	p.tellHeld(held)
	return errors.Join(err, p.tellHowOn(ctx, failure))
}

func (a *app) printNothing(ctx context.Context, p *publication, reason string, done tally, left newsletter.Counts) error {
	fmt.Fprintf(a.stdout, "Nothing was published: %s.\n", reason)
	if done.Sent > 0 {
		fmt.Fprintf(a.stdout, "%s of earlier issues went out.\n", plural(done.Sent, "message"))
	}
	if note := countsNote(newsletter.Counts{Failed: done.Failed, Canceled: done.Canceled}); note != "" {
		fmt.Fprintf(a.stdout, "Of earlier issues: %s.\n", note)
	}
	return a.printLeft(ctx, p, left, 0)
}

// leftover counts the deliveries of the issues that are not finished.
func (p *publication) leftover(ctx context.Context) (newsletter.Counts, error) {
	var left newsletter.Counts
	rows, err := p.store.UnfinishedIssues(ctx)
	for _, r := range rows {
		left = left.Plus(r.Counts)
	}
	return left, err
}
