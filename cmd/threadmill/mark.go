package main

import (
	"cmp"
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

// maySend looks at the sites once more before mail leaves: another database may
// have published since.
func (p *publication) maySend(ctx context.Context) error {
	if p.private {
		return nil
	}
	if err := p.mayWrite(ctx); err != nil {
		return err
	}
	mark, err := witness.At(ctx, p.facts.URL)
	if err != nil { // as was told
		return ctx.Err()
	}
	if err := p.against(ctx, mark, p.facts.URL); err != nil {
		return fmt.Errorf("%w; if the issue went out there, `threadmill issues stop` it here", err)
	}
	return nil
}

// holdCopy holds a database that finds out that it is an older state of itself,
// such as a snapshot of the machine that was put back, before the mail leaves again
// that its later self sent. It is then as one that was restored.
func (p *publication) holdCopy(ctx context.Context, sites ...string) error {
	if p.private {
		return nil
	}
	left, err := p.leftover(ctx)
	if err != nil || left.Pending+left.Deferred == 0 {
		return err
	}
	for _, where := range sites {
		mark, err := witness.From(where).Mark(ctx)
		if err != nil {
			continue // that is told before each issue
		}
		own, _, err := p.store.Mark(ctx) // after the site, which another node may write meanwhile
		if err != nil {
			return err
		}
		if mark.Publication != own.Publication || mark.Instance != own.Instance || mark.Issue <= own.Issue {
			continue
		}
		n, err := p.store.Restore(ctx, own.PublishedAt)
		if err != nil {
			return err
		}
		p.log.Error("this database is an older copy of the one that wrote the site; it is held, and what was to leave is in doubt: `threadmill recover`, then `threadmill resume`",
			"site", where, "issue_there", mark.Issue, "issue_here", own.Issue, "messages", n)
		return nil
	}
	return ctx.Err()
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
	ahead := mark.Against(own, accepted, where)
	if ahead == nil {
		return nil
	}
	former, err := p.store.Former(ctx)
	if err == nil && mark.Against(own, former, where) == nil {
		return nil
	}
	return cmp.Or(err, ahead)
}

// goOn lets the database publish again that was restored, or that another one is
// ahead of. With takeOver it goes on where the sites stand, unless they show
// issues that it does not know.
func (p *publication) goOn(ctx context.Context, takeOver bool) error {
	other, err := p.otherMark(ctx, takeOver)
	if err != nil {
		return err
	}
	if !takeOver {
		return p.store.Release(ctx)
	}
	if other.Publication != "" {
		if err := p.store.Accept(ctx, other); err != nil {
			return err
		}
	}
	if err := p.store.TakeOver(ctx); err != nil {
		return err
	}
	fmt.Fprintln(p.stderr, "threadmill: from now on this database publishes; other copies refuse to once the site is written from here")
	return p.store.Release(ctx)
}

// otherMark is the mark that another database wrote and this one is to go on from:
// what recover accepted, or what a site shows. It is an error where a site shows
// what keeps this one from going on.
func (p *publication) otherMark(ctx context.Context, takeOver bool) (newsletter.Mark, error) {
	own, other, err := p.store.Mark(ctx)
	if err != nil {
		return other, err
	}
	restored, err := p.store.Restored(ctx)
	if err != nil {
		return other, err
	}
	for _, where := range []string{p.Path(p.Output), p.facts.URL} {
		mark, err := p.markAt(ctx, where)
		if err != nil {
			if takeOver || !restored.IsZero() { // of a mere pause the next slot tells
				fmt.Fprintf(p.stderr, "threadmill: warning: %s does not tell whether another server publishes: %v\n", where, err)
			}
			continue
		}
		err = p.against(ctx, mark, where)
		ahead, isAhead := errors.AsType[*newsletter.AheadError](err)
		if err != nil && (!isAhead || !takeOver || ahead.Later()) {
			return other, err
		}
		if isAhead || other.Publication == "" && mark.Publication != "" && mark.Instance != own.Instance {
			other = mark
		}
	}
	return other, nil
}

// markAt reads the mark of a site at an address or in a folder.
func (p *publication) markAt(ctx context.Context, where string) (newsletter.Mark, error) {
	if where == p.facts.URL {
		return witness.At(ctx, where)
	}
	return witness.InDir(where)
}
