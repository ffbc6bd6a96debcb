package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"threadmill/internal/cluster"
	"threadmill/internal/deliver"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
)

const (
	// beatEvery is how often a node looks who else is there, and who died.
	beatEvery = time.Second
	// joinBeats is how many beats a node waits before it sends beside others,
	// who have noticed it by then.
	joinBeats = 2
	// leaveTimeout bounds how long a node takes to give back what it has.
	leaveTimeout = 10 * time.Second
)

// asNode makes this process one of those that send, while work is under way
// with its sender. On SQLite it is the only one.
func (p *publication) asNode(ctx context.Context, work func(ctx context.Context, sender *deliver.Sender) error) error {
	if err := p.holdCopy(ctx, p.Path(p.Output), p.facts.URL); err != nil {
		return err
	}
	n, err := p.store.Join(ctx, version, p.Mail.SMTP.Connections)
	if err != nil {
		return err
	}
	p.notice = n.SiteChanged()
	alive, stop := n.Context(ctx)
	defer stop()
	group, working := errgroup.WithContext(alive)
	beating, quiet := context.WithCancel(working)
	defer quiet()
	var sender *deliver.Sender
	if n.ID() == "" {
		sender = p.sender(n, nil)
	} else {
		engine, err := cluster.New(cluster.Options{Pool: p.store.Pool(), Node: n.ID(), Store: p.store, Batches: deliver.Batches, Log: p.log})
		if err != nil {
			return err
		}
		sender = p.sender(n, engine)
		group.Go(func() error { p.beat(beating, n, sender); return nil })
		group.Go(func() error { return engine.Run(beating, sender.Wake, sender.Kept()) })
	}
	group.Go(func() error {
		defer quiet()
		return work(working, sender)
	})
	err = group.Wait()
	if cause := context.Cause(alive); errors.Is(cause, newsletter.ErrCutOff) {
		err = errors.Join(cause, err)
	}
	leaving, left := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer left()
	return errors.Join(err, n.Leave(leaving, p.resend()))
}

// resend tells whether mail in doubt is sent again.
func (p *publication) resend() bool { return p.Delivery.InDoubt == "resend" }

// beat keeps a node in step with the others until ctx is done.
func (p *publication) beat(ctx context.Context, n *store.Node, sender *deliver.Sender) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	var sent int64
	for beats := 0; ; beats++ {
		now := sender.Progress().Sent
		if err := p.beatOnce(ctx, n, sender, perSecond(now-sent, beatEvery), beats >= joinBeats); err != nil && ctx.Err() == nil {
			p.log.Error("look after the other nodes", "err", err)
		}
		sent = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// beatOnce buries the dead, and takes this node's part of what the living share.
func (p *publication) beatOnce(ctx context.Context, n *store.Node, sender *deliver.Sender, rate float64, known bool) error {
	dead, err := n.Sweep(ctx, p.resend())
	if err != nil {
		return err
	}
	if len(dead.Nodes) > 0 {
		p.log.Warn("others go on with what a dead node sent", "nodes", len(dead.Nodes), "batches", dead.Batches, "sent_again", dead.Again, "held", dead.Held)
		sender.Wake()
	}
	list, err := n.Beat(ctx, rate, p.keeper.Load())
	if err != nil {
		return err
	}
	place := slices.IndexFunc(list, func(o store.NodeInfo) bool { return o.ID == n.ID() })
	if place < 0 || !known && len(list) > 1 {
		return nil
	}
	return sender.Share(ctx, len(list), place, p.Mail.SMTP.MaxConnections)
}

// runNode is the daemon as one of many: it sends until ctx is done, and keeps
// the publication while nobody else does. When it loses the database it stops,
// and comes again as a new node, also where a newer version has changed the
// schema meanwhile.
func (p *publication) runNode(ctx context.Context) error {
	return p.runAgain(ctx, func(begun func()) error {
		return p.asNode(ctx, func(ctx context.Context, sender *deliver.Sender) error {
			begun()
			group, ctx := errgroup.WithContext(ctx)
			group.Go(func() error { return sender.Run(ctx) })
			group.Go(func() error { return p.keepWhenFree(ctx, sender) })
			return group.Wait()
		})
	})
}

// runMute is runNode for one that sends no mail.
func (p *publication) runMute(ctx context.Context) error {
	return p.runAgain(ctx, func(begun func()) error {
		begun()
		return p.keepWhenFree(ctx, nil)
	})
}

// runAgain works until ctx is done, and begins anew what ends before that. Work
// that did not even begin once is a failure.
func (p *publication) runAgain(ctx context.Context, work func(begun func()) error) error {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for ever := false; ; {
		err := work(func() { ever = true; p.runs() })
		if ctx.Err() != nil || !ever {
			return err
		}
		p.log.Error("this node rests until it has joined again", "err", err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// keepWhenFree waits until nobody keeps the publication, and does so until ctx is
// done or the lock is lost. Meanwhile it mirrors the site, if it is to.
func (p *publication) keepWhenFree(ctx context.Context, sender *deliver.Sender) error {
	mirroring, stop := context.WithCancel(ctx)
	var mirror sync.WaitGroup
	if p.mirrors {
		reload := make(chan struct{}, 1)
		mirror.Go(func() { p.publisher.Mirror(mirroring, publish.Signals{Reload: reload, Notice: p.notice}, p.showsSite) })
		mirror.Go(func() { p.codings.Run(mirroring) })
		mirror.Go(func() { onHangup(mirroring, func() { askFor(reload) }) })
	}
	lock, err := p.waitToKeep(ctx)
	stop()
	mirror.Wait() // one writer at a time
	if lock == nil {
		return err
	}
	held, stop := lock.Context(ctx)
	defer stop()
	p.keeper.Store(true)
	defer p.keeper.Store(false)
	p.log.Info("this node keeps the publication")
	err = p.keep(held, sender)
	if cause := context.Cause(held); errors.Is(cause, newsletter.ErrCutOff) {
		err = errors.Join(cause, err)
	}
	return errors.Join(err, lock.Unlock()) // the output folder, too, when the lock is lost
}

// waitToKeep returns the lock once it is free, nil when ctx was done first.
func (p *publication) waitToKeep(ctx context.Context) (*holding, error) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		holder, err := p.store.LockHolder(ctx)
		if err == nil && holder == nil {
			var lock *holding
			lock, err = p.lock(ctx, "run")
			if err == nil {
				return lock, nil
			}
		}
		if _, busy := errors.AsType[*store.LockedError](err); err != nil && !busy && ctx.Err() == nil {
			p.log.Error("look who keeps the publication", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil, nil
}

// printSites tells which of the sites of many nodes are not as they should be.
func printSites(w io.Writer, list []store.SiteInfo) {
	for _, s := range list {
		switch {
		case s.Failure != "":
			fmt.Fprintf(w, "Site\t%s could not be written: %s\n", s.Place, s.Failure)
		case !s.Newest:
			fmt.Fprintf(w, "Site\t%s is not written yet as the database has it\n", s.Place)
		}
	}
}

// printNodes tells who sends.
func printNodes(w io.Writer, list []store.NodeInfo) {
	for _, n := range list {
		what := ""
		if n.Keeper {
			what = ", keeps the publication"
		}
		batches := "1 batch"
		if n.Batches != 1 {
			batches = thousands(n.Batches) + " batches"
		}
		fmt.Fprintf(w, "Node\tprocess %d on %s, %s, %.1f messages a second%s\n", n.PID, n.Host, batches, n.Rate, what)
	}
}
