package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func TestSchedule(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		const weekly, daily, utc, paris = "0 9 * * MON", "0 9 * * *", "UTC", "Europe/Paris"
		since := func(expression, zone string, now, want time.Time) {
			t.Helper()
			if have := got(s.ScheduleSince(ctx, expression, zone, now))(t); !have.Equal(want) {
				t.Errorf("%s in %s counts since %v, want %v", expression, zone, have, want)
			}
		}
		begin := func(expression, zone string, now, want time.Time) {
			t.Helper()
			if have := got(s.BeginSchedule(ctx, expression, zone, now))(t); !have.Equal(want) {
				t.Errorf("%s in %s begins at %v, want %v", expression, zone, have, want)
			}
		}
		since(weekly, utc, at(1), at(1))
		since(weekly, utc, at(2), at(2)) // asking keeps nothing
		begin(weekly, utc, at(3), at(3))
		begin(weekly, utc, at(4), at(3))
		since(weekly, utc, at(5), at(3))
		since(daily, utc, at(5), at(5))
		begin(daily, utc, at(6), at(6))   // another expression counts from then
		begin(daily, paris, at(7), at(7)) // so does another zone
		begin(weekly, utc, at(8), at(8))  // and going back
		begin(weekly, utc, at(50), at(8)) // ... to stay
		since(weekly, utc, at(2), at(2))  // noted under a clock that was ahead
		begin(weekly, utc, at(2), at(2))  // is noted anew
		begin(weekly, utc, at(50), at(2))
		must(t, s.EndSchedule(ctx)) // taken out of the config, and put back later
		begin(weekly, utc, at(60), at(60))
	})
}

// The site may name the day of a slot that nobody kept, and of no other slot
// that is over without an issue: a slot each minute must not have all nodes write
// their sites each minute.
func TestSlotsThatTheSiteNames(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		for i, outcome := range []newsletter.SlotOutcome{newsletter.SlotEmpty, newsletter.SlotPaused, newsletter.SlotMissed} {
			before := got(s.Revision(t.Context()))(t)
			must(t, s.ClaimSlot(t.Context(), *slotAt(10 + i), outcome, at(30)))
			if raised := got(s.Revision(t.Context()))(t) > before; raised != (outcome == newsletter.SlotMissed) {
				t.Errorf("a slot that is %s raises the revision: %v", outcome, raised)
			}
		}
	})
}

func TestSlots(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		lastSlot := func(now, wantLast, wantFuture time.Time) {
			t.Helper()
			last, future, err := s.LastSlot(ctx, now)
			if err != nil || !last.Equal(wantLast) || !future.Equal(wantFuture) {
				t.Errorf("last %v, future %v, %v; want %v and %v", last, future, err, wantLast, wantFuture)
			}
		}
		lastSlot(at(10), time.Time{}, time.Time{})
		must(t, s.ClaimSlot(ctx, *slotAt(10), newsletter.SlotEmpty, at(10)))
		must(t, s.ClaimSlot(ctx, *slotAt(5), newsletter.SlotMissed, at(10)))
		lastSlot(at(10), at(10), time.Time{})
		lastSlot(at(9), at(5), at(10))
		lastSlot(at(1), time.Time{}, at(10))
		if err := s.ClaimSlot(ctx, *slotAt(10), newsletter.SlotMissed, at(11)); !errors.Is(err, newsletter.ErrTaken) {
			t.Errorf("a slot that is over: %v, want ErrTaken", err)
		}
		if _, err := s.Publish(ctx, issueOf(1), slotAt(10), snap, 10); !errors.Is(err, newsletter.ErrTaken) {
			t.Errorf("publish for a slot that is over: %v, want ErrTaken", err)
		}
	})
}

// TestSlotRace has many claim what is one slot, with a name or an instant of their
// own by turns; some find nothing to publish. One of them has it.
func TestSlotRace(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		for round := range 6 {
			due := at(60 * (round + 1))
			won := make(chan struct{}, 20)
			var wg sync.WaitGroup
			for i := range cap(won) {
				slot := newsletter.Slot{Key: fmt.Sprintf("slot %d", round), Due: due}
				if round%2 == 0 {
					slot.Due = due.Add(time.Duration(i) * time.Second) // zone data
				} else {
					slot.Key = fmt.Sprintf("slot %d as %d calls it", round, i) // a zone's name
				}
				wg.Go(func() {
					var err error
					if i%4 == 3 {
						err = s.ClaimSlot(t.Context(), slot, newsletter.SlotEmpty, due)
					} else {
						_, err = s.Publish(t.Context(), issueOf(int64(100*round+i+1)), &slot, snap, 10)
					}
					switch {
					case err == nil:
						won <- struct{}{}
					case !errors.Is(err, newsletter.ErrTaken):
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if n := len(won); n != 1 {
				t.Errorf("round %d: %d have the slot", round, n)
			}
		}
	})
}

func TestPause(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if p := got(s.Pause(ctx))(t); p != (newsletter.Pause{}) {
			t.Errorf("pause %+v, want none", p)
		}
		for _, p := range []newsletter.Pause{
			{Since: at(1)},
			{Since: at(2), Until: at(30), Sending: true},
		} {
			must(t, s.SetPause(ctx, p))
			if diff := cmp.Diff(p, got(s.Pause(ctx))(t)); diff != "" {
				t.Error(diff)
			}
		}
		must(t, s.Resume(ctx, slotAt(5), at(6)))
		if p := got(s.Pause(ctx))(t); p.Covers(at(7)) {
			t.Errorf("pause %+v after resume", p)
		}
		if last, _, err := s.LastSlot(ctx, at(6)); err != nil || !last.Equal(at(5)) {
			t.Errorf("the slot under the pause is not over: %v %v", last, err)
		}
		must(t, s.Resume(ctx, slotAt(5), at(7))) // it may be over already
		must(t, s.Resume(ctx, nil, at(8)))
	})
}

func TestWarnings(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		must(t, s.Unwarn(ctx, "relay"))
		must(t, s.Warn(ctx, "relay", "refused"))
		since := got(s.Warnings(ctx))(t)[0].Since
		must(t, s.Warn(ctx, "site", "disk full"))
		must(t, s.Warn(ctx, "relay", "timed out"))
		list := got(s.Warnings(ctx))(t)
		kinds := map[string]string{}
		for _, w := range list {
			kinds[w.Kind] = w.Text
			if w.Kind == "relay" && !w.Since.Equal(since) {
				t.Errorf("the relay's fault began at %v, now it is %v", since, w.Since)
			}
		}
		if diff := cmp.Diff(map[string]string{"relay": "timed out", "site": "disk full"}, kinds); diff != "" {
			t.Error(diff)
		}
		must(t, s.Unwarn(ctx, "relay"))
		if list := got(s.Warnings(ctx))(t); len(list) != 1 || list[0].Kind != "site" {
			t.Errorf("warnings %+v", list)
		}
	})
}
