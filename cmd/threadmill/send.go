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
// how many messages went out.
func (p *publication) finish(ctx context.Context, wait time.Duration) (sent int, err error) {
	if err := p.placeSite(ctx); err != nil {
		return 0, fmt.Errorf("%w; the mail waits until the site can be written: run `threadmill publish` again then", err)
	}
	err = p.asNode(ctx, func(ctx context.Context, sender *deliver.Sender) error {
		sender.Keep()
		sent, err = p.sendAll(ctx, sender, wait)
		return err
	})
	return sent, err
}

// sendAll sends all that is due and returns how many messages went out.
func (p *publication) sendAll(ctx context.Context, sender *deliver.Sender, wait time.Duration) (sent int, err error) {
	if err := sender.SendCopies(ctx, p.store, p.facts.Author.Name, p.inertLink()); err != nil {
		p.log.Error("the author has no copy yet", "err", err)
	}
	attending, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { p.publisher.Attend(attending, sender.Wake) })
	wg.Go(func() { p.copies(attending, sender) })
	wg.Go(func() { p.keepRate(attending, sender) })
	operator := p.operator(sender)
	wg.Go(func() { operator.Run(attending, ctx) })
	err = p.drain(ctx, sender, wait)
	stop()
	wg.Wait()
	operator.Once(ctx)
	sent = int(sender.Progress().Sent)
	if relay, ok := errors.AsType[*deliver.RelayError](err); ok {
		return sent, fmt.Errorf("%w; the mail waits: run `threadmill publish` again when that is mended", relay)
	}
	return sent, err
}

// copies sends the author's copies of issues that are held at first.
func (p *publication) copies(ctx context.Context, sender *deliver.Sender) {
	sender.RunCopies(ctx, p.store, p.facts.Author.Name, p.inertLink())
}

// inertLink stands where the author's copy has no link to unsubscribe.
func (p *publication) inertLink() string { return p.facts.Link("#unsubscribe") }

// placeSite writes the site if an issue waits for it or somebody asked.
func (p *publication) placeSite(ctx context.Context) error {
	due, asked, err := p.publisher.SiteWanted(ctx)
	if err == nil && (due || asked) {
		_, err = p.publisher.WriteSite(ctx)
	}
	return err
}

// drain sends, and shows how far it is.
func (p *publication) drain(ctx context.Context, sender *deliver.Sender, wait time.Duration) error {
	left, err := p.leftover(ctx)
	if err != nil {
		return err
	}
	total := int64(left.Pending + left.Deferred)
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
func (p *publication) follow(ctx context.Context, issue *newsletter.Issue, wait time.Duration) (sent int, err error) {
	if issue == nil {
		return 0, nil
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
			return 0, err
		}
		next, err := p.store.NextDeferred(ctx)
		if err != nil {
			return 0, err
		}
		if nothingSoon(row, next, end) {
			return row.Sent, nil
		}
		if time.Now().After(end) {
			return row.Sent, p.held(ctx)
		}
		if lock, err := p.lock(ctx, "publish"); err == nil {
			held, stop := lock.Context(ctx)
			sent, err := p.finish(held, time.Until(end))
			err = orLost(held, err)
			stop()
			return sent, errors.Join(err, lock.Unlock())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return row.Sent, nil
		}
	}
}

// nothingSoon tells whether no mail of an issue leaves until end; next is when
// a deferred delivery is tried again.
func nothingSoon(row store.IssueRow, next, end time.Time) bool {
	switch h := row.Hold; {
	case !row.SiteReady:
		return false
	case h != nil:
		return h.Until.IsZero() || h.Until.After(end)
	}
	return row.Pending == 0 && (row.Deferred == 0 || next.After(end))
}

// held is what keeps the sender from its work, nil if nothing known does; what
// the operator should only see to does not.
func (p *publication) held(ctx context.Context) error {
	warnings, err := p.store.Warnings(ctx)
	for _, w := range warnings {
		if _, other := faults()[w.Kind]; other {
			continue
		}
		err = errors.Join(err, fmt.Errorf("%s: %s; the mail waits", w.Kind, w.Text))
	}
	return err
}
