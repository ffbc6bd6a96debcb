package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"threadmill/internal/deliver"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// finish puts the site in place and sends all that is due, as the holder of
// the lock, which also does what other commands ask for meanwhile. It returns
// what became of the messages. A site that cannot be written holds the mail of
// the issues that wait for it, and no other.
func (p *publication) finish(ctx context.Context, wait time.Duration) (done tally, err error) {
	fault := p.placeSite(ctx)
	if fault != nil && ctx.Err() != nil {
		return done, fault
	}
	err = p.asNode(ctx, func(ctx context.Context, sender *deliver.Sender) error {
		sender.Keep()
		done, err = p.sendAll(ctx, sender, wait)
		return err
	})
	p.compress(ctx)
	if fault != nil {
		wanted, werr := p.publisher.SiteWanted(ctx)
		if !wanted && werr == nil { // it was tried again while mail went out
			return done, err
		}
		fault = fmt.Errorf("%w; the mail waits until the site can be written: run `threadmill publish` again then", fault)
	}
	return done, errors.Join(fault, err)
}

// sendAll sends all that is due and returns what became of the messages.
func (p *publication) sendAll(ctx context.Context, sender *deliver.Sender, wait time.Duration) (done tally, err error) {
	if err := sender.SendCopies(ctx, p.store, p.facts.Author.Name, p.inertLink()); err != nil {
		p.log.Error("the author has no copy yet", "err", err)
	}
	p.sendLetters(ctx, sender)
	if err := p.tellAuthor(ctx, sender); err != nil && ctx.Err() == nil {
		p.log.Error("tell the author", "err", err)
	}
	attending, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.publisher.Attend(attending, sender.Wake) })
	wg.Go(func() { p.copies(attending, sender) })
	wg.Go(func() { p.keepRate(attending, sender) })
	wg.Go(func() { p.codings.Run(attending) })
	operator := p.operator(sender)
	wg.Go(func() { operator.Run(attending, ctx) })
	wg.Go(func() { p.tellHubs(ctx) })
	err = p.drain(ctx, sender, wait)
	stop()
	wg.Wait()
	err = errors.Join(err, p.endRelayFault(ctx))
	if ferr := p.afterIssues(ctx); ferr != nil && ctx.Err() == nil {
		p.log.Error("look after issues that are finished", "err", ferr)
	}
	operator.Once(ctx)
	n := sender.Progress()
	done = tally{Sent: int(n.Sent), Failed: int(n.Failed), Canceled: int(n.Canceled)}
	if relay, ok := errors.AsType[*deliver.RelayError](err); ok {
		return done, fmt.Errorf("%w; the mail waits: run `threadmill publish` again when that is mended", relay)
	}
	return done, err
}

// tally is what became of the messages of one run.
type tally struct {
	Sent     int `json:"sent"`
	Failed   int `json:"failed"`
	Canceled int `json:"canceled"`
}

// endRelayFault takes back the warning about the relay when no mail waits for
// it any more: nobody would try it.
func (p *publication) endRelayFault(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	left, err := p.leftover(ctx)
	if err != nil || left.Pending+left.Deferred > 0 {
		return err
	}
	return p.store.Unwarn(ctx, deliver.WarningRelay)
}

// copies sends the author's copies of issues that are held at first.
func (p *publication) copies(ctx context.Context, sender *deliver.Sender) {
	sender.RunCopies(ctx, p.store, p.facts.Author.Name, p.inertLink())
}

// inertLink stands where the author's copy has no link to unsubscribe.
func (p *publication) inertLink() string { return p.facts.Link("#unsubscribe") }

// placeSite writes the site if an issue waits for it or somebody asked.
func (p *publication) placeSite(ctx context.Context) error {
	wanted, err := p.publisher.SiteWanted(ctx)
	if err == nil && wanted {
		_, err = p.publisher.WriteSite(ctx)
	}
	return err
}

// drain sends, and shows how far it is.
func (p *publication) drain(ctx context.Context, sender *deliver.Sender, wait time.Duration) error {
	rows, err := p.store.UnfinishedIssues(ctx)
	if err != nil {
		return err
	}
	var total int64
	for _, r := range rows {
		if issueState(r) != issueStopped {
			total += int64(r.Pending + r.Deferred)
		}
	}
	defer p.watch(ctx, func(context.Context) (sending, error) {
		n := sender.Progress()
		done := n.Sent + n.Failed + n.Canceled
		return sending{done: done, failed: n.Failed, left: max(total-done, 0)}, nil
	})()
	return sender.Drain(ctx, wait)
}

// followLook is how often a follower looks how far the sender is.
const followLook = 200 * time.Millisecond

// follow waits while another process sends the issue, at most as long as wait.
// When that one ends before its work, the follower takes over.
func (p *publication) follow(ctx context.Context, issue *newsletter.Issue, wait time.Duration) (done tally, err error) {
	if issue == nil {
		return done, nil
	}
	end := time.Now().Add(wait)
	defer p.watch(ctx, func(ctx context.Context) (sending, error) {
		row, err := p.store.Issue(ctx, issue.Number)
		failed := int64(row.Failed + row.InDoubt)
		return sending{done: int64(row.Sent+row.Canceled) + failed, failed: failed, left: int64(row.Pending + row.Deferred)}, err
	})()
	tick := time.NewTicker(followLook)
	defer tick.Stop()
	for {
		row, err := p.store.Issue(ctx, issue.Number)
		if err != nil {
			return done, err
		}
		next, err := p.store.NextDeferred(ctx)
		if err != nil {
			return done, err
		}
		closed, err := p.closedUntil(ctx)
		if err != nil {
			return done, err
		}
		if nothingSoon(row, next, closed, end) {
			return done, nil
		}
		if time.Now().After(end) {
			return done, p.held(ctx)
		}
		if lock, err := p.lock(ctx, "publish"); err == nil {
			held, stop := lock.Context(ctx)
			done, err := p.finish(held, time.Until(end))
			err = orLost(held, err)
			stop()
			return done, errors.Join(err, lock.Unlock())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return done, nil
		}
	}
}

// nothingSoon tells whether no mail of an issue leaves until end; next is when
// a deferred delivery is tried again, and closed until when all mail is held.
func nothingSoon(row store.IssueRow, next, closed, end time.Time) bool {
	switch h := row.Hold; {
	case !row.SiteReady:
		return false
	case h != nil:
		return h.Until.IsZero() || h.Until.After(end)
	case closed.After(end):
		return true
	}
	return row.Pending == 0 && (row.Deferred == 0 || next.After(end))
}

// held is what keeps the sender from its work, nil if nothing known does; what
// the operator should only see to does not, and of holds the report tells.
func (p *publication) held(ctx context.Context) error {
	warnings, err := p.store.Warnings(ctx)
	for _, w := range warnings {
		if _, other := faults()[w.Kind]; other || w.Kind == newsletter.WarningHeld {
			continue
		}
		err = errors.Join(err, fmt.Errorf("%s: %s; the mail waits", w.Kind, w.Text))
	}
	return err
}
