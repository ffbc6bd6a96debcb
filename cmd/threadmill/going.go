package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"threadmill/internal/store"
)

// sendingNow is the other process that sends now, nil where there is none.
func (p *publication) sendingNow(ctx context.Context) (*store.Holder, error) {
	h, err := p.store.LockHolder(ctx)
	if h == nil || h.PID == os.Getpid() || h.Command == "build" || h.Command == migrating {
		return nil, err
	}
	return h, err
}

// tellSender says who sends in the place of this process.
func (p *publication) tellSender(ctx context.Context) error {
	who, err := p.sendingNow(ctx)
	if err != nil {
		return err
	}
	left, err := p.leftover(ctx)
	if err == nil && who != nil && left.Pending+left.Deferred > 0 {
		fmt.Fprintf(p.stderr, "threadmill: %s to send; %s is sending them\n", plural(left.Pending+left.Deferred, "message"), who)
	}
	return err
}

// earlierNotes tells of each issue that still has mail to send, so that nobody
// takes what is about to be published for it.
func (p *publication) earlierNotes(ctx context.Context) (notes []string, err error) {
	rows, err := p.store.UnfinishedIssues(ctx)
	who, werr := p.sendingNow(ctx)
	for _, r := range rows {
		n := r.Pending + r.Deferred
		if n == 0 {
			continue
		}
		what := "`threadmill publish` sends them"
		if note := holdNote(r, p.facts.Zone); note != "" {
			what = "it " + note
		} else if who != nil {
			what = who.String() + " is sending them"
		}
		notes = append(notes, fmt.Sprintf("Issue %d, “%s”, has %s to send yet; %s.", r.Number, r.Title, plural(n, "message"), what))
	}
	return notes, errors.Join(err, werr)
}

// tellHowOn says what sends the mail that is left, and from when on; a failure
// and an issue that is held by itself say so in their own words.
func (p *publication) tellHowOn(ctx context.Context, failure error) error {
	if failure != nil {
		return nil
	}
	at, err := p.goesOn(ctx)
	who, werr := p.sendingNow(ctx)
	err = errors.Join(err, werr)
	switch {
	case err != nil || at.IsZero():
	case who != nil:
		fmt.Fprintf(p.stderr, "threadmill: %s goes on with the rest\n", who)
	case at.After(time.Now()):
		fmt.Fprintf(p.stderr, "threadmill: to go on, run `threadmill publish` again after %s, or `threadmill run`\n", longTime(at, p.facts.Zone))
	default:
		fmt.Fprintln(p.stderr, "threadmill: to go on, run `threadmill publish` again, or `threadmill run`")
	}
	return err
}

// goesOn is when mail can leave next, zero when none waits or somebody must
// let it go first.
func (p *publication) goesOn(ctx context.Context) (at time.Time, err error) {
	rows, err := p.store.UnfinishedIssues(ctx)
	if err != nil {
		return at, err
	}
	now := time.Now()
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	deferred := false
	for _, r := range rows {
		switch s := issueState(r); {
		case s == issueStopped || s == issueWithdrawn:
		case s == issueGrace && r.Pending > 0:
			sooner(r.Hold.Until)
		case r.Pending > 0:
			sooner(now)
		default:
			deferred = deferred || r.Deferred > 0
		}
	}
	if deferred {
		next, err := p.store.NextDeferred(ctx)
		if err != nil {
			return at, err
		}
		sooner(next)
	}
	if at.IsZero() {
		return at, nil
	}
	return p.notBefore(ctx, at)
}

// notBefore puts off a time until the relay may take mail; zero while a pause
// has no end.
func (p *publication) notBefore(ctx context.Context, at time.Time) (time.Time, error) {
	closed, err := p.closedUntil(ctx)
	if closed.After(at) {
		at = closed
	}
	pause, perr := p.store.Pause(ctx)
	if perr == nil && pause.Sending && pause.Covers(at) {
		at = pause.Until
	}
	if err == nil {
		err = perr
	}
	return at, err
}
