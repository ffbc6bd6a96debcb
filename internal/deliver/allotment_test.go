package deliver

import (
	"testing"
	"testing/synctest"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// TestShareShrinks takes connections away from a sender: those that have no work
// or wait for the rate are given up in that moment, not when they are used next.
func TestShareShrinks(t *testing.T) {
	for _, tt := range []struct {
		name string
		rate float64
		wait time.Duration // after which all are open
		sent int           // by then
	}{
		{"no work", 0, time.Second, 400},
		{"waiting for the rate", 0.5, 20 * time.Second, 10},
	} {
		t.Run(tt.name, func(t *testing.T) {
			later(t, 400, func(t *testing.T, s *store.Store, issue int64) {
				d := &desk{}
				o := options(s, d)
				o.Connections, o.Rate = 8, tt.rate
				sender, stop := running(t, o)
				open := func(want int) {
					t.Helper()
					synctest.Wait()
					d.mu.Lock()
					defer d.mu.Unlock()
					if d.open != want {
						t.Errorf("%d connections are open, want %d", d.open, want)
					}
				}
				of := func(senders int) {
					t.Helper()
					if err := sender.Share(t.Context(), senders, 0, 8); err != nil {
						t.Fatal(err)
					}
				}
				of(1)
				time.Sleep(tt.wait)
				open(8)
				if n := len(d.times(&d.sent)); n < tt.sent {
					t.Errorf("%d messages, want %d by now", n, tt.sent)
				}
				of(2)
				open(4)
				of(8)
				open(1)
				of(1)
				if tt.rate > 0 {
					time.Sleep(20 * time.Minute)
				}
				wantCounts(t, s, issue, newsletter.Counts{Recipients: 400, Sent: 400})
				stop()
			})
		})
	}
}
