package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
)

type publishOptions struct {
	thread string
	dryRun bool
	now    bool
	grace  bool
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
from cron for instance, and beside a running daemon, which then does the sending.

With a delivery.grace in the config the mail of a slot's issue leaves that much
later. Publish says so and when, waits for it as long as --wait allows, and sends
it then; where the grace is longer, that is left to the next call or the daemon.
With --now somebody asked for it now: its mail leaves at once, unless --grace is
given.

Before anything is claimed it asks whether readers can unsubscribe: the address in
the mail (web.url, or else publication.url) must be https, and /healthz there must
answer for this publication. Where it does not, publish ends with 2, run tries
again, and the slot stays due. With mail.unsubscribe: mailto, with the transport
folder and with a relay on this machine nothing is asked.

Mail that a relay, a pause or mail.daily holds is not failed: publish ends with
0, says on stderr what holds it and when that is tried again, and the next call
or the daemon goes on with it. The JSON then has the same as "held".`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.publish(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.thread, "thread", "", "publish the thread with this `ID` instead of the next one")
	f.BoolVar(&o.dryRun, "dry-run", false, "say what would be published, and publish nothing")
	f.BoolVar(&o.now, "now", false, "publish whether a slot is due or not")
	f.BoolVar(&o.grace, "grace", false, "with --now: hold the mail for delivery.grace, as at a slot")
	f.BoolVar(&o.json, "json", false, "print a JSON document")
	f.BoolVar(&o.yes, "yes", false, "do not ask")
	f.DurationVar(&o.wait, "wait", 10*time.Minute, "how long to wait for mail that is deferred or in its grace")
	return cmd
}

func (a *app) publish(ctx context.Context, o publishOptions) error {
	p, err := a.open(ctx, slog.LevelError, true)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.ReadyToSend(); err != nil {
		return err
	}
	if err := p.upgrade(ctx); err != nil {
		return err
	}
	if o.dryRun {
		return a.dryRun(ctx, p, o)
	}
	if err := a.goAhead(ctx, p, o); err != nil {
		return err
	}
	lock, err := p.lock(ctx, "publish")
	if _, busy := errors.AsType[*store.LockedError](err); err != nil && !busy {
		return err
	}
	if lock != nil {
		defer lock.Unlock()
		held, stop := lock.Context(ctx)
		defer stop()
		ctx = held
		if err := p.publisher.Begin(ctx); err != nil {
			return err
		}
	}
	outcome, err := publishOutcome(ctx, p, o)
	if err = p.noteSlot(ctx, lock != nil && !o.now, err); err != nil {
		return err
	}
	done, err := p.sendOut(ctx, lock != nil, outcome.Issue, o.wait)
	err = orLost(ctx, err)
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("%w; run `threadmill publish` to go on", errInterrupted)
	}
	return a.reportPublish(p, outcome, done, o, err)
}

// sendOut sends as the holder of the lock, or follows the one who is.
func (p *publication) sendOut(ctx context.Context, holder bool, issue *newsletter.Issue, wait time.Duration) (done tally, err error) {
	if err := p.tellGrace(ctx, wait); err != nil {
		return done, err
	}
	if holder {
		return p.finish(ctx, wait)
	}
	if err := p.tellSender(ctx); err != nil {
		return done, err
	}
	return p.follow(ctx, issue, wait)
}

// tellGrace says which mail leaves later, so that nobody wonders why the
// command waits, or ends before.
func (p *publication) tellGrace(ctx context.Context, wait time.Duration) error {
	if next, err := p.store.NextRelease(ctx, time.Now()); err != nil || next.IsZero() {
		return err
	}
	rows, err := p.store.UnfinishedIssues(ctx)
	for _, r := range rows {
		if r.Pending == 0 || issueState(r) != issueGrace {
			continue
		}
		what := "waiting for that"
		if r.Hold.Until.After(time.Now().Add(wait)) {
			what = "this command ends before (--wait)"
		}
		fmt.Fprintf(p.stderr, "threadmill: issue %d, “%s”, %s; %s\n", r.Number, r.Title, holdNote(r, p.facts.Zone), what)
	}
	return err
}

// noteSlot keeps a fault of a slot for the operator and tells them, as the
// daemon does, where this process has its part.
func (p *publication) noteSlot(ctx context.Context, mine bool, fault error) error {
	_, stuck := errors.AsType[*stuckError](fault) // which a call by cron tells nobody
	if !mine || ctx.Err() != nil || exitStatus(ctx, fault) == statusUsage && !stuck {
		return fault
	}
	if fault == nil {
		return p.store.Unwarn(ctx, publish.WarningSlot)
	}
	err := p.store.Warn(ctx, publish.WarningSlot, fault.Error())
	p.operator(p.sender(p.store, nil)).Once(ctx)
	return errors.Join(fault, err)
}

func publishOutcome(ctx context.Context, p *publication, o publishOptions) (publish.Outcome, error) {
	if o.now {
		outcome, err := p.publisher.PublishNow(ctx, o.thread, o.grace)
		return outcome, badArgument(err)
	}
	outcome, err := p.publisher.PublishDue(ctx, o.thread)
	if err != nil {
		return outcome, badArgument(err)
	}
	month, err := p.publisher.PublishMonth(ctx)
	switch {
	case err != nil || month.Issue == nil:
	case outcome.Issue == nil:
		return month, nil
	default:
		fmt.Fprintf(p.stderr, "threadmill: issue %d, “%s”, is for %s who want one mail a month\n", month.Issue.Number, month.Issue.Title, peopleCount(month.Recipients))
	}
	return outcome, err
}

// goAhead asks what stands in the way: a pause, or somebody at the terminal
// who should see what goes out to how many.
func (a *app) goAhead(ctx context.Context, p *publication, o publishOptions) error {
	if !o.now {
		return p.refusePaused(ctx)
	}
	earlier, err := p.earlierNotes(ctx)
	if err != nil {
		return err
	}
	if o.yes || o.json || !terminal(a.stdin) || !terminal(a.stdout) {
		for _, note := range earlier {
			fmt.Fprintf(a.stderr, "threadmill: %s\n", note)
		}
		return nil
	}
	plan, err := p.publisher.DryRun(ctx, o.thread, o.now)
	if err != nil || plan.Issue == nil {
		return badArgument(err)
	}
	question := fmt.Sprintf("Send “%s” to %s", plan.Issue.Title, reachNote(plan.Recipients, plan.LeftOut, plan.Issue.To))
	if len(earlier) > 0 {
		printLines(a.stdout, earlier...)
		question += " as well"
	}
	return a.confirm(ctx, question+"?", "nothing was published")
}

// refusePaused is an error while the schedule is paused.
func (p *publication) refusePaused(ctx context.Context) error {
	pause, err := p.store.Pause(ctx)
	if err != nil || !pause.Covers(time.Now()) {
		return err
	}
	return fmt.Errorf("the schedule is paused since %s; `threadmill resume` ends that, `publish --now` publishes all the same",
		longTime(pause.Since, p.facts.Zone))
}

// confirm asks a question on the terminal; anything but yes is an error that
// says what was not done, and errInterrupted a signal.
func (a *app) confirm(ctx context.Context, question, undone string) error {
	fmt.Fprintf(a.stdout, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() { // ends with the answer, or with the process
		line, _ := bufio.NewReader(a.stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-answer:
		if line == "y" || line == "yes" {
			return nil
		}
		return errors.New(undone)
	case <-ctx.Done():
		fmt.Fprintln(a.stdout)
		return fmt.Errorf("%w: %s", errInterrupted, undone)
	}
}

func (a *app) dryRun(ctx context.Context, p *publication, o publishOptions) error {
	if !o.now {
		if err := p.refusePaused(ctx); err != nil {
			return err
		}
	}
	plan, err := p.publisher.DryRun(ctx, o.thread, o.now)
	if err != nil {
		return badArgument(err)
	}
	earlier, err := p.earlierNotes(ctx)
	if err != nil {
		return err
	}
	for _, note := range earlier {
		fmt.Fprintf(a.stderr, "threadmill: %s\n", note)
	}
	if plan.Issue == nil {
		if o.json {
			return printJSON(a.stdout, nothingReport{Reason: plan.Reason, reportEnd: reportEnd{DryRun: true}})
		}
		fmt.Fprintf(a.stdout, "Nothing would be published: %s.\n", plan.Reason)
		return nil
	}
	if o.json {
		r := newPublishReport(*plan.Issue)
		r.Recipients, r.Pending, r.DryRun = plan.Recipients, plan.Recipients, true
		r.circleReport = newCircleReport(plan.Issue.To, plan.LeftOut)
		return printJSON(a.stdout, r)
	}
	fmt.Fprintf(a.stdout, "Issue %d would be “%s”, to %s. Nothing was published.\n", plan.Issue.Number, plan.Issue.Title, reachNote(plan.Recipients, plan.LeftOut, plan.Issue.To))
	return nil
}
