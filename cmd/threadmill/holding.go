package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"threadmill/internal/site"
	"threadmill/internal/store"
)

// holding is what makes this process the sender and the writer of its output
// folder.
type holding struct {
	lock   *store.Lock // nil for one who only writes
	output *site.Claim // nil for a command that writes no site, or a node that has it anyway
}

// Unlock gives both back, the folder first: whoever then gets the lock finds
// it free.
func (h *holding) Unlock() error {
	var err error
	if h.output != nil {
		err = h.output.Release()
	}
	if h.lock != nil {
		err = errors.Join(err, h.lock.Unlock())
	}
	return err
}

// Context returns a context that also ends when the lock is lost.
func (h *holding) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	return h.lock.Context(ctx)
}

// lock makes this process the sender and the writer of the output folder, and
// brings an older database up to date. A folder that another publication
// writes is refused. One that a node of this publication writes is as good as
// the lock: that node or another one keeps the publication, or is about to.
func (p *publication) lock(ctx context.Context, command string) (*holding, error) {
	tick := time.NewTicker(followLook)
	defer tick.Stop()
	for start := time.Now(); ; {
		h, err := p.tryLock(ctx, command)
		if !errors.Is(err, site.ErrClaimed) || !p.store.Shared() {
			return h, err
		}
		holder, herr := p.store.LockHolder(ctx)
		switch {
		case herr != nil:
			return nil, herr
		case holder != nil:
			return nil, &store.LockedError{Holder: *holder}
		case time.Since(start) > claimPatience:
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// claimPatience is how long a node may take to keep the publication when
// nobody does, and a command to end that writes an output folder.
const claimPatience = 3 * time.Second

// tryLock does not wait. Where nodes share a database the folder comes first:
// the lock is theirs while a command finds that the folder is.
func (p *publication) tryLock(ctx context.Context, command string) (*holding, error) {
	h := &holding{}
	take := []func(context.Context) error{
		func(ctx context.Context) (err error) { h.lock, err = p.store.Lock(ctx, command); return err },
		func(ctx context.Context) (err error) {
			if command != migrating && p.output == nil {
				h.output, err = p.claim(ctx)
			}
			return err
		},
		p.migrate,
	}
	if p.store.Shared() {
		slices.Reverse(take[:2])
	}
	for _, step := range take {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, h.Unlock())
		}
	}
	return h, nil
}

// claim makes this process the writer of the output folder. Any fault but
// another writer is told when something is written.
func (p *publication) claim(ctx context.Context) (*site.Claim, error) {
	claim, err := site.ClaimDir(ctx, p.Path(p.Output))
	if errors.Is(err, site.ErrClaimed) {
		return nil, p.wrong("output", err)
	}
	return claim, nil
}

// holdFolder makes this process the writer of the output folder and no more; a
// *store.LockedError when another one is.
func (p *publication) holdFolder(ctx context.Context) (*holding, error) {
	claim, err := p.claim(ctx)
	if err != nil {
		return nil, &store.LockedError{}
	}
	return &holding{output: claim}, nil
}

// claimForLife makes this process the writer of the output folder until it
// ends. It waits while a command writes there.
func (p *publication) claimForLife(ctx context.Context) (err error) {
	tick := time.NewTicker(followLook)
	defer tick.Stop()
	start, told := time.Now(), false
	for {
		if p.output, err = p.claim(ctx); err == nil {
			return nil
		}
		holder, herr := p.store.LockHolder(ctx)
		passing := herr == nil && holder != nil && holder.Command != "run" && holder.Here()
		if !passing && time.Since(start) > claimPatience {
			return err
		}
		if passing && !told {
			told = true
			p.log.Info("waiting until the output folder is free", "holder", holder.String())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errInterrupted
		}
	}
}

// migrating is the command that writes no site.
const migrating = "migrate"
