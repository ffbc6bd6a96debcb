package site

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"threadmill/internal/newsletter"
)

// threads are the pages of the threads.
func (s *Site) threads(c content) []document {
	list := make([]document, len(c.entries))
	for i, e := range c.entries {
		name := e.Path() + "index.html"
		c.madeOf(name, "", i-1, i, i+1)
		list[i] = document{name: name, make: func() ([]byte, error) {
			var newer, older *newsletter.Entry
			if i > 0 {
				newer = &c.entries[i-1]
			}
			if i+1 < len(c.entries) {
				older = &c.entries[i+1]
			}
			return s.opt.Templates.ThreadPage(s.opt.Publication, e, newer, older)
		}}
	}
	return list
}

// checkSlugs tells whether each thread has a folder of its own.
func checkSlugs(entries []newsletter.Entry) error {
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		if e.Slug == "" || strings.ContainsAny(e.Slug, `/\`) || !fs.ValidPath(e.Slug) || e.Slug == "." {
			return fmt.Errorf("thread %s: slug %q cannot be the name of a folder", e.Slug, e.Slug)
		}
		if seen[e.Slug] {
			return fmt.Errorf("thread %s: %w", e.Slug, errors.New("another thread has the same slug"))
		}
		seen[e.Slug] = true
	}
	return nil
}

// issues are the pages of the issues of several threads, as these are now.
func (s *Site) issues(c content) []document {
	byID := make(map[string]newsletter.Entry)
	if len(c.digests) > 0 {
		for _, e := range c.entries {
			byID[e.ID] = e
		}
	}
	list := make([]document, len(c.digests))
	for i, issue := range c.digests {
		list[i] = document{name: newsletter.IssuePath(issue.Number) + "index.html", make: func() ([]byte, error) {
			var in []newsletter.Entry
			for _, t := range issue.Threads {
				if e, ok := byID[t.ID]; ok && e.Issue == issue.Number {
					in = append(in, e)
				}
			}
			return s.opt.Templates.IssuePage(s.opt.Publication, issue, in)
		}}
	}
	return list
}

// The pages that a web server shows for addresses that lead nowhere, and where
// a page was withdrawn.
const (
	NotFoundFile  = "404.html"
	WithdrawnFile = "410.html"
)

// notFound are the pages for addresses that lead nowhere, or nowhere any more.
func (s *Site) notFound(content) []document {
	return []document{
		{name: NotFoundFile, make: func() ([]byte, error) { return s.opt.Templates.NotFoundPage(s.opt.Publication) }},
		{name: WithdrawnFile, make: func() ([]byte, error) { return s.opt.Templates.GonePage(s.opt.Publication) }},
	}
}
