package main

import (
	"context"
	"fmt"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/shell"
	"threadmill/internal/store"
)

// hookCall is what a hook reads on its stdin.
type hookCall struct {
	Hook        string `json:"hook"`
	Publication string `json:"publication"`
	// Issues are the one that a slot is to carry, those whose mail waits for the
	// site, or the one that is finished.
	Issues []hookIssue `json:"issues"`
}

// hookIssue is an issue as hooks know it.
type hookIssue struct {
	publishReport
	Subject     string     `json:"subject"`
	Due         *time.Time `json:"due,omitempty"`          // of a slot that is still to be published
	PublishedAt *time.Time `json:"published_at,omitempty"` // of any other
	URLs        []string   `json:"urls"`                   // of the pages
	Bounced     int        `json:"bounced"`
	Complained  int        `json:"complained"`
}

// hooks are those of the config that have a place in publishing.
func (p *publication) hooks() publish.Hooks {
	var h publish.Hooks
	if p.Hooks.BeforeSlot != "" {
		h.BeforeSlot = func(ctx context.Context, slot newsletter.Slot) error {
			return p.runHook(ctx, publish.WarningBeforeSlot, p.Hooks.BeforeSlot, p.comingIssue(ctx, slot))
		}
	}
	if p.Hooks.AfterSite != "" {
		h.AfterSite = func(ctx context.Context, due []int64) error {
			issues := []hookIssue{}
			for _, n := range due {
				r, err := p.store.Issue(ctx, n)
				if err != nil {
					return err
				}
				issues = append(issues, p.hookIssue(ctx, r))
			}
			return p.runHook(ctx, publish.WarningAfterSite, p.Hooks.AfterSite, issues)
		}
	}
	return h
}

// runHook runs one and notes what it printed.
func (p *publication) runHook(ctx context.Context, name, line string, issues []hookIssue) error {
	begun := time.Now()
	out, err := shell.Command{Line: line, Dir: p.Dir, Timeout: p.Hooks.Timeout}.
		Run(ctx, hookCall{Hook: name, Publication: p.facts.Title, Issues: issues})
	if err != nil {
		p.log.Error("a hook ended badly", "hook", name, "output", out, "err", err)
		return err
	}
	p.log.Info("a hook ended", "hook", name, "output", out, "took", time.Since(begun).Round(time.Millisecond))
	return nil
}

// comingIssue is what a slot would carry as the threads stand, which the hook
// may be about to change.
func (p *publication) comingIssue(ctx context.Context, slot newsletter.Slot) []hookIssue {
	coming := hookIssue{Due: &slot.Due, URLs: []string{}}
	coming.publishReport = newPublishReport(newsletter.Issue{Slot: slot.Key})
	planned, err := p.publisher.Upcoming(ctx, slot.Due.Add(-time.Nanosecond), 1)
	if err == nil && len(planned) > 0 && planned[0].Key == slot.Key {
		for i, t := range planned[0].Threads {
			if i == 0 {
				coming.Title, coming.Slug, coming.Subject = t.Title, t.Slug, t.MailSubject()
			}
			coming.Threads = append(coming.Threads, t.ID)
			if t.Via(newsletter.ChannelWeb) {
				coming.URLs = append(coming.URLs, p.facts.Link(t.Path()))
			}
		}
	}
	return []hookIssue{coming}
}

// hookIssue is an issue that was published.
func (p *publication) hookIssue(ctx context.Context, r store.IssueRow) hookIssue {
	h := hookIssue{
		publishReport: newIssueRow(r).publishReport, Subject: r.Subject, PublishedAt: timeOrNull(r.PublishedAt),
		URLs: []string{}, Bounced: r.Bounced, Complained: r.Complained,
	}
	c, err := p.publisher.Catalogue(ctx)
	if err != nil {
		p.log.Warn("a hook is not told the addresses of the pages", "issue", r.Number, "err", err)
	}
	for _, t := range c.Threads {
		if t.Issue == r.Number && t.Via(newsletter.ChannelWeb) {
			h.URLs = append(h.URLs, p.facts.Link(t.Path()))
		}
	}
	return h
}

// finishedLook is how often somebody looks for issues that are finished.
const finishedLook = 2 * time.Second

// followIssues does what follows each issue that is finished, until ctx is done.
func (p *publication) followIssues(ctx context.Context) {
	tick := time.NewTicker(finishedLook)
	defer tick.Stop()
	for {
		if err := p.afterIssues(ctx); err != nil && ctx.Err() == nil {
			p.log.Error("look after issues that are finished", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// afterIssues runs the hook after each issue that is finished, once. An issue
// that was finished without a hook in the config has had its turn.
func (p *publication) afterIssues(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := p.store.TakeHooked(ctx)
		if err != nil || n == 0 {
			return err
		}
		if p.Hooks.AfterIssue == "" {
			if err := p.store.Unwarn(ctx, publish.WarningAfterIssue); err != nil {
				return err
			}
			continue
		}
		r, err := p.store.Issue(ctx, n)
		if err != nil {
			return err
		}
		err = p.runHook(ctx, publish.WarningAfterIssue, p.Hooks.AfterIssue, []hookIssue{p.hookIssue(ctx, r)})
		if err = p.publisher.Hooked(ctx, publish.WarningAfterIssue, wrapIssue(n, err)); err != nil {
			return err
		}
	}
	return nil
}

// wrapIssue says of which issue an error tells.
func wrapIssue(n int64, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("issue %d: %w", n, err)
}
