package deliver

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// TestStop ends the sender while messages are under way: they are finished and
// written down, and nobody gets a second copy later.
func TestStop(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		ctx, cancel := context.WithCancel(t.Context())
		var taken atomic.Int64
		sc := newScene(t, on, 40, &relay{content: func(*client, received) error {
			if taken.Add(1) == 15 {
				cancel()
			}
			return nil
		}})
		if err := sc.run(ctx, sc.sender(t, sc.options())); err != nil {
			t.Fatalf("run: %v", err)
		}
		wantNothingSending(t, sc.Store, sc.issue)
		got := len(sc.relay.received())
		if got < 15 || got > 17 {
			t.Errorf("%d messages went out, want the 15 and at most one more for each connection", got)
		}
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 40, Sent: got, Pending: 40 - got})
		sc.drain(t, sc.options())
		sc.relay.wantEveryoneOnce(t, 40)
	})
}

// TestStopAtOnce stops a sender before it has read anything, which is no fault.
func TestStopAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 2, &relay{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s := sc.sender(t, sc.options())
		if err := sc.run(ctx, s); err != nil {
			t.Errorf("run: %v", err)
		}
		if err := s.Drain(ctx, time.Minute); err != nil {
			t.Errorf("drain: %v", err)
		}
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 2, Pending: 2})
	})
}

// TestStopTimeout ends a sender whose relay does not answer any more.
func TestStopTimeout(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		var waiting sync.WaitGroup
		waiting.Add(2)
		var taken atomic.Int64
		sc := newScene(t, on, 10, &relay{content: func(c *client, _ received) error {
			if taken.Add(1) <= 2 {
				waiting.Done()
				<-done
				return errors.New("gone")
			}
			return nil
		}})
		o := sc.options()
		o.StopTimeout = time.Millisecond
		ended := make(chan error, 1)
		s := sc.sender(t, o)
		go func() { ended <- sc.run(ctx, s) }()
		waiting.Wait()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		close(done)
		wantNothingSending(t, sc.Store, sc.issue)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 10, Pending: 10})
		sc.drain(t, sc.options())
		sc.relay.wantEveryoneOnce(t, 10)
	})
}

// TestLeavesMeanwhile unsubscribes somebody while the message before theirs is
// being sent: P6.
func TestLeavesMeanwhile(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var sc *scene
		sc = newScene(t, on, 10, &relay{content: func(_ *client, m received) error {
			if m.to != address(4) {
				return nil
			}
			sub, err := sc.SubscriberByKey(t.Context(), address(6))
			if err != nil {
				return err
			}
			return sc.SetSubscriberStatus(t.Context(), sub.ID, newsletter.SubscriberUnsubscribed, "link")
		}})
		o := sc.options()
		o.Connections = 1
		s := sc.drain(t, o)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 10, Sent: 9, Canceled: 1})
		wantUnsettled(t, sc, store.Unsettled{Email: address(6), State: newsletter.DeliveryCanceled})
		if p := s.Progress(); p != (Progress{Sent: 9, Canceled: 1}) {
			t.Errorf("progress %+v", p)
		}
	})
}

// broken is a database that fails to take the journal some times.
type broken struct {
	Store
	fails   atomic.Int64
	started func()
	ended   func()
}

func (b *broken) Journal(ctx context.Context, entries []newsletter.JournalEntry) ([]bool, error) {
	if left := b.fails.Add(-1); left >= 0 {
		b.started()
		return nil, errors.New("disk full")
	}
	b.ended()
	return b.Store.Journal(ctx, entries)
}

// TestJournalFails makes the database refuse while messages are under way:
// nothing leaves until it takes the journal again.
func TestJournalFails(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		b := new(broken)
		var taken, while, at atomic.Int64
		sc := newScene(t, on, 30, &relay{content: func(*client, received) error {
			if taken.Add(1) == 10 {
				b.fails.Store(4)
			}
			return nil
		}})
		b.Store = sc.node
		// Once the first write failed, what is on the wire may come to its end:
		// with two connections the other one.
		b.started = func() { at.CompareAndSwap(0, taken.Load()) }
		b.ended = func() {
			if first := at.Load(); first > 0 && while.Load() == 0 {
				while.Store(taken.Load() - first + 1)
			}
		}
		o := sc.options()
		o.Store = b
		sc.drain(t, o)
		if n := while.Load() - 1; n < 0 || n > 1 {
			t.Errorf("%d messages left while the journal could not be written", n)
		}
		sc.relay.wantEveryoneOnce(t, 30)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 30, Sent: 30})
	})
}
