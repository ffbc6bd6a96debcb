package publish

import (
	"context"
	"errors"
	"fmt"

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
	if p.o.Hooks.BeforeSlot == nil {
		return
	}
	if err := p.Hooked(ctx, WarningBeforeSlot, p.o.Hooks.BeforeSlot(ctx, slot)); err != nil && ctx.Err() == nil {
		p.o.Log.Warn("the slot goes on without its hook", "slot", slot.Key, "err", err)
	}
}

// afterSite calls the hook after the site, unless it ended well in this process
// and nothing has changed since.
func (p *Publisher) afterSite(ctx context.Context, report site.Report, due []int64) error {
	if p.o.Hooks.AfterSite == nil || p.hooked.Load() && report.Written == 0 && len(due) == 0 {
		return nil
	}
	p.hooked.Store(false)
	if err := p.Hooked(ctx, WarningAfterSite, p.o.Hooks.AfterSite(ctx, due)); err != nil {
		return &hookError{err}
	}
	p.hooked.Store(true)
	return nil
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
