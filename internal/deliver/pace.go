package deliver

import (
	"context"
	"sync"
	"time"
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
}

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
	if d.total >= d.limit {
		return false
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
	if d.total < d.limit {
		return time.Time{}
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
	if s.daily.limit == 0 {
		return nil
	}
	sent, err := s.Store.SentSince(ctx, time.Now().Add(-day-time.Minute))
	if err == nil {
		s.daily.load(sent)
	}
	return err
}
