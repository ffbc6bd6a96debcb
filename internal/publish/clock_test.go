package publish_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"threadmill/internal/publish"
	"threadmill/internal/store"
)

// skewed is a database whose clock differs from this machine's.
type skewed struct {
	*store.Store
	by atomic.Int64
}

func (s *skewed) Now(context.Context) (time.Time, error) {
	return time.Now().Add(time.Duration(s.by.Load())), nil
}

// TestSlotsByTheDatabasesClock runs a daemon whose machine has another time than
// the database, and then is set. It publishes at the slots of the database's
// clock, neither before them nor noticeably after.
func TestSlotsByTheDatabasesClock(t *testing.T) {
	for _, by := range []time.Duration{0, time.Hour, -time.Hour, 12*time.Minute + 300*time.Millisecond, -25 * time.Second} {
		t.Run(fmt.Sprint(by), func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				s := settings{cron: "*/10 * * * *", zone: "UTC"}
				d := newDesk(t, settings{})
				d.threads(12)
				o := d.options(s)
				clock := &skewed{Store: d.store}
				clock.by.Store(int64(by))
				o.Store = clock
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- publish.New(o).Run(ctx, publish.Signals{}, func() {}) }()
				time.Sleep(31 * time.Minute)
				clock.by.Add(int64(3*time.Minute + 100*time.Millisecond)) // the machine's clock was slow and is set
				time.Sleep(31 * time.Minute)
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				issues, err := d.store.Issues(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				for _, i := range issues {
					due, err := time.Parse("2006-01-02T15:04-07:00[UTC]", i.Slot)
					if late := i.PublishedAt.Sub(due); err != nil || late < 0 || late > 1100*time.Millisecond {
						t.Errorf("issue %d is %v after its slot %s (%v)", i.Number, late, i.Slot, err)
					}
				}
				if n := len(issues); n < 6 || n > 7 {
					t.Errorf("%d issues in a bit more than an hour", n)
				}
			})
		})
	}
}
