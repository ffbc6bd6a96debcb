package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/site"
)

// Hooks are what the config has done at a slot and after the site was written;
// each may be nil.
type Hooks struct {
	// BeforeSlot is called once in each try to publish at a slot. What becomes of
	// it keeps no issue from its readers.
	BeforeSlot func(ctx context.Context, slot newsletter.Slot) error
	// AfterSite is called when the output folder has changed, with the issues whose
	// mail waits for it. The mail goes on waiting until it succeeds; whoever is
	// killed before that was noted calls it again.
	AfterSite func(ctx context.Context, due []int64) error
}

// The kinds of warnings that stand while a hook fails.
const (
	WarningBeforeSlot = "before_slot"
	WarningAfterSite  = "after_site"
	WarningAfterIssue = "after_issue"
)

// beforeSlot calls the hook before a slot.
func (p *Publisher) beforeSlot(ctx context.Context, slot newsletter.Slot) {
	var failed error
	if p.o.Hooks.BeforeSlot != nil { // else a warning of one that was taken out of the config is over
		failed = p.busyWith(ctx, func() error { return p.o.Hooks.BeforeSlot(ctx, slot) })
	}
	if err := p.Hooked(ctx, WarningBeforeSlot, failed); err != nil && ctx.Err() == nil {
		p.o.Log.Warn("the slot goes on without its hook", "slot", slot.Key, "err", err)
	}
}

// oweHook notes that the hook after the site is due, before the site is written,
// and tells whether it was due before: in a call of publish that failed or was
// killed.
func (p *Publisher) oweHook(ctx context.Context) (owed bool, err error) {
	if p.o.Hooks.AfterSite == nil {
		return false, nil
	}
	if owed, err = p.o.Store.AfterSiteDue(ctx); owed || err != nil {
		return owed, err
	}
	return false, p.o.Store.SetAfterSiteDue(ctx, true)
}

// afterSite calls the hook after the site, unless it is not owed, ended well in
// this process, and nothing has changed since.
func (p *Publisher) afterSite(ctx context.Context, report site.Report, due []int64, owed bool) error {
	if p.o.Hooks.AfterSite == nil {
		return p.o.Store.Unwarn(ctx, WarningAfterSite)
	}
	if owed || !p.hooked.Load() || report.Written > 0 || len(due) > 0 {
		p.hooked.Store(false)
		failed := p.busyWith(ctx, func() error { return p.o.Hooks.AfterSite(ctx, due) })
		if err := p.Hooked(ctx, WarningAfterSite, failed); err != nil {
			return &hookError{err}
		}
		p.hooked.Store(true)
	}
	return p.o.Store.SetAfterSiteDue(ctx, false)
}

// busyTime is when a hook kept the one who publishes from looking at the clock.
type busyTime struct{ from, until time.Time }

// busyWith runs a hook and notes when that was.
func (p *Publisher) busyWith(ctx context.Context, hook func() error) error {
	from, err := p.o.Store.Now(ctx)
	if err != nil {
		return err
	}
	failed := hook()
	until, err := p.o.Store.Now(ctx)
	if err == nil {
		p.busy.Store(&busyTime{from, until})
	}
	return cmp.Or(failed, err)
}

// onTime tells whether a slot may still be published. The time that a hook took
// over it makes no slot late: nobody was away.
func (p *Publisher) onTime(due, now time.Time) bool {
	if busy := p.busy.Load(); busy != nil && !due.Before(busy.from) && due.Before(busy.until) {
		now = now.Add(-busy.until.Sub(due))
	}
	return p.o.CatchUp.Allows(due, now)
}

// hookError says that the site is written and the hook after it failed.
type hookError struct{ error }

func (e *hookError) Unwrap() error { return e.error }

// Hooked keeps a warning of a kind while the hook fails. It returns what became
// of the hook.
func (p *Publisher) Hooked(ctx context.Context, kind string, failed error) error {
	if ctx.Err() != nil { // which says nothing about the hook
		return errors.Join(failed, ctx.Err())
	}
	if failed == nil {
		return p.o.Store.Unwarn(ctx, kind)
	}
	failed = fmt.Errorf("hooks.%s: %w", kind, failed)
	return errors.Join(failed, p.o.Store.Warn(ctx, kind, failed.Error()))
}
