package deliver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// soon are probes for tests over real connections.
func soon() Probes {
	return Probes{Refused: []time.Duration{20 * time.Millisecond, 50 * time.Millisecond}, Quota: 20 * time.Millisecond}
}

// newTownScene is a scene with n subscribers at each of a number of domains,
// town1.example and so on, one domain after the other.
func newTownScene(t *testing.T, on ground, towns, n int, r *relay) *scene {
	t.Helper()
	sc := newScene(t, on, 0, r)
	settle(t, sc.Store, towns, n)
	sc.issue = publishIssue(t, sc.Store, 50)
	return sc
}

// settle adds n subscribers at each of a number of domains.
func settle(t *testing.T, s *store.Store, towns, n int) {
	t.Helper()
	var subs []newsletter.Subscriber
	for town := range towns {
		for i := range n {
			email := fmt.Sprintf("s%d@town%d.example", i+1, town+1)
			subs = append(subs, newsletter.Subscriber{Email: email, Key: email, Status: newsletter.SubscriberActive})
		}
	}
	if _, err := s.AddSubscribers(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
}

func (sc *scene) holds(t *testing.T) []newsletter.Hold {
	t.Helper()
	list, err := sc.Store.Holds(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func wantStatuses(t *testing.T, s *store.Store, want map[newsletter.SubscriberStatus]int) {
	t.Helper()
	got, err := s.CountSubscribers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for status, n := range want {
		if got[status] != n {
			t.Errorf("%d subscribers are %s, want %d", got[status], status, n)
		}
	}
}

func wantWarnings(t *testing.T, sc *scene, n int) []store.Warning {
	t.Helper()
	list, err := sc.Warnings(t.Context())
	if err != nil || len(list) != n {
		t.Errorf("warnings %+v %v, want %d", list, err, n)
	}
	return list
}

// TestDomainHeld has one domain of 50 that does not want our mail: the others
// get theirs, and that one goes on by itself once its server accepts.
func TestDomainHeld(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var open atomic.Bool
		var refused atomic.Int64
		sc := newTownScene(t, on, 50, 8, &relay{rcpt: func(_ *client, to string) error {
			if open.Load() || !strings.HasSuffix(to, "@town7.example") {
				return nil
			}
			refused.Add(1)
			return refusal(550, smtp.EnhancedCode{5, 7, 1}, "blocked by our policy")
		}})
		o := sc.options()
		o.Connections = 5
		sc.drain(t, o) // the probe is after its end
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 400, Sent: 392, Deferred: 8})
		for _, u := range unsettled(t, sc.Store, sc.issue) {
			if u.Hold != "town7.example" || u.Attempts > 0 || u.NextAt == nil {
				t.Errorf("%+v, want one that waits for town7.example and was not charged", u)
			}
		}
		if n := refused.Load(); n > 6 { // one is on its way to a worker
			t.Errorf("the domain was asked %d times, want about once a connection", n)
		}
		holds := sc.holds(t)
		if len(holds) != 1 || holds[0].Domain != "town7.example" || holds[0].Kind != newsletter.HoldPolicy || holds[0].Reason != "550 5.7.1 blocked by our policy" {
			t.Errorf("holds %+v", holds)
		}
		if d := time.Until(holds[0].ProbeAt); d < 14*time.Minute || d > 15*time.Minute {
			t.Errorf("the first probe is in %v", d)
		}
		if list := wantWarnings(t, sc, 1); !strings.Contains(list[0].Text, "town7.example") {
			t.Errorf("the warning %q does not name the domain", list[0].Text)
		}
		wantStatuses(t, sc.Store, map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 400})

		due := holds[0]
		due.ProbeAt = time.Now()
		if err := sc.SetHold(t.Context(), due); err != nil {
			t.Fatal(err)
		}
		o.Probes = soon()
		open.Store(true)
		sc.drain(t, o)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 400, Sent: 400})
		wantWarnings(t, sc, 0)
		if holds := sc.holds(t); len(holds) > 0 {
			t.Errorf("holds %+v, want none", holds)
		}
	})
}

// TestDomainProbed counts the messages that a domain is asked with while it is
// held: one a probe.
func TestDomainProbed(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var asked atomic.Int64
		var mu sync.Mutex
		var who []string
		sc := newTownScene(t, on, 1, 30, &relay{rcpt: func(_ *client, to string) error {
			mu.Lock()
			defer mu.Unlock()
			who = append(who, to)
			if asked.Add(1) <= 6 {
				return refusal(554, smtp.EnhancedCode{5, 7, 0}, "spam")
			}
			return nil
		}})
		o := sc.options()
		o.Connections, o.Probes = 1, Probes{Refused: []time.Duration{500 * time.Millisecond}} // until then the others are held
		sc.drain(t, o)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 30, Sent: 30})
		if n := asked.Load(); n != 36 {
			t.Errorf("asked %d times, want 30 and one for each refusal", n)
		}
		if first := slices.Compact(slices.Sorted(slices.Values(who[:6]))); len(first) < 4 { // the first may come twice: the others were not held yet
			t.Errorf("the probes were %v, want another address each time", who[:6])
		}
	})
}

// TestQuota lets the relay's quota be used up after some messages.
func TestQuota(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var taken, refused atomic.Int64
		sc := newScene(t, on, 600, &relay{rcpt: func(*client, string) error {
			if taken.Add(1) <= 500 || refused.Load() >= 12 {
				return nil
			}
			refused.Add(1)
			return refusal(550, smtp.EnhancedCode{5, 4, 5}, "daily quota exceeded")
		}})
		o := sc.options()
		sc.drain(t, o)
		c := counts(t, sc.Store, sc.issue)
		// An envelope that went ahead gets no content once all mail is held.
		if least := 500 - o.Connections; c.Sent < least || c.Sent > 500 || c.Sent+c.Pending != 600 {
			t.Errorf("counts %+v, want %d to 500 sent and the others pending", c, least)
		}
		if n := int(refused.Load()); n > 2*o.Connections {
			t.Errorf("%d refusals, want one or two a connection", n)
		}
		holds := sc.holds(t)
		if len(holds) != 1 || holds[0].Domain != wholeRelay || holds[0].Kind != newsletter.HoldQuota {
			t.Fatalf("holds %+v", holds)
		}
		if d := time.Until(holds[0].ProbeAt); d < 59*time.Minute || d > time.Hour {
			t.Errorf("the first probe is in %v", d)
		}
		wantWarnings(t, sc, 0) // nobody has to do anything
		holds[0].ProbeAt = time.Now()
		if err := sc.SetHold(t.Context(), holds[0]); err != nil {
			t.Fatal(err)
		}
		o.Probes = soon()
		sc.drain(t, o)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 600, Sent: 600})
		if holds := sc.holds(t); len(holds) > 0 {
			t.Errorf("holds %+v, want none", holds)
		}
	})
}

// TestEverybodyUnknown has a relay that calls every address unknown, which is
// more likely its own fault. The first of them are of one domain, which is held
// alone until others are refused as well.
func TestEverybodyUnknown(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var broken atomic.Bool
		broken.Store(true)
		var asked atomic.Int64
		sc := newTownScene(t, on, 10, 30, &relay{rcpt: func(*client, string) error {
			if !broken.Load() {
				return nil
			}
			asked.Add(1)
			return refusal(550, smtp.EnhancedCode{5, 1, 1}, "no such user")
		}})
		o := sc.options()
		o.Connections = 10
		sc.drain(t, o)
		if n := asked.Load(); n > 60 {
			t.Errorf("%d answers before sending paused", n)
		}
		if c := counts(t, sc.Store, sc.issue); c.Pending+c.Deferred != 300 {
			t.Errorf("counts %+v, want all to wait", c)
		}
		wantStatuses(t, sc.Store, map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 300})
		if list := wantWarnings(t, sc, 1); !strings.Contains(list[0].Text, "no such user") {
			t.Errorf("the warning %q does not tell why", list[0].Text)
		}
		sc.drain(t, o) // a restart does not send
		if n := asked.Load(); n > 60 {
			t.Errorf("%d answers after a restart", n)
		}
		holds := slices.DeleteFunc(sc.holds(t), func(h newsletter.Hold) bool { return h.Lifted })
		if len(holds) != 1 || holds[0].Domain != wholeRelay || holds[0].Kind != newsletter.HoldRefusals || len(holds[0].Undo) > 0 {
			t.Fatalf("holds %+v", holds)
		}
		holds[0].ProbeAt = time.Now()
		if err := sc.SetHold(t.Context(), holds[0]); err != nil {
			t.Fatal(err)
		}
		o.Probes = soon()
		broken.Store(false)
		sc.drain(t, o)
		if n := len(sc.relay.received()); n != 300 {
			t.Errorf("%d messages, want one for everybody", n)
		}
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 300, Sent: 300})
		wantStatuses(t, sc.Store, map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 300})
	})
}

// TestDeadDomain has a domain whose addresses lie together and are all refused
// as unknown: it is held alone, and nobody is blamed.
func TestDeadDomain(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var open atomic.Bool
		var refused atomic.Int64
		sc := newTownScene(t, on, 10, 40, &relay{rcpt: func(_ *client, to string) error {
			if open.Load() || !strings.HasSuffix(to, "@town3.example") {
				return nil
			}
			refused.Add(1)
			return refusal(550, smtp.EnhancedCode{5, 1, 1}, "no such domain here")
		}})
		o := sc.options()
		o.Connections = 3
		sc.drain(t, o)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 400, Sent: 360, Deferred: 40})
		wantStatuses(t, sc.Store, map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 400})
		if n := refused.Load(); n > 18 {
			t.Errorf("the domain was asked %d times, want ten and what was on its way", n)
		}
		for _, u := range unsettled(t, sc.Store, sc.issue) {
			if u.Hold != "town3.example" || u.Attempts > 0 {
				t.Errorf("%+v, want one that waits for its domain and was not charged", u)
			}
		}
		holds := sc.holds(t)
		if len(holds) != 1 || holds[0].Domain != "town3.example" || holds[0].Kind != newsletter.HoldRefusals || len(holds[0].Undo) > 0 {
			t.Fatalf("holds %+v", holds)
		}
		if w, err := sc.TakeWarning(t.Context()); err != nil || !strings.Contains(w.Text, "town3.example is held: 550 5.1.1") {
			t.Errorf("the operator hears of %+v, %v", w, err)
		}
		holds[0].ProbeAt = time.Now()
		if err := sc.SetHold(t.Context(), holds[0]); err != nil {
			t.Fatal(err)
		}
		o.Probes = soon()
		open.Store(true)
		sc.drain(t, o)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 400, Sent: 400})
		wantWarnings(t, sc, 0)
		if w, err := sc.TakeWarning(t.Context()); err != nil || w.Kind != "" {
			t.Errorf("the operator hears of %+v, %v", w, err)
		}
	})
}

// TestDamagedMessage has an issue whose mail cannot be read: it is stopped, the
// operator hears of it once, and later issues go out.
func TestDamagedMessage(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 5, &relay{})
		ctx := t.Context()
		number, err := sc.NextIssue(ctx)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		damaged := newsletter.Issue{Number: number, PublishedAt: now, HeldUntil: now.Add(time.Millisecond), AuthorCopy: "jo@example.com"}
		if _, err := sc.Publish(ctx, damaged, nil, newsletter.Snapshot{Message: []byte("not a message"), Sender: sender, Domain: "example.org"}, 500); err != nil {
			t.Fatal(err)
		}
		if err := sc.SiteWritten(ctx, []int64{number}); err != nil {
			t.Fatal(err)
		}
		next := publishIssue(t, sc.Store, 500)
		sender := sc.sender(t, sc.options())
		for range 2 {
			if err := sender.Drain(ctx, time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		wantCounts(t, sc.Store, number, newsletter.Counts{Recipients: 5, Pending: 5})
		wantCounts(t, sc.Store, next, newsletter.Counts{Recipients: 5, Sent: 5})
		want := fmt.Sprintf("the mail of issue %d is stopped: its message cannot be read", number)
		for n := range 2 {
			if w, err := sc.TakeWarning(ctx); err != nil || (w.Kind == "message") != (n == 0) || n == 0 && !strings.HasPrefix(w.Text, want) {
				t.Errorf("told %d: %+v, %v", n, w, err)
			}
		}
		if err := sender.SendCopies(ctx, sc.Store, "Jo", "https://example.com/"); !errors.Is(err, errUnreadable) {
			t.Errorf("copies: %v", err)
		}
		if err := sender.SendCopies(ctx, sc.Store, "Jo", "https://example.com/"); err != nil {
			t.Errorf("copies again: %v", err)
		}
		wantWarnings(t, sc, 1)
		if _, err := sc.WithdrawIssue(ctx, number); err != nil {
			t.Fatal(err)
		}
		wantWarnings(t, sc, 0)
	})
}

// TestDeadAddresses fails one address in a hundred.
func TestDeadAddresses(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 400, &relay{rcpt: func(_ *client, to string) error {
			if strings.HasSuffix(to, "00@example.com") {
				return refusal(550, smtp.EnhancedCode{5, 1, 1}, "no such user")
			}
			return nil
		}})
		sc.drain(t, sc.options())
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 400, Sent: 396, Failed: 4})
		wantStatuses(t, sc.Store, map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 396, newsletter.SubscriberBounced: 4})
		next := publishIssue(t, sc.Store, 500)
		wantCounts(t, sc.Store, next, newsletter.Counts{Recipients: 396, Pending: 396})
	})
}

// TestRelayRefusesUs refuses every recipient for our own sake: no domain is to
// blame.
func TestRelayRefusesUs(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var open atomic.Bool
		sc := newTownScene(t, on, 40, 3, &relay{rcpt: func(*client, string) error {
			if open.Load() {
				return nil
			}
			return refusal(550, smtp.EnhancedCode{5, 7, 26}, "unauthenticated mail is not accepted")
		}})
		o := sc.options()
		sc.drain(t, o)
		holds := slices.DeleteFunc(sc.holds(t), func(h newsletter.Hold) bool { return h.Lifted })
		if len(holds) != 1 || holds[0].Domain != wholeRelay || holds[0].Kind != newsletter.HoldPolicy {
			t.Fatalf("holds %+v, want one for all mail", holds)
		}
		wantStatuses(t, sc.Store, map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 120})
		holds[0].ProbeAt = time.Now()
		if err := sc.SetHold(t.Context(), holds[0]); err != nil {
			t.Fatal(err)
		}
		o.Probes = soon()
		open.Store(true)
		sc.drain(t, o)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 120, Sent: 120})
	})
}

// TestDeferredTwice defers recipients again and again, also such whose envelope
// went ahead and who were never marked: none is given up before its time.
func TestDeferredTwice(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var mu sync.Mutex
		asked := map[string]int{}
		sc := newScene(t, on, 60, &relay{rcpt: func(_ *client, to string) error {
			mu.Lock()
			defer mu.Unlock()
			if asked[to]++; asked[to] <= 3 && strings.HasSuffix(to, "3@example.com") {
				return refusal(451, smtp.EnhancedCode{4, 7, 1}, "greylisted")
			}
			return nil
		}})
		o := sc.options()
		o.Connections = 1
		sc.drain(t, o)
		sc.relay.wantEveryoneOnce(t, 60)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 60, Sent: 60})
	})
}
