package main

import (
	"context"
	"errors"
	"fmt"
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
	newsletter.Counts
	Held   []string `json:"held,omitempty"` // what keeps mail back, and until when
	DryRun bool     `json:"dry_run,omitempty"`
}

// nothingReport is what it prints when nothing was published; the counts are
// what is left of earlier issues.
type nothingReport struct {
	Issue  *int64 `json:"issue"`
	Reason string `json:"reason"`
	newsletter.Counts
	Held   []string `json:"held,omitempty"`
	DryRun bool     `json:"dry_run,omitempty"`
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
// the sending; the report must come out even after an interrupt. sent counts
// all messages of this run.
func (a *app) reportPublish(p *publication, outcome publish.Outcome, sent int, o publishOptions, failure error) error {
	ctx := context.Background()
	if outcome.Issue == nil {
		return errors.Join(a.reportNothing(ctx, p, outcome.Reason, sent, o.json), failure)
	}
	row, err := p.store.Issue(ctx, outcome.Issue.Number)
	if err != nil {
		return errors.Join(failure, err)
	}
	held, err := p.heldBy(ctx, row.Counts)
	if err != nil {
		return errors.Join(failure, err)
	}
	defer p.tellHeld(held)
	if o.json {
		r := newPublishReport(*outcome.Issue)
		r.Counts, r.Held = row.Counts, held
		err = printJSON(a.stdout, r)
	} else {
		err = a.printPublished(ctx, p, row)
	}
	if row.Failed > 0 && failure == nil {
		failure = fmt.Errorf("issue %d: %d of %d: %w; `threadmill issues show %d` names them", row.Number, row.Failed, row.Recipients, errPartly, row.Number)
	}
	return errors.Join(failure, err)
}

func (a *app) printPublished(ctx context.Context, p *publication, row store.IssueRow) error {
	if row.Recipients == 0 {
		fmt.Fprintf(a.stdout, "Issue %d, “%s”, is out: on the site and in the feeds, by mail to nobody.\n", row.Number, row.Title)
		counts, err := p.store.CountSubscribers(ctx)
		if err == nil && counts[newsletter.SubscriberActive] == 0 {
			fmt.Fprintln(a.stdout, "Nobody is subscribed yet; `threadmill subscribers` keeps the list.")
		}
		return err
	}
	fmt.Fprintf(a.stdout, "Issue %d, “%s”, is out: %s, %s sent.\n", row.Number, row.Title, plural(row.Recipients, "recipient"), thousands(row.Sent))
	if err := a.printFailed(ctx, p, row); err != nil {
		return err
	}
	return a.printLeft(ctx, p, row.Counts)
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
		{c.Sent, "sent"}, {c.Pending, "pending"}, {c.Deferred, "deferred"}, {c.Failed, "failed"},
		{c.Canceled, "canceled"}, {c.InDoubt, "in doubt"},
	} {
		if part.n > 0 {
			parts = append(parts, thousands(part.n)+" "+part.what)
		}
	}
	return strings.Join(parts, ", ")
}

// printLeft tells what is not settled, why, and what there is to do.
func (a *app) printLeft(ctx context.Context, p *publication, c newsletter.Counts) error {
	if c.Pending > 0 {
		why, err := p.whyPending(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s pending%s.\n", thousands(c.Pending), why)
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

// whyPending tells which issue is held by itself, empty when none is.
func (p *publication) whyPending(ctx context.Context) (string, error) {
	rows, err := p.store.UnfinishedIssues(ctx)
	for _, r := range rows {
		if note := holdNote(r, p.facts.Zone); note != "" && r.Pending > 0 {
			return fmt.Sprintf("; issue %d %s", r.Number, note), nil
		}
	}
	return "", err
}

// sentToday counts the messages of the last 24 hours.
func (p *publication) sentToday(ctx context.Context) (n int, err error) {
	sent, err := p.store.SentSince(ctx, time.Now().Add(-24*time.Hour))
	for _, more := range sent {
		n += more
	}
	return n, err
}

func (a *app) reportNothing(ctx context.Context, p *publication, reason string, sent int, asJSON bool) error {
	left, err := p.leftover(ctx)
	if err != nil {
		return err
	}
	held, err := p.heldBy(ctx, left)
	if err != nil {
		return err
	}
	defer p.tellHeld(held)
	if asJSON {
		return printJSON(a.stdout, nothingReport{Reason: reason, Counts: left, Held: held})
	}
	fmt.Fprintf(a.stdout, "Nothing was published: %s.\n", reason)
	if sent > 0 {
		fmt.Fprintf(a.stdout, "%s of earlier issues went out.\n", plural(sent, "message"))
	}
	return a.printLeft(ctx, p, left)
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
