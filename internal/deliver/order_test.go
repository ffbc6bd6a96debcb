package deliver

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// Of two issues that overlap the older goes first: what is left of it, and a
// delivery of it that comes due again while the younger is under way.
func TestOldestIssueFirst(t *testing.T) {
	later(t, 40, func(t *testing.T, s *store.Store, issue int64) {
		var order []string // of the readers, as they were sent to
		d := &desk{}
		greylisted := false
		d.rcpt = func(to string) error {
			if to == address(3) && !greylisted {
				greylisted = true
				return &mail.Refusal{Stage: mail.StageRcpt, Code: 451, Enhanced: "4.7.1", Text: "greylisted"}
			}
			order = append(order, to)
			return nil
		}
		o := options(s, d)
		o.Rate = 2
		o.Retry = Retry{First: 25 * time.Second, Max: time.Hour, GiveUp: 72 * time.Hour}
		stop := runBeside(t, o)
		time.Sleep(5 * time.Second)
		next := publishIssue(t, s, 5)
		time.Sleep(time.Minute)
		stop()
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 40, Sent: 40})
		wantCounts(t, s, next, newsletter.Counts{Recipients: 40, Sent: 40})
		if len(order) != 80 {
			t.Fatalf("%d messages, want 80", len(order))
		}
		first := slices.Clone(order[:39])
		slices.Sort(first)
		if len(slices.Compact(first)) != 39 || slices.Contains(first, address(3)) {
			t.Errorf("the younger issue began before the older was out: %v", order[:39])
		}
		// Due again after 26 to 29 s, when some 53 to 58 were sent, it waits for the
		// batches that are under way and no other.
		if at := slices.Index(order, address(3)); at < 39 || at > 39+30 {
			t.Errorf("the late one of the older issue was message %d", at+1)
		}
	})
}

// A relay that thinks longer about a message than about a command is waited
// for, also by a stop: nobody gets a copy.
func TestRelayThinksLong(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		const (
			timeout = 2 * time.Second
			thought = timeout + timeout/4
		)
		ctx, cancel := context.WithCancel(t.Context())
		var asked atomic.Int64
		sc := newScene(t, on, 5, &relay{content: func(*client, received) error {
			if asked.Add(1) == 3 {
				cancel()
			}
			time.Sleep(thought)
			return nil
		}})
		o := sc.options()
		o.Transport = sc.relay.transportWith(timeout)
		if err := sc.run(ctx, sc.sender(t, o)); err != nil {
			t.Fatal(err)
		}
		wantNothingSending(t, sc.Store, sc.issue)
		got := len(sc.relay.received())
		if got < 3 || got > 4 {
			t.Errorf("%d messages went out, want the third and one more of each other connection at most", got)
		}
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 5, Sent: got, Pending: 5 - got})
		sc.drain(t, o)
		sc.relay.wantEveryoneOnce(t, 5)
		if n := asked.Load(); n != 5 {
			t.Errorf("the relay saw the content of %d messages, want 5", n)
		}
	})
}
