package deliver

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// running runs a shared sender; stop waits for its end.
func running(t *testing.T, o Options) (s *Sender, stop func()) {
	t.Helper()
	o.Shared = true
	s = New(o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return s, func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// share tells a sender its part for some seconds.
func share(t *testing.T, s *Sender, of, place, connections, seconds int) {
	t.Helper()
	for range seconds {
		if err := s.Share(t.Context(), of, place, connections); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
	}
}

// A sender that shares begins when it knows its part, and keeps to it.
func TestShareOfRate(t *testing.T) {
	later(t, 500, func(t *testing.T, s *store.Store, _ int64) {
		d := &desk{}
		o := options(s, d)
		o.Rate = 20
		sender, stop := running(t, o)
		time.Sleep(10 * time.Second)
		if n := len(d.times(&d.sent)); n > 0 {
			t.Errorf("%d messages before the share is known", n)
		}
		share(t, sender, 2, 0, 0, 10)
		half := len(d.times(&d.sent))
		if half < 95 || half > 101 {
			t.Errorf("%d messages in ten seconds at half of 20", half)
		}
		share(t, sender, 1, 0, 0, 10)
		if n := len(d.times(&d.sent)) - half; n < 190 || n > 201 {
			t.Errorf("%d messages in ten seconds at 20", n)
		}
		stop()
	})
}

// What is left of the day is shared, and nobody takes what others have taken.
func TestShareOfDay(t *testing.T) {
	later(t, 50, func(t *testing.T, s *store.Store, _ int64) {
		d := &desk{}
		o := options(s, d)
		o.Daily = 11
		sender, stop := running(t, o)
		if err := sender.Share(t.Context(), 2, 0, 0); err != nil {
			t.Error(err)
		}
		time.Sleep(500 * time.Millisecond)
		if n := len(d.times(&d.sent)); n != 6 {
			t.Errorf("%d messages, want half of 11", n)
		}
		share(t, sender, 2, 1, 0, 10)
		if n := len(d.times(&d.sent)); n < 6 || n > 11 {
			t.Errorf("%d messages of 11 are out", n)
		}
		share(t, sender, 1, 0, 0, 10)
		if n := len(d.times(&d.sent)); n != 11 {
			t.Errorf("%d messages, want 11", n)
		}
		stop()
	})
}

// No more connections are open than fall to the sender, be it none.
func TestShareOfConnections(t *testing.T) {
	later(t, 400, func(t *testing.T, s *store.Store, issue int64) {
		d := &desk{}
		o := options(s, d)
		o.Connections, o.Rate = 8, 20
		sender, stop := running(t, o)
		share(t, sender, 2, 1, 5, 5)
		if n := len(d.times(&d.dials)); n != 2 {
			t.Errorf("%d connections, want 2 of 5", n)
		}
		share(t, sender, 3, 2, 2, 20)
		before := len(d.times(&d.sent))
		share(t, sender, 3, 2, 2, 20)
		if n := len(d.times(&d.sent)) - before; n > 0 {
			t.Errorf("%d messages without a connection", n)
		}
		share(t, sender, 1, 0, 0, 60)
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 400, Sent: 400})
		stop()
	})
}

// What another sender holds is held here within a second, and is not probed.
func TestOthersHold(t *testing.T) {
	for _, domain := range []string{"example.com", ""} {
		t.Run("hold of "+domain, func(t *testing.T) {
			later(t, 100, func(t *testing.T, s *store.Store, issue int64) {
				d := &desk{}
				o := options(s, d)
				o.Rate, o.Probes = 10, quicker()
				sender, stop := running(t, o)
				share(t, sender, 1, 0, 0, 3)
				hold := newsletter.Hold{Domain: domain, Kind: newsletter.HoldPolicy, Reason: "550 blocked", Since: time.Now(), ProbeAt: time.Now().Add(time.Minute)}
				if err := s.SetHold(t.Context(), hold); err != nil {
					t.Fatal(err)
				}
				share(t, sender, 1, 0, 0, 2)
				before := len(d.times(&d.sent))
				share(t, sender, 1, 0, 0, 90)
				if n := len(d.times(&d.sent)) - before; before == 0 || n > 0 {
					t.Errorf("%d messages under the hold, %d before", n, before)
				}
				sender.Keep() // then the probe is ours
				share(t, sender, 1, 0, 0, 30)
				wantCounts(t, s, issue, newsletter.Counts{Recipients: 100, Sent: 100})
				stop()
			})
		})
	}
}

// Who lost the database does not wait for messages under way as after a stop.
func TestCutOff(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		begun, release := make(chan struct{}), make(chan struct{})
		begin := sync.OnceFunc(func() { close(begun) })
		sc := newScene(t, on, 5, &relay{content: func(*client, received) error {
			begin()
			<-release
			return nil
		}})
		defer close(release)
		o := sc.options()
		o.Connections, o.StopTimeout = 2, time.Hour
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		s := sc.sender(t, o)
		go func() { ended <- sc.run(ctx, s) }()
		<-begun
		cancel(fmt.Errorf("the line broke: %w", newsletter.ErrCutOff))
		if err := <-ended; err != nil { // within a test, not an hour
			t.Error(err)
		}
	})
}
