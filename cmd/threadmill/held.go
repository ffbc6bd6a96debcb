package main

import (
	"context"
	"fmt"
	"time"

	"threadmill/internal/deliver"
	"threadmill/internal/newsletter"
)

// heldBy tells what keeps mail back that is to leave, and when that is tried
// again: a pause, holds, and the limit of the day. It is empty when nothing
// does.
func (p *publication) heldBy(ctx context.Context, left newsletter.Counts) (why []string, err error) {
	if left.Pending+left.Deferred == 0 {
		return nil, nil
	}
	pause, err := p.store.Pause(ctx)
	if err != nil {
		return nil, err
	}
	if pause.Sending && pause.Covers(time.Now()) {
		why = append(why, pausedUntil(pause, p.facts.Zone))
	}
	holds, err := p.holds(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range holds {
		if h.Domain == "" && left.Pending > 0 || h.Domain != "" && left.Deferred > 0 {
			why = append(why, heldMail(h)+fmt.Sprintf(" is held (%s): %s; it is tried again on %s", h.Kind, h.Reason, longTime(h.ProbeAt, p.facts.Zone)))
		}
	}
	next, err := p.nextDaily(ctx)
	if err == nil && !next.IsZero() && left.Pending > 0 {
		why = append(why, fmt.Sprintf("the limit of the day (mail.daily) is reached; the next mail leaves on %s", longTime(next, p.facts.Zone)))
	}
	return why, err
}

func pausedUntil(pause newsletter.Pause, zone *time.Location) string {
	if pause.Until.IsZero() {
		return "all mail is paused; `threadmill resume` lets it go"
	}
	return fmt.Sprintf("all mail is paused until %s; `threadmill resume` lets it go now", longTime(pause.Until, zone))
}

// heldMail names the mail that a hold keeps back.
func heldMail(h newsletter.Hold) string {
	if h.Domain == "" {
		return "all mail"
	}
	return "mail to " + h.Domain
}

// nextDaily is when the limit of the day lets the next message go, zero for
// now.
func (p *publication) nextDaily(ctx context.Context) (time.Time, error) {
	if p.Mail.Daily == 0 {
		return time.Time{}, nil
	}
	now := time.Now()
	sent, err := p.store.SentSince(ctx, now.Add(-24*time.Hour-time.Minute))
	return deliver.NextDaily(sent, p.Mail.Daily, now), err
}

// closedUntil is when the relay may take mail again of which it takes none, by
// a hold of all mail or the limit of the day; zero where nothing is known to
// stand in the way.
func (p *publication) closedUntil(ctx context.Context) (time.Time, error) {
	until, err := p.nextDaily(ctx)
	if err != nil {
		return until, err
	}
	holds, err := p.holds(ctx)
	for _, h := range holds {
		if h.Domain == "" && h.ProbeAt.After(until) {
			until = h.ProbeAt
		}
	}
	return until, err
}

// tellHeld says what holds mail. That is no failure of the command: the next
// call or the daemon goes on with it.
func (p *publication) tellHeld(why []string) {
	for _, w := range why {
		fmt.Fprintf(p.stderr, "threadmill: %s\n", w)
	}
}
