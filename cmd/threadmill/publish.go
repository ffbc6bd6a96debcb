package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/deliver"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
)

type publishOptions struct {
	thread string
	dryRun bool
	now    bool
	json   bool
	yes    bool
	wait   time.Duration
}

func (a *app) publishCommand() *cobra.Command {
	var o publishOptions
	cmd := &cobra.Command{
		Use:   "publish",
		Short: "Publish what is due, send it, and end",
		Long: `Publish sends what is left of earlier issues, publishes what is due now, sends it,
and ends when nothing more is due soon. It is safe to call as often as you like,
from cron for instance, and beside a running daemon, which then does the sending.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.publish(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.thread, "thread", "", "publish the thread with this `ID` instead of the next one")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be published, and publish nothing")
	f.BoolVar(&o.now, "now", false, "publish whether a slot is due or not")
	f.BoolVar(&o.json, "json", false, "print a JSON document")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.DurationVar(&o.wait, "wait", 10*time.Minute, "how long to wait for deliveries that are deferred")
	return cmd
}

// publishReport is what `publish --json` prints for an issue.
type publishReport struct {
	Issue   int64    `json:"issue"`
	Slug    string   `json:"slug"`
	Title   string   `json:"title"`
	Slot    *string  `json:"slot"`
	Threads []string `json:"threads"`
	newsletter.Counts
}

// nothingReport is what it prints when nothing was published; the counts are
// what is left of earlier issues.
type nothingReport struct {
	Issue  *int64 `json:"issue"`
	Reason string `json:"reason"`
	newsletter.Counts
}

func (a *app) publish(ctx context.Context, o publishOptions) error {
	p, err := a.open(ctx, slog.LevelWarn, true)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.ReadyToSend(); err != nil {
		return err
	}
	lock, err := p.lock(ctx, "publish")
	locked, busy := errors.AsType[*store.LockedError](err)
	if err != nil && !busy {
		return err
	}
	if lock != nil {
		defer lock.Unlock()
	}
	if p.older {
		return fmt.Errorf("%w, and its database must be migrated first; stop it and start it again", locked)
	}
	if err := a.mayPublish(ctx, p, o); err != nil || o.dryRun {
		return err
	}
	outcome, err := publishOutcome(ctx, p, o)
	if err != nil {
		return err
	}
	work := p.finish
	if lock == nil {
		work = p.follow
	}
	err = work(ctx, outcome.Issue, o.wait)
	if err == nil && ctx.Err() != nil {
		err = errInterrupted
	}
	return a.reportPublish(p, outcome, o, err)
}

// mayPublish asks what stands in the way: a pause, or somebody at the terminal
// who should see what goes out to how many.
func (a *app) mayPublish(ctx context.Context, p *publication, o publishOptions) error {
	if !o.now && !o.dryRun {
		pause, err := p.store.Pause(ctx)
		if err != nil {
			return err
		}
		if now := time.Now(); pause.Covers(now) {
			return fmt.Errorf("the schedule is paused since %s; `threadmill resume` ends that, `publish --now` publishes all the same",
				longTime(pause.Since, p.facts.Zone))
		}
	}
	ask := o.now && !o.yes && !o.json && terminal(a.stdin) && terminal(a.stdout)
	if !ask && !o.dryRun {
		return nil
	}
	plan, err := p.publisher.DryRun(ctx, o.thread)
	if err != nil {
		return err
	}
	counts, err := p.store.CountSubscribers(ctx)
	if err != nil {
		return err
	}
	people := counts[newsletter.SubscriberActive]
	if o.dryRun {
		return a.reportDryRun(plan, people, o.json)
	}
	if plan.Issue == nil {
		return nil
	}
	return a.confirm(fmt.Sprintf("Send “%s” to %s?", plan.Issue.Title, peopleCount(people)))
}

func peopleCount(n int) string {
	if n == 1 {
		return "1 person"
	}
	return thousands(n) + " people"
}

// confirm asks a question on the terminal; anything but yes is errInterrupted.
func (a *app) confirm(question string) error {
	fmt.Fprintf(a.stdout, "%s [y/N] ", question)
	line, err := bufio.NewReader(a.stdin).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err == nil && (answer == "y" || answer == "yes") {
		return nil
	}
	return fmt.Errorf("nothing was published: %w", errInterrupted)
}

func (a *app) reportDryRun(plan publish.Outcome, people int, asJSON bool) error {
	if plan.Issue == nil {
		if asJSON {
			return printJSON(a.stdout, nothingReport{Reason: plan.Reason})
		}
		fmt.Fprintf(a.stdout, "Nothing would be published: %s.\n", plan.Reason)
		return nil
	}
	if asJSON {
		r := newPublishReport(*plan.Issue)
		r.Recipients, r.Pending = people, people
		return printJSON(a.stdout, r)
	}
	fmt.Fprintf(a.stdout, "Issue %d would be “%s”, to %s. Nothing was published.\n", plan.Issue.Number, plan.Issue.Title, peopleCount(people))
	return nil
}

func publishOutcome(ctx context.Context, p *publication, o publishOptions) (publish.Outcome, error) {
	if o.now {
		return p.publisher.PublishNow(ctx, o.thread)
	}
	return p.publisher.PublishDue(ctx, o.thread)
}

// finish puts the site in place and sends all that is due, as the holder of
// the lock.
func (p *publication) finish(ctx context.Context, _ *newsletter.Issue, wait time.Duration) error {
	due, err := p.store.SiteDue(ctx)
	if err != nil {
		return err
	}
	if len(due) > 0 {
		if _, err := p.publisher.WriteSite(ctx); err != nil {
			return fmt.Errorf("%w; the mail waits until the site can be written: run `threadmill publish` again then", err)
		}
	}
	err = p.drain(ctx, wait)
	if relay, ok := errors.AsType[*deliver.RelayError](err); ok {
		return fmt.Errorf("%w; the mail waits: run `threadmill publish` again when that is mended", relay)
	}
	return err
}

// drain sends, and shows how far it is to somebody at the terminal.
func (p *publication) drain(ctx context.Context, wait time.Duration) error {
	sender := p.sender()
	if !terminal(p.stderr) {
		return sender.Drain(ctx, wait)
	}
	left, err := p.leftover(ctx)
	if err != nil {
		return err
	}
	bar := newBar(p.stderr, int64(left.Pending), "sending")
	watched, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(barEvery)
		defer tick.Stop()
		for watched.Err() == nil {
			select {
			case <-tick.C:
			case <-watched.Done():
			}
			done := sender.Progress()
			_ = bar.Set64(min(done.Sent+done.Failed+done.Canceled, int64(left.Pending))) // only for the eye
		}
		_ = bar.Finish()
	})
	err = sender.Drain(ctx, wait)
	stop()
	wg.Wait()
	return err
}

// followLook is how often a follower looks how far the sender is.
const followLook = 200 * time.Millisecond

// follow waits while another process sends the issue. When that one ends
// before its work, the follower takes over.
func (p *publication) follow(ctx context.Context, issue *newsletter.Issue, wait time.Duration) error {
	if issue == nil {
		return nil
	}
	end := time.Now().Add(wait)
	tick := time.NewTicker(followLook)
	defer tick.Stop()
	for {
		row, err := p.store.Issue(ctx, issue.Number)
		if err != nil {
			return err
		}
		next, err := p.store.NextDeferred(ctx)
		if err != nil {
			return err
		}
		if row.SiteReady && row.Pending == 0 && (row.Deferred == 0 || next.After(end)) {
			return nil
		}
		if lock, err := p.lock(ctx, "publish"); err == nil {
			return errors.Join(p.finish(ctx, issue, time.Until(end)), lock.Unlock())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
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
// the sending; the report must come out even after an interrupt.
func (a *app) reportPublish(p *publication, outcome publish.Outcome, o publishOptions, failure error) error {
	ctx := context.Background()
	if outcome.Issue == nil {
		return errors.Join(a.reportNothing(ctx, p, outcome.Reason, o), failure)
	}
	row, err := p.store.Issue(ctx, outcome.Issue.Number)
	if err != nil {
		return errors.Join(failure, err)
	}
	if o.json {
		r := newPublishReport(*outcome.Issue)
		r.Counts = row.Counts
		err = printJSON(a.stdout, r)
	} else {
		a.printPublished(ctx, p, row)
	}
	if row.Failed > 0 && failure == nil {
		failure = fmt.Errorf("issue %d: %d of %d: %w; `threadmill issues show %d` names them", row.Number, row.Failed, row.Recipients, errPartly, row.Number)
	}
	return errors.Join(failure, err)
}

func (a *app) printPublished(ctx context.Context, p *publication, row store.IssueRow) {
	fmt.Fprintf(a.stdout, "Issue %d, “%s”, is out: %s, %s sent.\n", row.Number, row.Title, plural(row.Recipients, "recipient"), thousands(row.Sent))
	if row.Recipients == 0 {
		fmt.Fprintln(a.stdout, "Nobody is subscribed yet; it stands on the site and in the feeds.")
	}
	if row.Pending+row.Failed+row.Canceled+row.InDoubt > 0 {
		fmt.Fprintf(a.stdout, "%d pending, %d failed, %d canceled, %d in doubt.\n", row.Pending, row.Failed, row.Canceled, row.InDoubt)
	}
	if row.Deferred > 0 {
		next, err := p.store.NextDeferred(ctx)
		if err == nil {
			fmt.Fprintf(a.stdout, "%d deferred; the next is tried again on %s.\n", row.Deferred, longTime(next, p.facts.Zone))
		}
	}
}

func (a *app) reportNothing(ctx context.Context, p *publication, reason string, o publishOptions) error {
	left, err := p.leftover(ctx)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(a.stdout, nothingReport{Reason: reason, Counts: left})
	}
	fmt.Fprintf(a.stdout, "Nothing was published: %s.\n", reason)
	if left.Pending+left.Deferred+left.InDoubt > 0 {
		fmt.Fprintf(a.stdout, "Of earlier issues %d are pending, %d deferred, %d in doubt.\n", left.Pending, left.Deferred, left.InDoubt)
	}
	return nil
}

// leftover counts the deliveries of the issues that are not finished.
func (p *publication) leftover(ctx context.Context) (newsletter.Counts, error) {
	var left newsletter.Counts
	rows, err := p.store.UnfinishedIssues(ctx)
	for _, r := range rows {
		left.Recipients += r.Recipients
		left.Pending += r.Pending
		left.Sent += r.Sent
		left.Deferred += r.Deferred
		left.Failed += r.Failed
		left.Canceled += r.Canceled
		left.InDoubt += r.InDoubt
	}
	return left, err
}
