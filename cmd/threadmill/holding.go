package main

import (
	"context"
	"errors"

	"threadmill/internal/site"
	"threadmill/internal/store"
)

// holding is what makes this process the sender and the writer of its output
// folder.
type holding struct {
	lock   *store.Lock
	output *site.Claim // nil for a command that writes no site
}

// Unlock gives both back, the folder first: whoever then gets the lock finds
// it free.
func (h *holding) Unlock() error {
	var err error
	if h.output != nil {
		err = h.output.Release()
	}
	return errors.Join(err, h.lock.Unlock())
}

// Context returns a context that also ends when the lock is lost.
func (h *holding) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	return h.lock.Context(ctx)
}

// lock makes this process the sender and the writer of the output folder, and
// brings an older database up to date. A folder that another publication
// writes is refused.
func (p *publication) lock(ctx context.Context, command string) (*holding, error) {
	l, err := p.store.Lock(ctx, command)
	if err != nil {
		return nil, err
	}
	h := &holding{lock: l}
	if command != migrating {
		// Any other fault of the folder is told when something is written.
		if h.output, err = site.ClaimDir(ctx, p.Path(p.Output)); errors.Is(err, site.ErrClaimed) {
			return nil, errors.Join(p.wrong("output", err), h.Unlock())
		}
	}
	if err := p.migrate(ctx); err != nil {
		return nil, errors.Join(err, h.Unlock())
	}
	return h, nil
}

// migrating is the command that writes no site.
const migrating = "migrate"
