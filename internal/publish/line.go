package publish

import (
	"context"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// pick takes the threads of one issue off the queue: the next one, and those
// after it that are for the same people. What is for others waits for an issue
// of its own.
func (p *Publisher) pick(c Catalogue, at time.Time) []newsletter.Listed {
	chosen, _ := p.cut(newsletter.Queue(c.Threads, p.o.Order, c.Queue, at))
	return chosen
}

// cut parts a queue into the threads of the next issue and the rest.
func (p *Publisher) cut(queue []newsletter.Listed) (chosen, rest []newsletter.Listed) {
	var passed []newsletter.Listed
	i := 0
	for ; i < len(queue) && len(chosen) < p.o.ThreadsPerIssue; i++ {
		if len(chosen) > 0 && !p.segment(queue[i]).Same(p.segment(chosen[0])) {
			passed = append(passed, queue[i])
			continue
		}
		chosen = append(chosen, queue[i])
	}
	if len(passed) == 0 {
		return chosen, queue[i:]
	}
	return chosen, append(passed, queue[i:]...)
}

// line are the threads that are left, as slot after slot takes from them.
type line struct {
	*Publisher
	ids   []string // threads/QUEUE
	left  []newsletter.Listed
	taken map[string]bool     // those of them that a slot took, by id
	queue []newsletter.Listed // those that are ready, until turn
	turn  time.Time           // when another becomes ready or expires; zero: never
	begun bool
}

// line lets the threads stand in line that are ready at a time or later.
func (p *Publisher) line(c Catalogue, at time.Time) *line {
	l := &line{Publisher: p, ids: c.Queue, taken: map[string]bool{}}
	for _, t := range c.Threads {
		if s := t.State(at); s == newsletter.ThreadReady || s == newsletter.ThreadWaiting {
			l.left = append(l.left, t)
		}
	}
	return l
}

// take takes the threads of the slot at a time, which is not before that of the
// last call.
func (l *line) take(at time.Time) (chosen []newsletter.Listed) {
	if !l.begun || !l.turn.IsZero() && !at.Before(l.turn) {
		l.order(at)
	}
	chosen, l.queue = l.cut(l.queue)
	for _, t := range chosen {
		l.taken[t.ID] = true
	}
	return chosen
}

// order looks who is ready at a time, and until when that stays so.
func (l *line) order(at time.Time) {
	l.left = l.rest()
	l.begun, l.turn, l.taken = true, time.Time{}, map[string]bool{}
	l.queue = newsletter.Queue(l.left, l.o.Order, l.ids, at)
	for _, t := range l.left {
		for _, change := range []time.Time{t.PublishDate, t.ExpiryDate} {
			if change.After(at) && (l.turn.IsZero() || change.Before(l.turn)) {
				l.turn = change
			}
		}
	}
}

// rest are those that no slot took.
func (l *line) rest() []newsletter.Listed {
	return slices.DeleteFunc(slices.Clone(l.left), func(t newsletter.Listed) bool { return l.taken[t.ID] })
}

// empty tells whether slots took all of them.
func (l *line) empty() bool { return len(l.taken) == len(l.left) }

// Outlook is how long the threads that are left will last, if nothing changes.
type Outlook struct {
	Left int // threads that are ready or waiting
	// Last is the slot of the last of them; zero where it is not to be seen: there
	// is no schedule, a pause without an end, or it is too far ahead.
	Last time.Time
	// Late are those that expire before their turn or, where no slot is in sight,
	// soon.
	Late []newsletter.Listed
}

const (
	// outlookSlots bounds how many slots an outlook looks at, and farAhead how
	// far.
	outlookSlots = 2000
	farAhead     = 10 * 366 * 24 * time.Hour
)

// Outlook tells how long the threads of a catalogue will last.
func (p *Publisher) Outlook(ctx context.Context, c Catalogue) (Outlook, error) {
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return Outlook{}, err
	}
	l := p.line(c, now)
	o := Outlook{Left: len(l.left)}
	last, seen := time.Time{}, now.Add(expiringSoon)
	if p.o.Schedule != nil {
		g, err := p.gaps(ctx)
		if err != nil {
			return Outlook{}, err
		}
		last, seen = p.walk(l, g, now)
	}
	all := true
	for _, t := range l.rest() {
		if t.ExpiryDate.IsZero() || t.ExpiryDate.After(seen) {
			all = false
			continue
		}
		o.Late = append(o.Late, t)
	}
	if all {
		o.Last = last
	}
	return o, nil
}

// walk lets slot after slot take its threads until none is left that could go
// out. It returns the last slot that took one, and until when it has looked.
func (p *Publisher) walk(l *line, g gaps, now time.Time) (last, seen time.Time) {
	seen = now
	for range outlookSlots {
		at := g.next(seen)
		if l.empty() || at.IsZero() || at.Sub(now) > farAhead {
			return last, seen
		}
		if g.pause.Covers(at) {
			if g.pause.Until.IsZero() {
				return last, latest(seen, now.Add(expiringSoon))
			}
			seen = latest(at, g.pause.Until.Add(-time.Nanosecond))
			continue
		}
		seen = at
		if len(l.take(at)) > 0 {
			last = at
		} else if !l.turn.IsZero() {
			seen = latest(at, l.turn.Add(-time.Nanosecond))
		}
	}
	return last, seen
}
