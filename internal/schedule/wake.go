package schedule

import (
	"context"
	"time"

	"github.com/robfig/cron/v3"
)

// checkEvery bounds how late a slot is noticed after the machine slept or its
// clock was set: robfig's timers run on the monotonic clock.
const checkEvery = 30 * time.Second

// Wake sends when a slot has come, and every 30 seconds besides. A wake-up is
// only an occasion to ask Last; one that finds the receiver busy is merged
// with the one before. A nil schedule gives the 30 seconds alone. The channel
// is closed after ctx has ended, and then no goroutine is left.
func (s *Schedule) Wake(ctx context.Context) <-chan struct{} {
	wakes := make(chan struct{}, 1)
	ring := cron.FuncJob(func() {
		select {
		case wakes <- struct{}{}:
		default:
		}
	})
	alarm := cron.New(cron.WithLocation(time.UTC), cron.WithLogger(cron.DiscardLogger))
	alarm.Schedule(cron.Every(checkEvery), ring)
	if s != nil {
		alarm.Schedule(s, ring)
	}
	alarm.Start()
	context.AfterFunc(ctx, func() {
		<-alarm.Stop().Done() // no ring comes after this
		close(wakes)
	})
	return wakes
}
