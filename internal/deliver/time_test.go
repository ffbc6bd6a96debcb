package deliver

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// The tests in this file tell about waits, so they run under a clock that
// jumps. A socket would stop that clock; a desk takes the messages instead.

// desk is a transport in memory that notes when it was used.
type desk struct {
	dial func(n, open int) error // of the n-th try, with that many connections open
	send func(n int) error       // of the n-th message
	rcpt func(to string) error   // at the content, for simplicity

	mu    sync.Mutex
	open  int
	busy  int // tries to dial at this time
	dials []time.Time
	sent  []time.Time
	hung  []time.Time
}

func (d *desk) String() string { return "desk" }

func (d *desk) Dial(context.Context) (mail.Conn, error) {
	d.mu.Lock()
	d.dials = append(d.dials, time.Now())
	d.busy++
	n, open := len(d.dials), d.open
	d.mu.Unlock()
	time.Sleep(time.Millisecond) // the way there and back
	d.mu.Lock()
	defer d.mu.Unlock()
	d.busy--
	if d.dial != nil {
		if err := d.dial(n, open); err != nil {
			return nil, &mail.Fault{Stage: mail.StageConnect, Err: err}
		}
	}
	d.open++
	return &place{desk: d}, nil
}

// times copies one of the lists, which others may be writing.
func (d *desk) times(of *[]time.Time) []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(*of)
}

// place is a connection to a desk.
type place struct {
	desk   *desk
	to     string
	closed bool
}

func (p *place) Usable() bool { return !p.closed }

func (p *place) Close() error {
	p.desk.mu.Lock()
	defer p.desk.mu.Unlock()
	p.closed = true
	p.desk.open--
	p.desk.hung = append(p.desk.hung, time.Now())
	return nil
}

func (p *place) Begin(_ context.Context, e mail.Envelope) error {
	p.to = e.To
	return nil
}

func (p *place) Send(context.Context, mail.Content, *mail.Envelope) (sent, begun error) {
	p.desk.mu.Lock()
	defer p.desk.mu.Unlock()
	if p.desk.rcpt != nil {
		if err := p.desk.rcpt(p.to); err != nil {
			return err, mail.ErrNotBegun
		}
	}
	if p.desk.send != nil {
		if err := p.desk.send(len(p.desk.sent) + 1); err != nil {
			p.closed = true
			return err, mail.ErrNotBegun
		}
	}
	p.desk.sent = append(p.desk.sent, time.Now())
	return nil, mail.ErrNotBegun
}

// later tests f in a bubble with n subscribers and an issue to send.
func later(t *testing.T, n int, f func(t *testing.T, s *store.Store, issue int64)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		subscribe(t, s, n)
		f(t, s, publishIssue(t, s, 500))
	})
}

// since tells times as what passed since a start, in whole seconds.
func since(start time.Time, times []time.Time) []int {
	var list []int
	for _, at := range times {
		list = append(list, int(at.Sub(start)/time.Second))
	}
	return list
}

var errDown = errors.New("down")

func TestRate(t *testing.T) {
	later(t, 20, func(t *testing.T, s *store.Store, _ int64) {
		d := &desk{}
		o := options(s, d)
		o.Rate = 2
		drain(t, o)
		slices.SortFunc(d.sent, time.Time.Compare)
		for i, at := range d.sent[1:] {
			if gap := at.Sub(d.sent[i]); gap < 490*time.Millisecond || gap > time.Second {
				t.Errorf("%v between messages %d and %d, want half a second", gap, i+1, i+2)
			}
		}
	})
}

// TestRelayIsDown looks how a relay is asked that is down for a while: by one
// worker, at growing distances, and that the operator is told.
func TestRelayIsDown(t *testing.T) {
	later(t, 50, func(t *testing.T, s *store.Store, issue int64) {
		ctx, cancel := context.WithCancel(t.Context())
		d := &desk{}
		d.dial = func(n, _ int) error {
			if d.busy > 0 && d.open == 0 {
				t.Error("two workers dial a relay that is down")
			}
			if n <= 5 {
				return errDown
			}
			return nil
		}
		o := options(s, d)
		o.Connections = 10
		start := time.Now()
		ended := make(chan error, 1)
		go func() { ended <- New(o).Run(ctx) }()
		time.Sleep(20 * time.Second)
		warnings, err := s.Warnings(ctx)
		if err != nil || len(warnings) != 1 || warnings[0].Kind != WarningRelay || warnings[0].Text != "desk: fault at connect: down" {
			t.Errorf("warnings %+v, %v", warnings, err)
		}
		time.Sleep(20 * time.Second)
		if diff := cmp.Diff([]int{0, 1, 3, 7, 15, 31}, since(start, d.times(&d.dials))[:6]); diff != "" {
			t.Error("seconds at which the relay was dialled:", diff)
		}
		if warnings, err := s.Warnings(ctx); err != nil || len(warnings) > 0 {
			t.Errorf("the relay is back, and yet: %+v, %v", warnings, err)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 50, Sent: 50})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestDrainGivesUp lets the relay go away for good after some messages.
func TestDrainGivesUp(t *testing.T) {
	later(t, 20, func(t *testing.T, s *store.Store, issue int64) {
		d := &desk{send: func(n int) error {
			if n > 5 {
				return &mail.Fault{Stage: mail.StageMail, Err: errDown}
			}
			return nil
		}}
		start := time.Now()
		err := New(options(s, d)).Drain(t.Context(), time.Minute)
		if _, ok := errors.AsType[*RelayError](err); !ok || !errors.Is(err, errDown) {
			t.Errorf("drain: %v, want a RelayError", err)
		}
		if d := time.Since(start); d < 30*time.Second || d > time.Minute {
			t.Errorf("gave up after %v, want when the next try would come too late", d)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 20, Sent: 5, Pending: 15})
		wantNothingSending(t, s, issue)
	})
}

// TestDrainDoesNotRest sees to it that workers whom the relay did not let in
// hold up nobody at the end.
func TestDrainDoesNotRest(t *testing.T) {
	later(t, 20, func(t *testing.T, s *store.Store, issue int64) {
		d := &desk{dial: func(_, open int) error {
			if open > 0 {
				return errDown
			}
			return nil
		}}
		o := options(s, d)
		o.Connections, o.Rate = 10, 1
		start := time.Now()
		drain(t, o)
		if took := time.Since(start); took > 21*time.Second {
			t.Errorf("20 messages at one a second took %v", took)
		}
		if n := len(d.dials); n > 60 {
			t.Errorf("the relay was dialled %d times in 20 s", n)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 20, Sent: 20})
	})
}

func TestDeferredComesBack(t *testing.T) {
	later(t, 3, func(t *testing.T, s *store.Store, issue int64) {
		refuse := true
		d := &desk{}
		d.send = func(int) error {
			if refuse && len(d.sent) == 2 {
				refuse = false
				return &mail.Refusal{Stage: mail.StageRcpt, Code: 451, Text: "later"}
			}
			return nil
		}
		o := options(s, d)
		o.Connections = 1
		o.Retry = Retry{First: 5 * time.Minute, Max: 4 * time.Hour, GiveUp: 72 * time.Hour}
		start := time.Now()
		if err := New(o).Drain(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 3, Sent: 2, Deferred: 1})
		if took := time.Since(start); took > time.Second {
			t.Errorf("drain took %v although nothing was due within its minute", took)
		}
		if err := New(o).Drain(t.Context(), 10*time.Minute); err != nil {
			t.Fatal(err)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 3, Sent: 3})
		if at := d.sent[2].Sub(start); at < 5*time.Minute || at > 5*time.Minute+31*time.Second {
			t.Errorf("tried again after %v", at)
		}
	})
}

// TestPause holds the mail in the middle of a batch, and lets it go.
func TestPause(t *testing.T) {
	later(t, 100, func(t *testing.T, s *store.Store, issue int64) {
		ctx, cancel := context.WithCancel(t.Context())
		d := &desk{}
		o := options(s, d)
		o.Rate = 5
		ended := make(chan error, 1)
		go func() { ended <- New(o).Run(ctx) }()
		time.Sleep(4 * time.Second)
		if err := s.SetPause(ctx, newsletter.Pause{Since: time.Now(), Until: time.Now().Add(10 * time.Minute), Sending: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second + 500*time.Millisecond)
		before := len(d.times(&d.sent))
		if before < 20 || before > 28 {
			t.Errorf("%d messages before the pause was seen, want about 25", before)
		}
		time.Sleep(9 * time.Minute)
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 100, Sent: before, Pending: 100 - before})
		time.Sleep(2 * time.Minute)
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 100, Sent: 100})
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestIdleConnection is given back to the relay after a while without work.
func TestIdleConnection(t *testing.T) {
	later(t, 1, func(t *testing.T, s *store.Store, _ int64) {
		ctx, cancel := context.WithCancel(t.Context())
		d := &desk{}
		o := options(s, d)
		o.Connections = 1
		ended := make(chan error, 1)
		sender := New(o)
		go func() { ended <- sender.Run(ctx) }()
		time.Sleep(time.Minute)
		sent, hung := d.times(&d.sent), d.times(&d.hung)
		if len(hung) != 1 || hung[0].Sub(sent[0]) != idleTime {
			t.Errorf("sent %v, hung up %v", sent, hung)
		}
		publishIssue(t, s, 1)
		published := time.Now()
		sender.Wake()
		time.Sleep(time.Minute)
		if sent = d.times(&d.sent); len(sent) != 2 || sent[1].Sub(published) > 100*time.Millisecond {
			t.Errorf("sent %v, woken at %v", sent, published)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// blind is a database that cannot be read any more.
type blind struct{ *store.Store }

var errBlind = errors.New("disk on fire")

func (blind) OpenBatches(context.Context, int) ([]newsletter.Batch, error) { return nil, errBlind }

func TestDatabaseGone(t *testing.T) {
	later(t, 1, func(t *testing.T, s *store.Store, _ int64) {
		start := time.Now()
		err := New(options(blind{s}, &desk{})).Drain(t.Context(), time.Minute)
		if !errors.Is(err, errBlind) {
			t.Errorf("drain: %v", err)
		}
		if took := time.Since(start); took < time.Minute || took > time.Minute+2*time.Second {
			t.Errorf("gave up after %v, want a minute", took)
		}
	})
}

// TestForeignMark has a delivery that is marked as being sent although nobody
// sends it. Its batch cannot be closed, which must not hold up the others.
func TestForeignMark(t *testing.T) {
	later(t, 10, func(t *testing.T, s *store.Store, issue int64) {
		next := publishIssue(t, s, 500)
		d := &desk{}
		d.send = func(n int) error {
			if n > 1 {
				return nil
			}
			batch := newsletter.Batch{ID: 1, Issue: issue}
			list, err := s.TakeBatch(t.Context(), batch)
			if err != nil {
				return err
			}
			_, err = s.Journal(t.Context(), []newsletter.JournalEntry{{Next: list[len(list)-1].ID, At: time.Now()}})
			return err
		}
		drain(t, options(s, d))
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 10, Sent: 9, Pending: 1})
		wantCounts(t, s, next, newsletter.Counts{Recipients: 10, Sent: 10})
		drain(t, options(s, d)) // settles it
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 10, Sent: 10})
	})
}
