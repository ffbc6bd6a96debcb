package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// Except tells on which days no slot counts.
type Except interface {
	// Span returns the days around an instant on which none does.
	Span(at time.Time) (from, until time.Time, ok bool)
}

// gaps are the slots of the schedule that carry nothing.
type gaps struct {
	schedule Schedule
	except   Except // nil for none
	skips    []newsletter.Slot
	pause    newsletter.Pause
}

// gaps reads what keeps slots from carrying a thread.
func (p *Publisher) gaps(ctx context.Context) (g gaps, err error) {
	g = gaps{schedule: p.o.Schedule, except: p.o.Except}
	if g.pause, err = p.o.Store.Pause(ctx); err != nil {
		return gaps{}, err
	}
	g.skips, err = p.o.Store.Skips(ctx)
	return g, err
}

// out tells how a slot will end that is left out, and from when to when others
// are for the same reason; the outcome is empty where it is not.
func (g gaps) out(at time.Time) (from, until time.Time, why newsletter.SlotOutcome) {
	if g.except != nil {
		if from, until, ok := g.except.Span(at); ok {
			return from, until, newsletter.SlotExcepted
		}
	}
	slot := newsletter.Slot{Key: g.schedule.Key(at), Due: at}
	if slices.ContainsFunc(g.skips, slot.Same) {
		return at, at, newsletter.SlotSkipped
	}
	return time.Time{}, time.Time{}, ""
}

// next is the first slot after an instant that is not left out, be it under a
// pause; zero where there is none.
func (g gaps) next(after time.Time) time.Time {
	for at := g.schedule.Next(after); !at.IsZero(); {
		_, until, why := g.out(at)
		if why == "" {
			return at
		}
		at = g.schedule.Next(latest(at, until.Add(-time.Nanosecond))) // the slot at the very end is none of them
	}
	return time.Time{}
}

// last is the newest slot in (since, now] that is not left out.
func (g gaps) last(since, now time.Time) (time.Time, bool) {
	for {
		at, ok := g.schedule.Last(since, now)
		if !ok {
			return time.Time{}, false
		}
		from, _, why := g.out(at)
		if why == "" {
			return at, true
		}
		if from.After(at) {
			from = at
		}
		now = from.Add(-time.Second) // slots are whole seconds
	}
}

// latest is the later one of two times.
func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// leave ends the newest slot that has come and is left out, so that it stays so
// whatever the config says later. It returns the reason why nothing is
// published; empty where there is no such slot.
func (p *Publisher) leave(ctx context.Context, now time.Time) (string, error) {
	if p.o.Schedule == nil {
		return "", nil
	}
	g, since, err := p.open(ctx, now)
	if err != nil {
		return "", err
	}
	at, ok := g.schedule.Last(since, now)
	if !ok {
		return "", nil
	}
	_, _, why := g.out(at)
	slot := newsletter.Slot{Key: g.schedule.Key(at), Due: at}
	if over, err := p.o.Store.SlotOver(ctx, slot); why == "" || over || err != nil {
		return "", err
	}
	reason := "the slot of " + p.longTime(at) + " is left out by schedule.except"
	if why == newsletter.SlotSkipped {
		reason = "the slot of " + p.longTime(at) + " is skipped"
	}
	return reason, p.over(ctx, slot, why, now)
}

// Skip leaves a slot out, and returns it: the one that is at the given time or,
// where that is the beginning of a day, on that day; without a time the next one
// that is not left out yet. With undo it takes that back, of the first that is
// skipped where no time is given.
func (p *Publisher) Skip(ctx context.Context, at time.Time, undo bool) (newsletter.Slot, error) {
	if p.o.Schedule == nil {
		return newsletter.Slot{}, errors.New("there is no schedule, so there is no slot to skip; set schedule.cron")
	}
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return newsletter.Slot{}, err
	}
	g, err := p.gaps(ctx)
	if err != nil {
		return newsletter.Slot{}, err
	}
	slot, err := g.chosen(at.In(p.o.Publication.Zone), now, undo)
	if err != nil {
		return slot, err
	}
	change := p.o.Store.Skip
	if undo {
		change = p.o.Store.Unskip
	}
	err = change(ctx, slot, now)
	switch {
	case errors.Is(err, newsletter.ErrNotFound):
		err = fmt.Errorf("the slot of %s is not skipped; `threadmill next` shows those that are", p.longTime(slot.Due))
	case errors.Is(err, newsletter.ErrSlotOver):
		err = fmt.Errorf("the slot of %s is over already", p.longTime(slot.Due))
	}
	return slot, err
}

// chosen is the slot that somebody means by a time, or by none.
func (g gaps) chosen(at, now time.Time, undo bool) (newsletter.Slot, error) {
	named := func(at time.Time) newsletter.Slot { return newsletter.Slot{Key: g.schedule.Key(at), Due: at} }
	if at.Year() <= 1 { // none was given
		if !undo {
			if at = g.next(now); at.IsZero() {
				return newsletter.Slot{}, errors.New("there is no slot to come that is not left out")
			}
			return named(at), nil
		}
		if i := slices.IndexFunc(g.skips, func(s newsletter.Slot) bool { return s.Due.After(now) }); i >= 0 {
			return g.skips[i], nil
		}
		return newsletter.Slot{}, errors.New("no slot to come is skipped")
	}
	end := at.Add(time.Minute - time.Nanosecond)
	if y, m, d := at.Date(); at.Equal(time.Date(y, m, d, 0, 0, 0, 0, at.Location())) {
		end = time.Date(y, m, d+1, 0, 0, 0, -1, at.Location())
	}
	if undo { // also one that an edit of the schedule took away
		if i := slices.IndexFunc(g.skips, func(s newsletter.Slot) bool { return !s.Due.Before(at) && !s.Due.After(end) }); i >= 0 {
			return g.skips[i], nil
		}
	}
	slot := g.schedule.Next(at.Add(-time.Nanosecond))
	what := at.Format("Monday 2 January 2006 15:04 MST")
	switch {
	case slot.IsZero() || slot.After(end):
		return newsletter.Slot{}, fmt.Errorf("the schedule has no slot at %s; `threadmill next` shows them", what)
	case !end.After(now):
		return newsletter.Slot{}, fmt.Errorf("%s has passed; only a slot to come can be skipped", what)
	case !slot.After(now):
		slot = g.schedule.Next(now)
		if slot.After(end) {
			return newsletter.Slot{}, fmt.Errorf("the slot of %s has passed; only one to come can be skipped", what)
		}
	}
	return named(slot), nil
}
