package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// Begin notes since when the schedule counts, once the config says it. Only
// the holder of the lock may call it, and should before it publishes.
func (p *Publisher) Begin(ctx context.Context) error {
	if p.o.Schedule == nil {
		return p.o.Store.EndSchedule(ctx)
	}
	begun, err := p.Begun(ctx)
	if err != nil || begun {
		return err
	}
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return err
	}
	_, err = p.o.Store.BeginSchedule(ctx, p.o.Expression, p.zone(), now)
	if err == nil {
		p.began = now
	}
	return err
}

// Begun tells whether the schedule counts already, because a holder of the
// lock has seen it.
func (p *Publisher) Begun(ctx context.Context) (bool, error) {
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return false, err
	}
	now = now.Truncate(time.Millisecond).Add(1) // as no time is kept
	since, err := p.o.Store.ScheduleSince(ctx, p.o.Expression, p.zone(), now)
	return !since.Equal(now), err
}

// zone is the schedule's zone, as the database keeps it.
func (p *Publisher) zone() string { return p.o.Publication.Zone.String() }

// open returns the gaps in the schedule, and after when slots are not over.
func (p *Publisher) open(ctx context.Context, now time.Time) (g gaps, since time.Time, err error) {
	if g, err = p.gaps(ctx); err != nil {
		return g, since, err
	}
	if since, err = p.o.Store.ScheduleSince(ctx, p.o.Expression, p.zone(), now); err != nil {
		return g, since, err
	}
	last, future, err := p.o.Store.LastSlot(ctx, now)
	if !future.IsZero() {
		p.o.Log.Warn("a slot in the future was claimed, perhaps under a wrong clock; it is ignored until then", "due", future)
	}
	if last.After(since) {
		since = last
	}
	return g, since, err
}

// due returns the newest slot that is due and not over, nil if there is none.
// Those that are left out are never due.
func (p *Publisher) due(ctx context.Context, now time.Time) (*newsletter.Slot, error) {
	if p.o.Schedule == nil {
		return nil, nil
	}
	g, since, err := p.open(ctx, now)
	if err != nil {
		return nil, err
	}
	at, ok := g.last(since, now)
	if !ok {
		return nil, nil
	}
	slot := &newsletter.Slot{Key: p.o.Schedule.Key(at), Due: at}
	// The same slot may lie elsewhere than when it was claimed: new zone data.
	if over, err := p.o.Store.SlotOver(ctx, *slot); over || err != nil {
		return nil, err
	}
	return slot, nil
}

// Planned is a slot to come and what it will carry.
type Planned struct {
	newsletter.Slot
	newsletter.Circle
	Threads []newsletter.Listed // none when the queue is empty by then
	Paused  bool
	Out     newsletter.SlotOutcome // skipped or excepted, where it is left out
	Month   string                 // of which it is the digest: 2006-01; empty for a slot
}

// Upcoming returns the next n slots after from, and what each will carry if
// nothing changes. It writes nothing.
func (p *Publisher) Upcoming(ctx context.Context, from time.Time, n int) ([]Planned, error) {
	if p.o.Schedule == nil {
		return nil, nil
	}
	c, err := p.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	g, err := p.gaps(ctx)
	if err != nil {
		return nil, err
	}
	var list []Planned
	line := p.line(c, from)
	for at := p.o.Schedule.Next(from); len(list) < n && !at.IsZero(); at = p.o.Schedule.Next(at) {
		s := Planned{Slot: newsletter.Slot{Key: p.o.Schedule.Key(at), Due: at}}
		if _, _, s.Out = g.out(at); s.Out == "" {
			s.Paused = g.pause.Covers(at)
		}
		if s.Out == "" && !s.Paused {
			s.Threads = line.take(at)
			s.Circle = p.circle(s.Threads)
		}
		list = append(list, s)
	}
	return list, nil
}

// inSight is how far ahead an issue is announced: its day is told without a year.
const inSight = 350 * 24 * time.Hour

// nextIssue is when the next issue is to come by the schedule: at the first slot
// that no pause covers and for which a thread is left; zero where none is in
// sight.
func (p *Publisher) nextIssue(ctx context.Context, c Catalogue) (time.Time, error) {
	if p.o.Schedule == nil {
		return time.Time{}, nil
	}
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return time.Time{}, err
	}
	g, err := p.gaps(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var left []*newsletter.Listed
	for i := range c.Threads {
		if s := c.Threads[i].State(now); s == newsletter.ThreadReady || s == newsletter.ThreadWaiting {
			left = append(left, &c.Threads[i])
		}
	}
	from := now
	for range slotsAhead {
		at := g.next(from)
		switch {
		case at.IsZero() || at.Sub(now) > inSight:
			return time.Time{}, nil
		case g.pause.Covers(at):
			from = g.pause.Until
		case slices.ContainsFunc(left, func(t *newsletter.Listed) bool { return t.State(at) == newsletter.ThreadReady }):
			return at, nil
		default:
			from = waitsUntil(left, at)
		}
		if from.IsZero() {
			return time.Time{}, nil
		}
		from = from.Add(-time.Nanosecond) // the slot at that very time is one of them
	}
	return time.Time{}, nil
}

// without is the catalogue after the given threads went out.
func (c Catalogue) without(gone []newsletter.Listed) Catalogue {
	c.Threads = slices.DeleteFunc(slices.Clone(c.Threads), func(t newsletter.Listed) bool {
		return slices.ContainsFunc(gone, func(g newsletter.Listed) bool { return g.ID == t.ID })
	})
	return c
}

// waitsUntil is when the first of the threads that wait at a time waits no
// longer; zero where none does.
func waitsUntil(list []*newsletter.Listed, at time.Time) time.Time {
	var first time.Time
	for _, t := range list {
		if t.State(at) == newsletter.ThreadWaiting && (first.IsZero() || t.PublishDate.Before(first)) {
			first = t.PublishDate
		}
	}
	return first
}

// segment is who gets a thread by mail.
func (p *Publisher) segment(t newsletter.Listed) newsletter.Segment { return t.To.Or(p.o.To) }

// circle is for whom an issue of the chosen threads is.
func (p *Publisher) circle(chosen []newsletter.Listed) newsletter.Circle {
	c := newsletter.Circle{Topics: []string{}}
	for i, t := range viaMail(chosen) {
		if i == 0 {
			c.To = p.segment(t)
		}
		for _, tag := range t.Tags {
			if !slices.Contains(c.Topics, tag) {
				c.Topics = append(c.Topics, tag)
			}
		}
	}
	return c
}

// Reach counts who would get an issue of the chosen threads at a time, and those
// who are active and would not, by reason.
func (p *Publisher) Reach(ctx context.Context, chosen []newsletter.Listed, at time.Time) (int, newsletter.LeftOut, error) {
	if len(viaMail(chosen)) == 0 {
		return 0, nil, nil
	}
	return p.o.Store.Reach(ctx, p.circle(chosen), at)
}

// NextSlot returns the first slot after now that is not left out, zero when there is no schedule,
// and the one that is due, nil when none is.
func (p *Publisher) NextSlot(ctx context.Context, now time.Time) (next time.Time, due *newsletter.Slot, err error) {
	if p.o.Schedule == nil {
		return time.Time{}, nil, nil
	}
	if due, err = p.due(ctx, now); err != nil {
		return time.Time{}, nil, err
	}
	g, err := p.gaps(ctx)
	if err != nil {
		return time.Time{}, nil, err
	}
	return g.next(now), due, nil
}

// Pause holds the schedule from now on, until a time if it is not zero.
func (p *Publisher) Pause(ctx context.Context, until time.Time, sending bool) error {
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return err
	}
	if !until.IsZero() && !until.After(now) {
		return fmt.Errorf("pause until %s: that is over already", p.longTime(until))
	}
	old, err := p.o.Store.Pause(ctx)
	if err != nil {
		return err
	}
	pause := newsletter.Pause{Since: now, Until: until, Sending: sending}
	if old.Covers(now) {
		pause.Since = old.Since
	} else if err := p.endPause(ctx, old, now); err != nil {
		return err
	}
	return p.o.Store.SetPause(ctx, pause)
}

// endPause makes sure that what passed under a pause that ended by itself
// stays over when another pause takes its place.
func (p *Publisher) endPause(ctx context.Context, old newsletter.Pause, now time.Time) error {
	if old.Since.IsZero() {
		return nil
	}
	return p.o.Store.Resume(ctx, p.passedUnder(old, now), now)
}

// Resume ends a pause. Slots that passed under it are over.
func (p *Publisher) Resume(ctx context.Context) error {
	pause, err := p.o.Store.Pause(ctx)
	if err != nil {
		return err
	}
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return err
	}
	return p.o.Store.Resume(ctx, p.passedUnder(pause, now), now)
}

// passedUnder is the newest slot that passed under a pause.
func (p *Publisher) passedUnder(pause newsletter.Pause, now time.Time) *newsletter.Slot {
	if p.o.Schedule == nil || pause.Since.IsZero() {
		return nil
	}
	end := now
	if !pause.Until.IsZero() && pause.Until.Before(now) {
		end = pause.Until.Add(-time.Millisecond)
	}
	at, ok := p.o.Schedule.Last(pause.Since.Add(-time.Millisecond), end)
	if !ok {
		return nil
	}
	return &newsletter.Slot{Key: p.o.Schedule.Key(at), Due: at}
}

// over ends a slot without an issue. That another process did so first is no
// error.
func (p *Publisher) over(ctx context.Context, slot newsletter.Slot, outcome newsletter.SlotOutcome, now time.Time) error {
	err := p.o.Store.ClaimSlot(ctx, slot, outcome, now)
	if errors.Is(err, newsletter.ErrTaken) {
		return nil
	}
	return err
}
