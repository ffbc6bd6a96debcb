package deliver

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// scene is a relay, a database with n subscribers and one issue to send.
type scene struct {
	*store.Store
	node  *store.Node // in its hands the sender has the store
	relay *relay
	issue int64
	stop  func() // stops the relay
}

func newScene(t *testing.T, on ground, n int, r *relay) *scene {
	t.Helper()
	s := on.open(t)
	sc := &scene{Store: s, node: join(t, s), relay: r}
	sc.stop = r.start(t)
	subscribe(t, sc.Store, n)
	sc.issue = publishIssue(t, sc.Store, 7)
	return sc
}

func (sc *scene) options() Options { return options(sc.node, sc.relay.transport()) }

func TestEveryoneOnce(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 50, &relay{})
		o := sc.options()
		o.Connections = 5
		s := sc.drain(t, o)
		sc.relay.wantEveryoneOnce(t, 50)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 50, Sent: 50})
		if p := s.Progress(); p != (Progress{Sent: 50}) {
			t.Errorf("progress %+v", p)
		}
		row, err := sc.Issue(t.Context(), sc.issue)
		if err != nil || row.FinishedAt.IsZero() {
			t.Errorf("the issue is not finished: %v", err)
		}
		ids := map[string]bool{}
		for _, m := range sc.relay.received() {
			ids[m.id] = true
		}
		if len(ids) != 50 {
			t.Errorf("%d different Message-IDs, want 50", len(ids))
		}
		sc.drain(t, o) // nothing is left
		sc.relay.wantEveryoneOnce(t, 50)
	})
}

func TestFolder(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 20, &relay{})
		dir := t.TempDir()
		o := sc.options()
		o.Transport = mail.NewFolder(dir)
		sc.drain(t, o)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 20, Sent: 20})
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 20 {
			t.Errorf("%d files, want 20: %v", len(files), err)
		}
	})
}

func TestRefusedForNow(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		refuse := once(func(string) error { return refusal(451, smtp.EnhancedCode{4, 7, 1}, "greylisted") })
		sc := newScene(t, on, 20, &relay{rcpt: func(_ *client, to string) error { return refuse(to) }})
		s := sc.drain(t, sc.options())
		sc.relay.wantEveryoneOnce(t, 20)
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 20, Sent: 20})
		if p := s.Progress(); p != (Progress{Sent: 20, Deferred: 20}) {
			t.Errorf("progress %+v", p)
		}
	})
}

func TestGiveUp(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var tries atomic.Int64
		sc := newScene(t, on, 1, &relay{rcpt: func(*client, string) error {
			tries.Add(1)
			return refusal(450, smtp.EnhancedCode{4, 2, 1}, "mailbox busy")
		}})
		o := sc.options()
		o.Retry.GiveUp = 0
		sc.drain(t, o)
		wantUnsettled(t, sc, store.Unsettled{Email: address(1), State: newsletter.DeliveryFailed, Attempts: 2, Code: 450, Answer: "4.2.1 mailbox busy"})
		if n := tries.Load(); n != 2 {
			t.Errorf("%d tries, want 2", n)
		}
	})
}

func TestRefusedForGood(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 20, &relay{rcpt: func(_ *client, to string) error {
			if to == address(3) {
				return refusal(550, smtp.EnhancedCode{5, 1, 1}, "no such user")
			}
			return nil
		}})
		sc.drain(t, sc.options())
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 20, Sent: 19, Failed: 1})
		wantUnsettled(t, sc, store.Unsettled{Email: address(3), State: newsletter.DeliveryFailed, Attempts: 1, Code: 550, Answer: "5.1.1 no such user"})
	})
}

// wantUnsettled compares the one delivery that did not simply go out.
func wantUnsettled(t *testing.T, sc *scene, want store.Unsettled) {
	t.Helper()
	if list := unsettled(t, sc.Store, sc.issue); len(list) != 1 || list[0] != want {
		t.Errorf("not simply sent: %+v, want %+v", list, want)
	}
}

// TestChannelCloses says 421 at one step of every fifth transaction, as relays
// do that take so many messages on a connection.
func TestChannelCloses(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		tired := func(c *client) error {
			if c.count == 5 {
				return refusal(421, smtp.EnhancedCode{4, 7, 0}, "enough for this connection")
			}
			return nil
		}
		for name, r := range map[string]*relay{
			"MAIL":    {mail: tired},
			"RCPT":    {rcpt: func(c *client, _ string) error { return tired(c) }},
			"cut off": {rcpt: func(c *client, _ string) error { return cutAfter(c, 5) }},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sc := newScene(t, on, 40, r)
				s := sc.drain(t, sc.options())
				sc.relay.wantEveryoneOnce(t, 40)
				if p := s.Progress(); p != (Progress{Sent: 40}) {
					t.Errorf("progress %+v, want nothing deferred", p)
				}
			})
		}
	})
}

func cutAfter(c *client, n int) error {
	if c.count == n {
		return c.cut()
	}
	return nil
}

func TestFewConnections(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		var most atomic.Int64
		sc := newScene(t, on, 60, &relay{connect: func(open int) error {
			if open > 3 {
				return refusal(421, smtp.EnhancedCode{4, 7, 0}, "too many connections")
			}
			most.Store(max(most.Load(), int64(open)))
			return nil
		}})
		o := sc.options()
		o.Connections = 10
		sc.drain(t, o)
		sc.relay.wantEveryoneOnce(t, 60)
		if warnings, err := sc.Warnings(t.Context()); err != nil || len(warnings) > 0 {
			t.Errorf("warnings %v %v; the relay works", warnings, err)
		}
	})
}

func TestRelayDownAtFirst(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 20, &relay{})
		sc.stop()
		err := sc.sender(t, sc.options()).Drain(t.Context(), time.Hour)
		if relay, ok := errors.AsType[*RelayError](err); !ok || !strings.Contains(relay.Error(), "connection refused") {
			t.Fatalf("drain: %v, want a RelayError that tells why", err)
		}
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 20, Pending: 20})
		sc.relay.start(t)
		sc.drain(t, sc.options())
		sc.relay.wantEveryoneOnce(t, 20)
	})
}

// watched tells when the relay's fault is noted.
type watched struct {
	Store
	warned chan string
}

func (w watched) Warn(ctx context.Context, kind, text string) error {
	err := w.Store.Warn(ctx, kind, text)
	w.warned <- text
	return err
}

func TestRelayGoesAwayAndComesBack(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		r := &relay{}
		down, gone := make(chan struct{}), make(chan struct{})
		var taken atomic.Int64
		r.mail = func(c *client) error {
			if taken.Add(1) != 10 {
				return nil
			}
			close(down)
			<-gone
			return c.cut()
		}
		sc := newScene(t, on, 30, r)
		w := watched{sc.node, make(chan string, 100)}
		o := sc.options()
		o.Store = w
		ended := make(chan error, 1)
		s := sc.sender(t, o)
		go func() { ended <- s.Drain(t.Context(), time.Minute) }()
		<-down
		_ = r.listener.Close()
		close(gone)
		sc.stop()
		text := <-w.warned
		if !strings.Contains(text, r.address) {
			t.Errorf("the warning %q does not name the relay %s", text, r.address)
		}
		r.start(t)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		r.wantEveryone(t, 30, o.Connections)
		if warnings, err := sc.Warnings(t.Context()); err != nil || len(warnings) > 0 {
			t.Errorf("warnings %v %v; the relay is back", warnings, err)
		}
	})
}

func TestSenderRefused(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		sc := newScene(t, on, 20, &relay{mail: func(*client) error {
			return refusal(550, smtp.EnhancedCode{5, 7, 1}, "sender not allowed")
		}})
		err := sc.sender(t, sc.options()).Drain(t.Context(), time.Hour)
		if relay, ok := errors.AsType[*RelayError](err); !ok || !strings.Contains(relay.Error(), "sender not allowed") {
			t.Fatalf("drain: %v, want a RelayError with the relay's words", err)
		}
		wantCounts(t, sc.Store, sc.issue, newsletter.Counts{Recipients: 20, Pending: 20})
		batches, err := sc.OpenBatches(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range batches {
			list, err := sc.TakeBatch(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range list {
				if d.Attempts > 0 {
					t.Errorf("%s was charged with an attempt", d.Email)
				}
			}
		}
	})
}

// TestCutBeforeTheAnswer loses the answer to the whole content of one message.
func TestCutBeforeTheAnswer(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		for _, tt := range []struct {
			name   string
			resend bool
			cuts   int64 // how often
			copies int   // that came to the relay, with those that it did not keep
			want   newsletter.Counts
		}{
			{"once", true, 1, 2, newsletter.Counts{Recipients: 5, Sent: 5}},
			{"twice", true, 2, 2, newsletter.Counts{Recipients: 5, Sent: 4, InDoubt: 1}},
			{"hold", false, 1, 1, newsletter.Counts{Recipients: 5, Sent: 4, InDoubt: 1}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				var cuts atomic.Int64
				copies := make(chan received, 10)
				sc := newScene(t, on, 5, &relay{content: func(c *client, m received) error {
					if m.to != address(2) {
						return nil
					}
					copies <- m
					if cuts.Add(1) <= tt.cuts {
						return c.cut()
					}
					return nil
				}})
				o := sc.options()
				o.Resend = tt.resend
				sc.drain(t, o)
				wantCounts(t, sc.Store, sc.issue, tt.want)
				close(copies)
				var first received
				n := 0
				for m := range copies {
					if n++; n == 1 {
						first = m
					} else if m.id != first.id || m.date != first.date {
						t.Errorf("second copy is %s of %s, the first was %s of %s", m.id, m.date, first.id, first.date)
					}
				}
				if n != tt.copies {
					t.Errorf("%d copies reached the relay, want %d", n, tt.copies)
				}
			})
		}
	})
}

// TestAfterCrash begins with deliveries that a dead sender left marked.
func TestAfterCrash(t *testing.T) {
	onEach(t, func(t *testing.T, on ground) {
		for _, tt := range []struct {
			name   string
			resend bool
			want   newsletter.Counts
		}{
			{"resend", true, newsletter.Counts{Recipients: 20, Sent: 20}},
			{"hold", false, newsletter.Counts{Recipients: 20, Sent: 18, InDoubt: 2}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				sc := newScene(t, on, 20, &relay{})
				sc.crash(t, tt.resend)
				o := sc.options()
				o.Resend = tt.resend
				sc.drain(t, o)
				wantCounts(t, sc.Store, sc.issue, tt.want)
			})
		}
	})
}
