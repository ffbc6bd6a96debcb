package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// Store is what the sender needs of the database.
type Store interface {
	OpenBatches(ctx context.Context, limit int) ([]newsletter.Batch, error)
	TakeBatch(ctx context.Context, batch newsletter.Batch) ([]newsletter.Delivery, error)
	CloseBatch(ctx context.Context, batch newsletter.Batch) error
	OthersWork(ctx context.Context) (bool, error)
	Journal(ctx context.Context, entries []newsletter.JournalEntry) ([]bool, error)
	Snapshot(ctx context.Context, issue int64) (newsletter.Snapshot, error)
	WakeDeferred(ctx context.Context, now time.Time, limit int) (int, error)
	NextDeferred(ctx context.Context) (time.Time, error)
	NextRelease(ctx context.Context, now time.Time) (time.Time, error)
	SentSince(ctx context.Context, since time.Time) (map[int64]int, error)
	Recover(ctx context.Context, resend bool) (again, held int, err error)
	Pause(ctx context.Context) (newsletter.Pause, error)
	Warn(ctx context.Context, kind, text string) error
	Unwarn(ctx context.Context, kind string) error
	Holds(ctx context.Context) ([]newsletter.Hold, error)
	SetHold(ctx context.Context, h newsletter.Hold) error
	HoldBack(ctx context.Context, domain string, ids []int64, next time.Time) error
	WakeHeld(ctx context.Context, domain string) (newsletter.Delivery, error)
	WakeLifted(ctx context.Context, domain string, limit int) (int, error)
	GiveUpHeld(ctx context.Context, h newsletter.Hold, before time.Time, limit int) (int, error)
	UndoBounces(ctx context.Context, deliveries []int64) (int, error)
	FaultIssue(ctx context.Context, issue int64, fault string) error
}

// Options are what a Sender is made of.
type Options struct {
	Store     Store
	Transport mail.Transport
	// Token makes the part of the unsubscribe link that is the recipient's own.
	Token func(subscriber, issue int64) string
	// BounceToken makes the part of the envelope sender that is the recipient's
	// own, where an issue has one; it may be nil where none has.
	BounceToken func(subscriber, issue int64) string
	// MessageIDKey makes the Message-IDs; it must never change.
	// Day writes the day on which somebody signed up, for readers; nil: nothing.
	Day          func(time.Time) string
	MessageIDKey []byte
	Connections  int
	Rate         float64 // messages a second, 0 for no limit
	Daily        int     // messages in 24 hours, 0 for no limit
	Retry        Retry
	Probes       Probes // the zero value stands for DefaultProbes
	// Resend sends a delivery that is in doubt for the first time again;
	// otherwise it waits for the operator.
	Resend bool
	// Shared says that other senders are at work on the same mail. Then nothing
	// leaves before [Sender.Share] tells the part of this one, and what is done
	// once for all is left alone until [Sender.Keep].
	Shared bool
	// Engine tells which batches to work; nil stands for all that are open.
	Engine Engine
	// StopTimeout is how long messages under way may take to end after a stop.
	StopTimeout time.Duration
	Zone        *time.Location // of the times that people read; nil for UTC
	Log         *slog.Logger
}

// WarningRelay is the kind of the warning that stands while the relay cannot
// be used.
const WarningRelay = "relay"

// Sender sends pending deliveries. Only the holder of the publication's lock
// may run one.
type Sender struct {
	Options
	limit    *rate.Limiter
	daily    daily
	wake     chan struct{}
	held     atomic.Bool   // a pause or a hold holds all mail
	kept     chan struct{} // closed when keeper is set
	keeper   atomic.Bool   // what is done once for all is ours
	share    allotment
	progress progress
}

// New returns a Sender that does nothing yet.
func New(o Options) *Sender {
	limit := rate.Inf
	if o.Rate > 0 {
		limit = rate.Limit(o.Rate * paceMargin)
	}
	if len(o.Probes.Refused) == 0 {
		o.Probes = DefaultProbes()
	}
	s := &Sender{Options: o, limit: rate.NewLimiter(limit, 1), wake: make(chan struct{}, 1), daily: daily{limit: o.Daily}, kept: make(chan struct{}), share: allotment{changed: make(chan struct{})}}
	if s.Engine == nil {
		s.Engine = open{o.Store}
	}
	if !o.Shared {
		s.Keep()
		s.share.set(max(o.Connections, 1))
	}
	return s
}

// Keep makes a Sender do what is done once for all: it wakes what is deferred,
// sends the probes of holds, and gives up.
func (s *Sender) Keep() {
	if !s.keeper.Swap(true) {
		close(s.kept)
	}
	s.Wake()
}

// day is a day as readers see it.
func (s *Sender) day(t time.Time) string {
	if s.Day == nil || t.IsZero() {
		return ""
	}
	return s.Day(t)
}

// Kept is closed once a Sender keeps.
func (s *Sender) Kept() <-chan struct{} { return s.kept }

type progress struct{ sent, failed, deferred, canceled atomic.Int64 }

func (p *progress) count(s newsletter.DeliveryState) {
	switch s {
	case newsletter.DeliverySent:
		p.sent.Add(1)
	case newsletter.DeliveryFailed, newsletter.DeliveryInDoubt:
		p.failed.Add(1)
	case newsletter.DeliveryDeferred:
		p.deferred.Add(1)
	case newsletter.DeliveryCanceled:
		p.canceled.Add(1)
	}
}

// Progress is what a Sender did since it was made.
type Progress struct{ Sent, Failed, Deferred, Canceled int64 }

// Progress may be called at any time.
func (s *Sender) Progress() Progress {
	p := &s.progress
	return Progress{p.sent.Load(), p.failed.Load(), p.deferred.Load(), p.canceled.Load()}
}

// Wake makes a running Sender look for work at once.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx is done, then lets the messages under way end, at most
// StopTimeout long. While the relay cannot be used it tries again and again,
// and a warning stands.
func (s *Sender) Run(ctx context.Context) error {
	return s.run(ctx, time.Time{})
}

// Drain sends until nothing is left that is due within wait. It gives up when
// the relay could not be used at all, with a *RelayError, or when relay or
// database cannot be used until wait is over; what is left then stays for the
// next run. A message under way at that time is brought to its end.
func (s *Sender) Drain(ctx context.Context, wait time.Duration) error {
	return s.run(ctx, time.Now().Add(wait))
}

// RelayError says that the relay could not be used.
type RelayError struct{ Err error }

func (e *RelayError) Error() string { return "the relay cannot be used: " + e.Err.Error() }

// Unwrap returns what the relay or the network said.
func (e *RelayError) Unwrap() error { return e.Err }

// run feeds and sends until ctx is done or, where end is not zero, nothing is
// left that is due by then.
func (s *Sender) run(ctx context.Context, end time.Time) error {
	h, err := s.begin(ctx)
	if ctx.Err() != nil { // stopped before anything is under way
		return nil
	}
	if err != nil {
		return err
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	hard, stop := afterDone(ctx, s.StopTimeout)
	defer stop()
	last, stopLast := afterDone(hard, journalGrace)
	defer stopLast()
	j := newJournal(s.Store, s.Log)
	var writing sync.WaitGroup
	writing.Go(func() { j.run(last) })
	g := newGate(s, func(fault error, ever bool, next time.Time) bool {
		stops := !end.IsZero() && (!ever || next.After(end))
		if stops {
			giveUp(&RelayError{fault})
		}
		return stops
	})
	if _, known, told := s.share.get(); !known {
		select {
		case <-told:
		case <-ctx.Done():
		}
	}
	f := newFeeder(s, h, end)
	err = s.work(ctx, hard, f, g, j)
	j.close()
	writing.Wait()
	f.finish(last)
	if relay, ok := errors.AsType[*RelayError](context.Cause(ctx)); ok {
		err = errors.Join(err, relay)
	}
	if j.err != nil {
		err = errors.Join(err, fmt.Errorf("record what was sent: %w", j.err))
	}
	return err
}

// begin settles what a sender that died left, and reads what was found out
// before.
func (s *Sender) begin(ctx context.Context) (*holds, error) {
	again, held, err := s.Store.Recover(ctx, s.Resend)
	if err != nil {
		return nil, err
	}
	if again+held > 0 {
		s.Log.Warn("deliveries were in doubt", "sent_again", again, "held", held)
	}
	h := newHolds(s)
	if err := h.load(ctx); err != nil {
		return nil, err
	}
	return h, s.countDaily(ctx)
}

// work runs the workers as long as the feeder feeds them.
func (s *Sender) work(ctx, hard context.Context, f *feeder, g *gate, j *journal) error {
	feeding, fed := context.WithCancel(ctx)
	defer fed()
	var workers sync.WaitGroup
	for i := range max(s.Connections, 1) {
		w := &worker{Sender: s, number: int64(i), jobs: f.jobs, holds: f.holds, gate: g, journal: j}
		workers.Go(func() { w.run(feeding, hard) })
	}
	err := f.feed(ctx)
	fed() // all jobs were done, or none is to be begun: nobody needs to rest any longer
	close(f.jobs)
	workers.Wait()
	return err
}

// cutOffTimeout is how long messages under way may take to end after others may
// have taken over.
const cutOffTimeout = 2 * time.Second

// cutOff tells whether ctx ended because others may have taken over.
func cutOff(ctx context.Context) bool { return errors.Is(context.Cause(ctx), newsletter.ErrCutOff) }

// afterDone returns a context that is done a while after ctx is, and soon where
// others may have taken over.
func afterDone(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	hard, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if cutOff(ctx) {
			d = min(d, cutOffTimeout)
		}
		t := time.AfterFunc(d, cancel)
		context.AfterFunc(hard, func() { t.Stop() })
	})
	return hard, func() { stop(); cancel() }
}
