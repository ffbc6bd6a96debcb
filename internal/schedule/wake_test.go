package schedule_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"threadmill/internal/schedule"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestWakeAtSlots lets a day pass, in which every slot wakes in its second
// and no wait exceeds 30 seconds.
func TestWakeAtSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		s := parse(t, "*/45 3-20 * * *", "Europe/London")
		known, slots := time.Now(), 0
		before := known
		for range s.Wake(ctx) {
			now := time.Now()
			if wait := now.Sub(before); wait > 30*time.Second {
				t.Fatalf("slept %v", wait)
			}
			before = now
			if slot, ok := s.Last(known, now); ok {
				if late := now.Sub(slot); late >= time.Second {
					t.Errorf("woke %v after the slot %v", late, slot)
				}
				known = slot
				slots++
			}
		}
		if want := 18 * 2; slots != want {
			t.Errorf("%d slots, want %d", slots, want)
		}
	})
}

func TestWakeWithoutSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var none *schedule.Schedule
		wakes := none.Wake(ctx)
		start := time.Now()
		<-wakes
		if waited := time.Since(start); waited > 30*time.Second {
			t.Errorf("woke after %v", waited)
		}
		cancel()
		if _, open := <-wakes; open {
			t.Error("the channel is open after the end of its context")
		}
	})
}

// TestWakeMergesForASlowReceiver leaves the channel alone for an hour of
// slots in every second.
func TestWakeMergesForASlowReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		wakes := parse(t, "@every 1s", "UTC").Wake(ctx)
		time.Sleep(time.Hour)
		cancel()
		synctest.Wait()
		count := 0
		for range wakes {
			count++
		}
		if count != 1 {
			t.Errorf("%d wake-ups were kept, want 1", count)
		}
	})
}
