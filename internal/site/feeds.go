package site

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"threadmill/internal/feed"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// feeds are the documents for feed readers: the archive, the feeds of the
// tags, that of all threads with the newest, and the list of them.
func (s *Site) feeds(c content) []document {
	f := newFeeds(s, c)
	list := s.feedLooks()
	for n := int64(1); n <= f.buckets(); n++ {
		list = append(list, f.archive(n)...)
	}
	for _, t := range c.tags {
		list = append(list, f.tag(t)...)
	}
	list = append(list, f.current()...)
	return append(list, s.feedList(c.tags)...)
}

// feedList is the list of all feeds, at the address that people know and at
// the one that programs ask.
func (s *Site) feedList(tags []newsletter.Tag) []document {
	opml := func() ([]byte, error) {
		heading, err := s.opt.Templates.Sentence(s.opt.Publication, "tags")
		if err != nil {
			return nil, err
		}
		return feed.OPML(s.opt.Publication, tags, heading)
	}
	return []document{{name: feed.OPMLPath, make: opml}, {name: feed.WellKnownPath, make: opml}}
}

// bucketSize is how many threads stand in one document of the archive. It is
// part of what never changes: another number would move all of them.
const bucketSize = 25

// bucketOf is the number of the archive's document that a thread stands in.
func bucketOf(e newsletter.Entry) int64 { return (e.OutNumber-1)/bucketSize + 1 }

// feeds makes the feeds of one Write.
//
// The archive (RFC 5005) is cut by the order in which threads went out, so that
// a thread stays in its document whatever becomes of it and of others: an edit
// or a withdrawal rewrites that document alone. A document is complete when
// bucketSize threads went out after the one before it. The one that is being
// filled is there too, as the end of the chain of next-archive links, and for
// the threads for which the current document has no room.
type feeds struct {
	site *Site
	content
	newest  int64 // the highest OutNumber
	members map[int64][]newsletter.Entry

	mu    sync.Mutex
	memo  map[string]feed.Encoded // by thread
	again map[string]bool         // the threads that stand in other feeds than the archive
	spare int                     // bytes that may still be kept in memo
}

// memoSize bounds what is kept of encoded threads, for those that stand in
// several feeds, in bytes.
const memoSize = 32 << 20

func newFeeds(s *Site, c content) *feeds {
	f := &feeds{
		site: s, content: c, members: map[int64][]newsletter.Entry{},
		memo: map[string]feed.Encoded{}, again: map[string]bool{}, spare: memoSize,
	}
	for _, e := range c.entries {
		if e.OutNumber > 0 {
			f.newest = max(f.newest, e.OutNumber)
			f.members[bucketOf(e)] = append(f.members[bucketOf(e)], e)
		}
	}
	return f
}

// buckets counts the documents of the archive with the one that is being
// filled.
func (f *feeds) buckets() int64 {
	if f.newest == 0 {
		return 0
	}
	return f.newest/bucketSize + 1
}

func (f *feeds) archive(n int64) []document {
	d := feed.Document{Paths: feed.ArchivePaths(n), Current: feed.PathsOf("")}
	if n > 1 {
		d.Older = feed.ArchivePaths(n - 1)
	}
	if n < f.buckets() {
		d.Newer, d.Complete = feed.ArchivePaths(n+1), true
		f.feedOf(d, f.members[n])
	}
	return f.documents(d.Paths, func() (feed.Files, error) {
		items, err := f.encode(f.members[n])
		if err != nil {
			return feed.Files{}, err
		}
		return feed.Build(f.site.opt.Publication, d, items)
	})
}

func (f *feeds) tag(t newsletter.Tag) []document {
	d := feed.Document{Paths: feed.PathsOf(t.Path), Tag: t.Name, TagPath: t.Path}
	newest := t.Entries[:min(len(t.Entries), f.site.opt.FeedItems)]
	f.feedOf(d, newest)
	f.keep(newest)
	return f.documents(d.Paths, func() (feed.Files, error) {
		items, err := f.encode(newest)
		if err != nil {
			return feed.Files{}, err
		}
		n, err := feed.Fit(f.site.opt.Publication, d, items, f.site.opt.FeedBytes)
		if err != nil {
			return feed.Files{}, err
		}
		return feed.Build(f.site.opt.Publication, d, items[:n])
	})
}

// feedOf notes that a feed is made of these threads, and of what its paths and
// its tag tell.
func (f *feeds) feedOf(d feed.Document, members []newsletter.Entry) {
	told, among := fmt.Sprintf("%q %v", d.Tag, d.Complete), f.indexes(members)
	for _, name := range []string{d.RSS, d.Atom, d.JSON} {
		f.madeOf(name, told, among...)
	}
}

// current is the feed that readers subscribe to. It holds what went out last;
// what has no room is found by its link into the archive.
func (f *feeds) current() []document {
	d := feed.Document{Paths: feed.PathsOf(""), Hubs: f.site.opt.Hubs}
	last := f.lastOut()
	newest := last[:min(len(last), f.site.opt.FeedItems)]
	f.keep(newest)
	return f.documents(d.Paths, func() (feed.Files, error) {
		pub := f.site.opt.Publication
		items, err := f.encode(newest)
		if err != nil {
			return feed.Files{}, err
		}
		d.Older = feed.ArchivePaths(f.buckets()) // for the size; it may turn out that there is none
		n, err := feed.Fit(pub, d, items, f.site.opt.FeedBytes)
		if err != nil {
			return feed.Files{}, err
		}
		d.Older = feed.Paths{}
		if n < len(last) && last[n].OutNumber > 0 {
			d.Older = feed.ArchivePaths(bucketOf(last[n]))
		}
		shown := items[:n]
		slices.SortStableFunc(shown, func(a, b feed.Encoded) int { return b.Published.Compare(a.Published) })
		return feed.Build(pub, d, shown)
	})
}

// keep has the threads kept once they are encoded.
func (f *feeds) keep(list []newsletter.Entry) {
	for _, e := range list {
		f.again[e.ID] = true
	}
}

// lastOut are the threads in the order in which they went out, the last one
// first. Those that have no number yet are on top, as in a preview.
func (f *feeds) lastOut() []newsletter.Entry {
	list := slices.Clone(f.entries)
	slices.SortStableFunc(list, func(a, b newsletter.Entry) int {
		if (a.OutNumber == 0) != (b.OutNumber == 0) {
			return cmp.Compare(a.OutNumber, b.OutNumber)
		}
		return cmp.Compare(b.OutNumber, a.OutNumber)
	})
	return list
}

// documents are the three of a feed. They are built together when the first of
// them is wanted, and let go with the last.
func (f *feeds) documents(p feed.Paths, build func() (feed.Files, error)) []document {
	var files feed.Files
	part := func(name string, of func(*feed.Files) *[]byte) document {
		return document{name: name, batch: p.RSS, make: func() ([]byte, error) {
			if *of(&files) == nil {
				var err error
				if files, err = build(); err != nil {
					return nil, err
				}
			}
			text := *of(&files)
			*of(&files) = nil
			return text, nil
		}}
	}
	return []document{
		part(p.RSS, func(f *feed.Files) *[]byte { return &f.RSS }),
		part(p.Atom, func(f *feed.Files) *[]byte { return &f.Atom }),
		part(p.JSON, func(f *feed.Files) *[]byte { return &f.JSON }),
	}
}

func (f *feeds) encode(entries []newsletter.Entry) ([]feed.Encoded, error) {
	items := make([]feed.Encoded, len(entries))
	for i, e := range entries {
		var err error
		if items[i], err = f.item(e); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (f *feeds) item(e newsletter.Entry) (feed.Encoded, error) {
	f.mu.Lock()
	known, ok := f.memo[e.ID]
	f.mu.Unlock()
	if ok {
		return known, nil
	}
	pub := f.site.opt.Publication
	text, err := render.Content(pub, e.Thread)
	if err != nil {
		return feed.Encoded{}, fmt.Errorf("thread %s: %w", e.Slug, err)
	}
	cover, err := render.Cover(pub, e.Thread)
	if err != nil {
		return feed.Encoded{}, fmt.Errorf("thread %s: %w", e.Slug, err)
	}
	item, err := feed.Encode(pub, feed.Item{Entry: e, HTML: text, Cover: cover})
	if err != nil {
		return feed.Encoded{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if size := len(item.RSS) + len(item.Atom) + len(item.JSON); size <= f.spare && f.again[e.ID] {
		f.memo[e.ID] = item
		f.spare -= size
	}
	return item, nil
}
