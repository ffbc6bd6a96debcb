package deliver

import (
	"context"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// paceMargin keeps the messages of any one second within the rate: between
// being allowed and being sent lies a commit, whose time varies.
const paceMargin = 0.98

// day is the time that the daily limit speaks of.
const day = 24 * time.Hour

// daily allows a number of messages in any 24 hours. It counts by minutes, and
// forgets a minute when its last second is a day old.
type daily struct {
	mu     sync.Mutex
	limit  int // 0 for none
	total  int
	minute map[int64]int // since 1970
	// Where others send too: how many, which of them this is, and what it took
	// that may not stand in the database yet.
	of, place int
	own       int
	taken     []time.Time
}

// allowance is how many more this sender may take. What all of them have left
// they share alike.
func (d *daily) allowance() int {
	left := d.limit - d.total
	if d.of == 0 {
		return left
	}
	return d.own
}

// share sets the part of this sender, from what stands in the database.
func (d *daily) share(sent map[int64]int, of, place int, now time.Time) {
	d.load(sent)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of, d.place = of, place
	d.forget(now)
	d.taken = slices.DeleteFunc(d.taken, func(at time.Time) bool { return now.Sub(at) > settling })
	left := max(d.limit-d.total, 0)
	d.own = left / of
	if place < left%of {
		d.own++
	}
	d.own -= len(d.taken)
}

// settling is how long it may take until a message that was allowed is counted
// by the database: until then it is counted twice, to be on the safe side.
const settling = 2 * time.Second

// load takes what was sent before, by minutes since 1970.
func (d *daily) load(sent map[int64]int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.minute, d.total = map[int64]int{}, 0
	for m, n := range sent {
		d.minute[m] += n
		d.total += n
	}
}

// take allows one message, or none.
func (d *daily) take(now time.Time) bool {
	if d.limit == 0 {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(now)
	if d.allowance() <= 0 {
		return false
	}
	if d.of > 0 {
		d.own--
		d.taken = append(d.taken, now)
	}
	if d.minute == nil {
		d.minute = map[int64]int{}
	}
	d.minute[now.Unix()/60]++
	d.total++
	return true
}

// back says that the message of a take was not sent.
func (d *daily) back(now time.Time) {
	if d.limit == 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.total > 0 {
		if d.of > 0 {
			d.own++
		}
		d.minute[now.Unix()/60]-- // below zero where it was taken a minute before
		d.total--
	}
}

// next is when a message may go, zero for now.
func (d *daily) next(now time.Time) time.Time {
	if d.limit == 0 {
		return time.Time{}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(now)
	if d.allowance() > 0 {
		return time.Time{}
	}
	if d.total < d.limit { // others use their part, or the last ones are not counted yet
		return now.Add(look)
	}
	next := now.Add(day)
	for m, n := range d.minute {
		if at := over(m); n > 0 && at.Before(next) {
			next = at
		}
	}
	return next
}

// NextDaily is when a daily limit lets another message go after those that were
// sent, by minutes since 1970; zero for now.
func NextDaily(sent map[int64]int, limit int, now time.Time) time.Time {
	d := daily{limit: limit}
	d.load(sent)
	return d.next(now)
}

// over is when a minute no longer counts.
func over(minute int64) time.Time { return time.Unix((minute+1)*60, 0).Add(day) }

func (d *daily) forget(now time.Time) {
	for m, n := range d.minute {
		if !over(m).After(now) {
			d.total -= n
			delete(d.minute, m)
		}
	}
}

// countDaily reads what was sent in the last day, by this process or another.
func (s *Sender) countDaily(ctx context.Context) error {
	if s.daily.limit == 0 || s.Shared {
		return nil
	}
	sent, err := s.Store.SentSince(ctx, time.Now().Add(-day-time.Minute))
	if err == nil {
		s.daily.load(sent)
	}
	return err
}

// Share tells a shared Sender how many send, which of them it is, from 0, and how
// many connections all of them may have, 0 for no limit. It is to be called
// every second.
func (s *Sender) Share(ctx context.Context, of, place, connections int) error {
	if s.Daily > 0 {
		sent, err := s.Store.SentSince(ctx, time.Now().Add(-day-time.Minute))
		if err != nil {
			return err
		}
		s.daily.share(sent, of, place, time.Now())
	}
	if s.Rate > 0 {
		s.limit.SetLimit(rate.Limit(s.Rate * paceMargin / float64(of)))
	}
	mine := max(s.Connections, 1)
	if connections > 0 {
		all := connections / of
		if place < connections%of {
			all++
		}
		mine = min(mine, all)
	}
	s.share.set(mine)
	return nil
}
