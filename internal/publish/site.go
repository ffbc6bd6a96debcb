package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/site"
)

// SiteWanted tells whether an issue waits for its page, the hook after the site
// is due, or the publication has a revision that the output folder does not show
// yet.
func (p *Publisher) SiteWanted(ctx context.Context) (bool, error) {
	_, wanted, err := p.siteWanted(ctx)
	return wanted, err
}

// siteWanted is SiteWanted, with the publication's revision.
func (p *Publisher) siteWanted(ctx context.Context) (revision int64, wanted bool, err error) {
	revision, err = p.o.Store.Revision(ctx)
	if err != nil {
		return 0, false, err
	}
	issues, err := p.o.Store.SiteDue(ctx)
	if err != nil || len(issues) > 0 {
		return revision, err == nil, err
	}
	if p.o.Hooks.AfterSite != nil {
		if owed, err := p.o.Store.AfterSiteDue(ctx); owed || err != nil {
			return revision, owed, err
		}
	}
	state, err := p.o.Store.SiteState(ctx, p.o.Place)
	return revision, state.Revision < revision, err
}

// WriteSite does what MirrorSite does, and lets the mail of the issues go that
// are in the site now, once the hook after the site has ended well. A warning
// stands while it fails. Only the holder of the lock may call it, with the output
// folder in its hands.
//
// The mail waits for this output folder and for no other: where many nodes
// serve the site, all of them begin to write it at the same commit, and one that
// cannot must not hold everybody's mail.
func (p *Publisher) WriteSite(ctx context.Context) (site.Report, error) {
	due, err := p.o.Store.SiteDue(ctx) // before what is read of the site
	var report site.Report
	var owed bool
	if err == nil {
		owed, err = p.oweHook(ctx)
	}
	if err == nil {
		report, err = p.MirrorSite(ctx)
	}
	if ctx.Err() != nil { // it says nothing about the site
		return report, cmp.Or(err, ctx.Err())
	}
	if err == nil {
		err = p.maySend(ctx, due)
	}
	if err == nil {
		if hook := p.afterSite(ctx, report, due, owed); hook != nil { // the site itself is in place
			return report, cmp.Or(ctx.Err(), errors.Join(hook, p.o.Store.Unwarn(ctx, WarningSite)))
		}
		err = p.letGo(ctx, due)
	}
	if err != nil {
		return report, errors.Join(err, p.o.Store.Warn(ctx, WarningSite, err.Error()))
	}
	return report, p.o.Store.Unwarn(ctx, WarningSite)
}

// letGo lets the mail of issues leave, after another look where a hook may have
// taken its time.
func (p *Publisher) letGo(ctx context.Context, due []int64) error {
	if p.o.Hooks.AfterSite != nil {
		if err := p.maySend(ctx, due); err != nil {
			return err
		}
	}
	return p.o.Store.SiteWritten(ctx, due)
}

func (p *Publisher) maySend(ctx context.Context, due []int64) error {
	if p.o.MaySend == nil || len(due) == 0 {
		return nil
	}
	if err := p.o.MaySend(ctx); err != nil {
		return fmt.Errorf("the mail of issue %d waits: %w", due[0], err)
	}
	return nil
}

// MirrorSite takes in what is new in the threads folder, writes pages and feeds
// from database and templates, and notes which revision the output folder shows
// or what is in its way. The same database and templates give the same bytes
// everywhere. Only the one who holds the output folder may call it.
func (p *Publisher) MirrorSite(ctx context.Context) (site.Report, error) {
	parsed, err := p.takeIn(ctx)
	revision, rerr := p.o.Store.Revision(ctx) // before what is read of it
	if err := cmp.Or(ctx.Err(), rerr); err != nil {
		return site.Report{}, err
	}
	var report site.Report
	if err == nil {
		report, err = p.writeSite(ctx, parsed)
	}
	if ctx.Err() != nil {
		return report, cmp.Or(err, ctx.Err())
	}
	return report, errors.Join(err, p.o.Store.SiteTried(ctx, p.o.Place, revision, err))
}

// NextIssue is when the next issue is to come, as the site said when it was
// written last; zero where none is in sight.
func (p *Publisher) NextIssue() time.Time {
	next := p.next.Load()
	if next == nil || next.Before(time.Now()) {
		return time.Time{}
	}
	return *next
}

func (p *Publisher) writeSite(ctx context.Context, parsed map[string]newsletter.Thread) (site.Report, error) {
	if p.o.MayWrite != nil {
		if err := p.o.MayWrite(ctx); err != nil {
			return site.Report{}, err
		}
	}
	mark, _, err := p.o.Store.Mark(ctx) // before what is read of the issues: a site must not promise more than it shows
	if err != nil {
		return site.Report{}, err
	}
	c, err := p.stored(ctx, parsed)
	if err != nil {
		return site.Report{}, err
	}
	templates, err := p.o.Templates()
	if err != nil {
		return site.Report{}, err
	}
	entries := c.Entries()
	first := ""
	if len(entries) > 0 { // nobody follows the feed of nothing: until then the address may be a trial
		if first, err = p.o.Store.FirstURL(ctx, p.o.Publication.URL); err != nil {
			return site.Report{}, err
		}
	}
	next, err := p.nextIssue(ctx, c)
	if err != nil {
		return site.Report{}, err
	}
	p.next.Store(&next)
	s := p.o.Site(templates, "")
	report, err := s.Write(ctx, site.Content{Entries: entries, Digests: p.digests(templates, c, entries), Next: next, FirstURL: first, Mark: mark})
	if err != nil {
		return report, err
	}
	withdrawn, err := p.o.Store.WithdrawnIssues(ctx)
	if err != nil {
		return report, err
	}
	return report, errors.Join(s.Gone(gone(p.o.Publication, c, withdrawn)), s.Remove(ctx, offline(c, withdrawn)))
}

// gone are the pages that stood on the site and were withdrawn.
func gone(pub newsletter.Publication, c Catalogue, withdrawn []int64) []string {
	var paths []string
	for _, t := range c.Threads {
		if t.Withdrawn && t.Slug != "" && t.Via(newsletter.ChannelWeb) {
			paths = append(paths, t.Path())
			paths = append(paths, t.FormerPaths()...)
			paths = append(paths, formerPlaces(pub, t.Thread)...)
		}
	}
	for _, n := range withdrawn {
		paths = append(paths, newsletter.IssuePath(n))
	}
	return paths
}

// formerPlaces are the addresses that a thread had elsewhere and that lie below
// the site now, in the form of its own pages.
func formerPlaces(pub newsletter.Publication, t newsletter.Thread) []string {
	var paths []string
	for _, a := range pub.FormerAddresses(t) {
		below, ok := strings.CutPrefix(a.Path, pub.BasePath()+"/")
		if below = strings.Trim(below, "/"); ok && below != "" && len(a.Query) == 0 {
			paths = append(paths, below+"/")
		}
	}
	return paths
}

// offline are the pages that may stand on the site and should not: those of
// threads that are not out, whose issue may have been undone, of issues that
// were withdrawn, of those whose threads all go out by mail only now, and those
// under slugs that threads had before.
func offline(c Catalogue, withdrawn []int64) []string {
	var paths []string
	withdrawn = slices.Clone(withdrawn)
	out := map[string]bool{}
	for _, e := range c.Entries() {
		out[e.Path()] = true
	}
	for _, t := range c.Threads {
		if t.Slug == "" {
			continue
		}
		for _, page := range append(t.FormerPaths(), t.Path()) {
			if !out[page] {
				paths = append(paths, page)
			}
		}
	}
	shown := map[int64]bool{}
	for _, t := range c.Threads {
		if t.Via(newsletter.ChannelWeb) {
			shown[t.Issue] = true
		}
	}
	for n := range c.carried() {
		if !shown[n] {
			withdrawn = append(withdrawn, n)
		}
	}
	for _, n := range withdrawn {
		paths = append(paths, newsletter.IssuePath(n))
	}
	return paths
}

// carried counts the threads of the issues that had several, by mail or web:
// their mails link to a page of the issue.
func (c Catalogue) carried() map[int64]int {
	count := map[int64]int{}
	for _, t := range c.Threads {
		if t.Issue > 0 && t.Out() {
			count[t.Issue]++
		}
	}
	maps.DeleteFunc(count, func(_ int64, n int) bool { return n < 2 })
	return count
}

// digests are the issues that carried several threads, with those of them that
// are on the site.
func (p *Publisher) digests(words *render.Templates, c Catalogue, entries []newsletter.Entry) []newsletter.Issue {
	carried := c.carried()
	byIssue := map[int64][]newsletter.Listed{}
	for _, e := range entries {
		if carried[e.Issue] > 0 {
			byIssue[e.Issue] = append(byIssue[e.Issue], newsletter.Listed{Thread: e.Thread, OutAt: e.PublishedAt, OutNumber: e.OutNumber})
		}
	}
	var list []newsletter.Issue
	for _, n := range slices.Sorted(maps.Keys(byIssue)) {
		// As they were sent.
		slices.SortStableFunc(byIssue[n], func(a, b newsletter.Listed) int { return cmp.Compare(a.OutNumber, b.OutNumber) })
		list = append(list, p.issue(words, n, byIssue[n], byIssue[n][0].OutAt))
	}
	return list
}
