package deliver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

const (
	// Batches is how many a sender works at once: while the last messages of
	// one end, the next one's already go.
	Batches = 2
	// look is how often the feeder looks for work of which nobody told it.
	look = time.Second
	// wakeLimit bounds one write that makes deferred deliveries pending.
	wakeLimit = 500
)

// letter is an issue's mail, ready to be addressed.
type letter struct {
	*mail.Template
	newsletter.Snapshot
}

// errUnreadable says that what an issue froze for its mail is damaged.
var errUnreadable = errors.New("its message cannot be read")

// open reads an issue's mail, composed when the issue was published. An issue
// whose mail is damaged is stopped, with a warning, and the error is
// errUnreadable: others are not to wait for it.
func (s *Sender) open(ctx context.Context, issue int64) (*letter, error) {
	snap, err := s.Store.Snapshot(ctx, issue)
	if err != nil {
		return nil, err
	}
	l := &letter{Template: new(mail.Template), Snapshot: snap}
	if err := l.UnmarshalBinary(snap.Message); err != nil {
		err = fmt.Errorf("%w: %w", errUnreadable, err)
		if fault := s.Store.FaultIssue(ctx, issue, err.Error()); fault != nil {
			return nil, fault
		}
		s.Log.Error("an issue is stopped", "issue", issue, "err", err)
		return nil, err
	}
	return l, nil
}

// job is one delivery on its way to a worker.
type job struct {
	newsletter.Delivery
	letter  *letter
	portion *portion
}

// portion is a batch under way.
type portion struct {
	batch newsletter.Batch
	left  atomic.Int64 // deliveries that are not journaled yet
	ended chan<- *portion
}

// done says that one delivery of the portion was journaled or handed back.
func (p *portion) done() {
	if p.left.Add(-1) == 0 {
		p.ended <- p
	}
}

// feeder hands the deliveries of open batches to the workers.
type feeder struct {
	*Sender
	holds   *holds
	end     time.Time // when to stop waiting; zero for never
	tick    <-chan time.Time
	read    time.Time // when the holds of other senders were last read
	jobs    chan job
	ended   chan *portion
	under   map[int64]*portion // by batch
	letters map[int64]*letter  // by issue
}

func newFeeder(s *Sender, holds *holds, end time.Time) *feeder {
	return &feeder{
		Sender:  s,
		holds:   holds,
		end:     end,
		jobs:    make(chan job, 2*s.Connections),
		ended:   make(chan *portion, Batches),
		under:   map[int64]*portion{},
		letters: map[int64]*letter{},
	}
}

// feed returns when ctx is done, or when nothing is under way nor due before
// the end. A database that does not answer is asked again until then.
func (f *feeder) feed(ctx context.Context) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	f.tick = tick.C
	for ctx.Err() == nil {
		worked, next, err := f.turn(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && f.over(time.Now()):
			return err
		case err != nil:
			f.Log.Error("look for deliveries", "err", err)
		case worked:
			continue
		case len(f.under) == 0 && (next.IsZero() && !f.end.IsZero() || f.over(next)):
			return nil
		}
		f.rest(ctx, next)
	}
	return nil
}

// over tells whether t is too late to wait for.
func (f *feeder) over(t time.Time) bool { return !f.end.IsZero() && t.After(f.end) }

// turn hands out one batch, if one is open and there is room. next is when
// something is due again.
func (f *feeder) turn(ctx context.Context) (worked bool, next time.Time, err error) {
	if err := f.join(ctx); err != nil {
		return false, time.Time{}, err
	}
	if held, until, err := f.hold(ctx); held || err != nil {
		return false, until, err
	}
	if f.holds.whole() != nil && len(f.under) > 0 {
		return false, time.Time{}, nil // a probe goes alone
	}
	var probe time.Time
	if f.keeper.Load() {
		if probe, err = f.attend(ctx); err != nil {
			return false, time.Time{}, err
		}
	}
	if until := f.daily.next(time.Now()); !until.IsZero() {
		return false, until, nil
	}
	if f.keeper.Load() {
		if _, err := f.Store.WakeDeferred(ctx, time.Now(), wakeLimit); err != nil {
			return false, time.Time{}, err
		}
	}
	if len(f.under) < Batches {
		if worked, err = f.handOut(ctx); worked || err != nil {
			return worked, time.Time{}, err
		}
	}
	if !f.keeper.Load() { // what is due is woken by another
		return false, time.Time{}, nil
	}
	next, err = f.nextDue(ctx)
	return false, earlier(next, probe), err
}

// nextDue is when a delivery is due again or a grace is over, zero for never.
// Who drains looks again while others work batches, since they may die.
func (f *feeder) nextDue(ctx context.Context) (time.Time, error) {
	if f.Shared && !f.end.IsZero() {
		if others, err := f.Store.OthersWork(ctx); err != nil || others {
			return time.Now().Add(look), err
		}
	}
	next, err := f.Store.NextDeferred(ctx)
	if err != nil {
		return time.Time{}, err
	}
	release, err := f.Store.NextRelease(ctx, time.Now())
	return earlier(next, release), err
}

// join learns what other senders found out, and does what is done for all.
func (f *feeder) join(ctx context.Context) error {
	err := f.learn(ctx)
	if err != nil || !f.keeper.Load() {
		return err
	}
	return f.amend(ctx)
}

// learn reads what other senders found out, once a second.
func (f *feeder) learn(ctx context.Context) error {
	if !f.Shared || time.Since(f.read) < look {
		return nil
	}
	f.read = time.Now()
	return f.holds.refresh(ctx)
}

// next is the batch to work now. Where others send too, a probe is not left to
// them, and who drains takes what is open: that there is none is the end.
func (f *feeder) next(ctx context.Context) (newsletter.Batch, bool, error) {
	under := slices.Collect(maps.Keys(f.under))
	if !f.Shared || !f.keeper.Load() {
		return f.Engine.Next(ctx, under)
	}
	if b, ok := f.holds.probed(under); ok {
		return b, true, nil
	}
	if f.holds.whole() != nil || !f.end.IsZero() {
		return open{f.Store}.Next(ctx, under)
	}
	return f.Engine.Next(ctx, under)
}

// handOut gives the deliveries of a batch to the workers.
func (f *feeder) handOut(ctx context.Context) (bool, error) {
	batch, ok, err := f.next(ctx)
	if err != nil || !ok {
		return false, err
	}
	pending, l, err := f.take(ctx, batch)
	if errors.Is(err, newsletter.ErrTaken) { // another sender was first
		f.holds.ended(batch.ID, time.Now())
		f.Engine.Done(batch)
		return true, nil
	}
	p := &portion{batch: batch, ended: f.ended}
	if err != nil || len(pending) == 0 {
		f.close(ctx, p)
		if errors.Is(err, errUnreadable) {
			err = nil // it is stopped now; others go on
		}
		return err == nil, err
	}
	p.left.Store(int64(len(pending)) + 1) // one for the hand that gives them out
	f.under[batch.ID] = p
	for n, d := range pending {
		if !f.offer(ctx, job{Delivery: d, letter: l, portion: p}) {
			p.left.Add(-int64(len(pending) - n))
			break
		}
	}
	p.done()
	return true, nil
}

// take makes a batch ours, and returns what may be sent of it now.
func (f *feeder) take(ctx context.Context, batch newsletter.Batch) ([]newsletter.Delivery, *letter, error) {
	pending, err := f.Store.TakeBatch(ctx, batch)
	if err != nil || len(pending) == 0 {
		return nil, nil, err
	}
	l, err := f.letter(ctx, batch.Issue)
	if err != nil {
		return nil, nil, err
	}
	pending, err = f.choose(ctx, pending)
	return pending, l, err
}

// offer waits for a worker, and closes batches that end meanwhile. It returns
// false when the job is not to be sent now: ctx ended, or the mail was paused.
func (f *feeder) offer(ctx context.Context, j job) bool {
	for {
		select {
		case f.jobs <- j:
			return true
		case p := <-f.ended:
			f.close(ctx, p)
		case <-f.tick:
			if err := f.learn(ctx); err != nil {
				f.Log.Error("look what others hold", "err", err)
			}
			if _, _, err := f.hold(ctx); err == nil && f.held.Load() { // while a probe is under way all other mail is held, and this is the probe
				return false
			}
		case <-ctx.Done():
			return false
		}
	}
}

// rest waits until there may be work again.
func (f *feeder) rest(ctx context.Context, next time.Time) {
	d := look
	if !next.IsZero() {
		d = max(min(d, time.Until(next)), time.Millisecond)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case p := <-f.ended:
		f.close(ctx, p)
	case <-f.wake:
	case <-t.C:
	case <-ctx.Done():
	}
}

// close is done even after a stop, so that what is finished shows as such.
func (f *feeder) close(ctx context.Context, p *portion) {
	delete(f.under, p.batch.ID)
	f.holds.ended(p.batch.ID, time.Now())
	if err := f.Store.CloseBatch(context.WithoutCancel(ctx), p.batch); err != nil {
		f.Log.Error("close batch", "err", err) // it is read again, and closed then
	}
	f.Engine.Done(p.batch)
}

// finish closes what ended after the feeding did.
func (f *feeder) finish(ctx context.Context) {
	for {
		select {
		case p := <-f.ended:
			f.close(ctx, p)
		default:
			return
		}
	}
}

// letter returns an issue's mail, composed when the issue was published.
func (f *feeder) letter(ctx context.Context, issue int64) (*letter, error) {
	if l := f.letters[issue]; l != nil {
		return l, nil
	}
	l, err := f.open(ctx, issue)
	if err != nil {
		return nil, err
	}
	clear(f.letters) // the oldest issue goes first, so one is enough
	f.letters[issue] = l
	return l, nil
}
