package site

import (
	"sync"

	"threadmill/internal/feed"
	"threadmill/internal/render"
)

// feeds are the three documents for feed readers.
func (s *Site) feeds(c content) []document {
	build := sync.OnceValues(func() (feed.Files, error) {
		var items []feed.Item
		for _, e := range c.entries[:min(len(c.entries), s.opt.FeedItems)] {
			content, err := render.Content(s.opt.Publication, e.Thread)
			if err != nil {
				return feed.Files{}, err
			}
			items = append(items, feed.Item{Entry: e, HTML: content})
		}
		return feed.Build(s.opt.Publication, items)
	})
	part := func(name string, of func(feed.Files) []byte) document {
		return document{name, func() ([]byte, error) {
			files, err := build()
			return of(files), err
		}}
	}
	return []document{
		part(feed.RSSPath, func(f feed.Files) []byte { return f.RSS }),
		part(feed.AtomPath, func(f feed.Files) []byte { return f.Atom }),
		part(feed.JSONPath, func(f feed.Files) []byte { return f.JSON }),
	}
}
