package main

import (
	"context"
	"errors"
	"fmt"

	"threadmill/internal/newsletter"
	"threadmill/internal/witness"
)

// mayPublish tells what keeps this database from publishing: it was restored and
// nobody said that it may go on, or a site shows that another one is ahead of it.
func (p *publication) mayPublish(ctx context.Context) error {
	if p.private {
		return nil
	}
	at, err := p.store.Restored(ctx)
	if err != nil {
		return err
	}
	if !at.IsZero() {
		return fmt.Errorf("the publication was restored from a backup of %s and is held; `threadmill resume` lets it go on", longTime(at, p.facts.Zone))
	}
	if err := p.mayWrite(ctx); err != nil {
		return err
	}
	mark, err := witness.At(ctx, p.facts.URL)
	if err != nil {
		if ctx.Err() == nil {
			p.log.Warn("the public site does not tell whether another server publishes; going on", "url", p.facts.URL, "err", err)
		}
		return ctx.Err()
	}
	return p.against(ctx, mark, p.facts.URL)
}

// mayWrite tells whether the output folder was written by a database that is
// ahead of this one: its pages must not be lost.
func (p *publication) mayWrite(ctx context.Context) error {
	mark, err := witness.InDir(p.Path(p.Output))
	if err != nil {
		p.log.Warn("the output folder does not tell who wrote it; going on", "err", err)
		return nil
	}
	return p.against(ctx, mark, p.Path(p.Output))
}

func (p *publication) against(ctx context.Context, mark newsletter.Mark, where string) error {
	own, accepted, err := p.store.Mark(ctx)
	if err != nil {
		return err
	}
	return mark.Against(own, accepted, where)
}

// goOn lets the database publish again that was restored, or that another one is
// ahead of. With takeOver it goes on where the sites stand, unless they show
// issues that it does not know.
func (p *publication) goOn(ctx context.Context, takeOver bool) error {
	newest, _, err := p.store.Mark(ctx)
	if err != nil {
		return err
	}
	own := newest
	for _, where := range []string{p.Path(p.Output), p.facts.URL} {
		mark, err := p.markAt(ctx, where)
		if err != nil {
			fmt.Fprintf(p.stderr, "threadmill: warning: %s does not tell whether another server publishes: %v\n", where, err)
			continue
		}
		err = p.against(ctx, mark, where)
		ahead, isAhead := errors.AsType[*newsletter.AheadError](err)
		if err != nil && (!isAhead || !takeOver || ahead.Later()) {
			return err
		}
		if isAhead || newest == own && mark.Publication != "" {
			newest = mark
		}
	}
	if takeOver {
		if err := p.store.Accept(ctx, newest); err != nil {
			return err
		}
		if err := p.store.TakeOver(ctx); err != nil {
			return err
		}
		fmt.Fprintln(p.stderr, "threadmill: from now on this database publishes; other copies refuse to once the site is written from here")
	}
	return p.store.Release(ctx)
}

// markAt reads the mark of a site at an address or in a folder.
func (p *publication) markAt(ctx context.Context, where string) (newsletter.Mark, error) {
	if where == p.facts.URL {
		return witness.At(ctx, where)
	}
	return witness.InDir(where)
}
