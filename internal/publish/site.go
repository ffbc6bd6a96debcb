package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"threadmill/internal/newsletter"
	"threadmill/internal/site"
)

// SiteWanted tells whether an issue waits for its page, or a command asked for
// a new site.
func (p *Publisher) SiteWanted(ctx context.Context) (due, asked bool, err error) {
	issues, err := p.o.Store.SiteDue(ctx)
	if err != nil {
		return false, false, err
	}
	request, err := p.o.Store.RebuildAsked(ctx)
	return len(issues) > 0, request > 0, err
}

// WriteSite writes pages and feeds from threads, templates and database, and
// lets the mail of the issues go that are in them now. It answers those who
// asked for it, and a warning stands while it fails. Only the holder of the
// lock may call it.
func (p *Publisher) WriteSite(ctx context.Context) (site.Report, error) {
	request, err := p.o.Store.RebuildAsked(ctx)
	if err != nil {
		return site.Report{}, err
	}
	report, err := p.writeSite(ctx)
	if ctx.Err() != nil { // it says nothing about the site
		return report, err
	}
	if request > 0 {
		err = errors.Join(err, p.o.Store.AnswerRebuild(ctx, request, err))
	}
	if err != nil {
		return report, errors.Join(err, p.o.Store.Warn(ctx, WarningSite, err.Error()))
	}
	return report, p.o.Store.Unwarn(ctx, WarningSite)
}

func (p *Publisher) writeSite(ctx context.Context) (site.Report, error) {
	due, err := p.o.Store.SiteDue(ctx)
	if err != nil {
		return site.Report{}, err
	}
	c, err := p.Sync(ctx)
	if err != nil {
		return site.Report{}, err
	}
	templates, err := p.o.Templates()
	if err != nil {
		return site.Report{}, err
	}
	entries := c.Entries()
	s := p.o.Site(templates, "")
	report, err := s.Write(ctx, entries, p.digests(entries))
	if err != nil {
		return report, fmt.Errorf("write the site: %w", err)
	}
	withdrawn, err := p.o.Store.WithdrawnIssues(ctx)
	if err != nil {
		return report, err
	}
	if err := s.Remove(ctx, offline(c, withdrawn)); err != nil {
		return report, err
	}
	return report, p.o.Store.SiteWritten(ctx, due)
}

// offline are the pages that may stand on the site and should not: those of
// threads that are not out, whose issue may have been undone, and of issues
// that were withdrawn.
func offline(c Catalogue, withdrawn []int64) []string {
	var paths []string
	out := map[string]bool{}
	for _, e := range c.Entries() {
		out[e.Path()] = true
	}
	for _, t := range c.Threads {
		if t.Slug != "" && !out[t.Path()] {
			paths = append(paths, t.Path())
		}
	}
	for _, n := range withdrawn {
		paths = append(paths, newsletter.IssuePath(n))
	}
	return paths
}

// digests are the issues that carried several threads.
func (p *Publisher) digests(entries []newsletter.Entry) []newsletter.Issue {
	byIssue := map[int64][]newsletter.Listed{}
	var numbers []int64
	for _, e := range entries {
		if e.Issue == 0 {
			continue
		}
		if byIssue[e.Issue] == nil {
			numbers = append(numbers, e.Issue)
		}
		byIssue[e.Issue] = append(byIssue[e.Issue], newsletter.Listed{Thread: e.Thread, OutAt: e.PublishedAt})
	}
	slices.Sort(numbers)
	var list []newsletter.Issue
	for _, n := range numbers {
		if threads := byIssue[n]; len(threads) > 1 {
			list = append(list, p.issue(n, threads, threads[0].OutAt))
		}
	}
	return list
}
