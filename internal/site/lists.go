package site

import (
	"cmp"
	"fmt"
	"slices"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// How many threads stand on a page of the archive, with their opening posts,
// and on one of a tag, without: under 50 KB either way.
const (
	archiveSize = 20
	tagSize     = 50
)

// archive is the front page with the newest threads, and the pages of all.
func (s *Site) archive(c content) []document {
	var list []document
	for _, l := range slices.Backward(listings("", c.entries, archiveSize)) {
		l.Tagged = len(c.tags) > 0
		if l.Number == 0 { // the others stay the same when a slot passes
			l.Next = s.opt.Templates.Day(s.opt.Publication, c.next)
		}
		c.listOf(l, "")
		list = append(list, document{name: l.Path + "index.html", make: func() ([]byte, error) {
			return s.opt.Templates.ArchivePage(s.opt.Publication, l)
		}})
	}
	return list
}

// tags are the pages of the tags, then the list of them.
func (s *Site) tags(c content) []document {
	var list []document
	for _, tag := range c.tags {
		for _, l := range slices.Backward(listings(tag.Path, tag.Entries, tagSize)) {
			c.listOf(l, tag.Name)
			list = append(list, document{name: l.Path + "index.html", make: func() ([]byte, error) {
				return s.opt.Templates.TagPage(s.opt.Publication, tag, l)
			}})
		}
	}
	return append(list, document{name: render.TagsPath + "index.html", make: func() ([]byte, error) {
		return s.opt.Templates.TagsPage(s.opt.Publication, c.tags)
	}})
}

// listOf notes what a page of a list is made of.
func (m sources) listOf(l render.Listing, tag string) {
	older, newer := cmp.Or(l.Older, &render.Neighbour{}), cmp.Or(l.Newer, &render.Neighbour{})
	m.madeOf(l.Path+"index.html", fmt.Sprintf("%q %d %v %q %q %q", tag, l.Number, l.Tagged, l.Next, older.Path, newer.Path), m.indexes(l.Entries)...)
}

// listings divides a list of threads, newest first, into pages. The first is at
// base and shows the newest. Where that is not all, all are at
// base + "page/{n}/", counted from the oldest thread: a page that has one
// behind it stays the same, byte for byte, when threads are added.
func listings(base string, entries []newsletter.Entry, size int) []render.Listing {
	all := len(entries)
	front := render.Listing{Path: base, Entries: entries[:min(all, size)]}
	last := (all + size - 1) / size
	if last < 2 {
		return []render.Listing{front}
	}
	at := func(n int) *render.Neighbour {
		switch {
		case n < 1:
			return nil
		case n > last:
			return &render.Neighbour{Path: base}
		}
		return &render.Neighbour{Path: fmt.Sprintf("%spage/%d/", base, n), Number: n}
	}
	front.Older = at(last - 1) // the last one is on the front page
	list := []render.Listing{front}
	for n := last; n > 0; n-- {
		list = append(list, render.Listing{
			Path: at(n).Path, Number: n, Older: at(n - 1), Newer: at(n + 1),
			Entries: entries[max(0, all-n*size) : all-(n-1)*size],
		})
	}
	return list
}
