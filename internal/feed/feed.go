package feed

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"slices"
	"time"

	"github.com/gorilla/feeds"

	"threadmill/internal/newsletter"
)

// generator names the program in feeds that have a place for it.
const generator = "Threadmill"

// Item is a thread as the feeds carry it.
type Item struct {
	newsletter.Entry
	// HTML is the whole thread; every address in it is absolute.
	HTML string
	// Cover is the absolute address of the thread's cover picture, or empty.
	Cover string
}

// Encoded is an item as it stands in the documents. It can go into several of
// them.
type Encoded struct {
	RSS, Atom, JSON    []byte
	Published, Updated time.Time
}

// Document says what a feed is besides its items.
type Document struct {
	Paths
	// Tag is what the threads of the feed have in common, and TagPath where its
	// page is below the site; both empty for a feed of all threads.
	Tag, TagPath string
	// Hubs are told when the feed changes (WebSub).
	Hubs []string
	// Of an archived feed (RFC 5005, section 4), Current is the document with the
	// newest items; Older and Newer are the neighbours in the archive. Complete
	// says that the document is one of the archive and its members never change.
	Current, Older, Newer Paths
	Complete              bool
}

// Files are the three documents.
type Files struct {
	RSS, Atom, JSON []byte
}

// Encode writes one item in all formats. It is an error when the item has no
// GUID or no PublishedAt: a reader would show it again whenever the feed is
// built.
func Encode(pub newsletter.Publication, it Item) (Encoded, error) {
	if it.GUID == "" || it.PublishedAt.IsZero() {
		return Encoded{}, fmt.Errorf("thread %q has no guid or no time of publication", cmp.Or(it.ID, it.Title))
	}
	pub = cleaned(pub)
	e := entry{
		excerpt: line(it.Excerpt),
		author:  line(it.Author),
		lang:    line(it.Lang),
		tags:    tags(it.Tags),
		images:  images(line(it.Cover), it.HTML),
	}
	e.Item = model(pub, it, e)
	enc := Encoded{Published: e.Created, Updated: e.Updated}
	var err error
	if enc.RSS, err = encodeXML(e.rss(pub), "    ", len(e.Content)); err != nil {
		return Encoded{}, fmt.Errorf("write thread %s for RSS: %w", it.Slug, err)
	}
	if enc.Atom, err = encodeXML(e.atom(), "  ", len(e.Content)); err != nil {
		return Encoded{}, fmt.Errorf("write thread %s for Atom: %w", it.Slug, err)
	}
	if enc.JSON, err = e.encodeJSON("    "); err != nil {
		return Encoded{}, fmt.Errorf("write thread %s for JSON Feed: %w", it.Slug, err)
	}
	return enc, nil
}

// Build writes the documents of a feed, items newest first.
func Build(pub newsletter.Publication, d Document, items []Encoded) (Files, error) {
	c := newChannel(pub, d, items)
	var f Files
	var err error
	if f.RSS, err = c.document(c.RSS, c.rss(items), sizeOf(items, func(e Encoded) []byte { return e.RSS })); err != nil {
		return Files{}, fmt.Errorf("write the RSS feed: %w", err)
	}
	if f.Atom, err = c.document(c.Atom, c.atom(items), sizeOf(items, func(e Encoded) []byte { return e.Atom })); err != nil {
		return Files{}, fmt.Errorf("write the Atom feed: %w", err)
	}
	if f.JSON, err = c.jsonDocument(items); err != nil {
		return Files{}, fmt.Errorf("write the JSON feed: %w", err)
	}
	return f, nil
}

// Fit returns how many of the items, counted from the first, keep each of the
// documents under limit bytes; at least one, since an item is whole or not
// there at all.
func Fit(pub newsletter.Publication, d Document, items []Encoded, limit int) (int, error) {
	empty, err := Build(pub, d, nil)
	if err != nil {
		return 0, err
	}
	rss, atom, json := len(empty.RSS), len(empty.Atom), len(empty.JSON)
	for i, it := range items {
		rss, atom, json = rss+len(it.RSS)+1, atom+len(it.Atom)+1, json+len(it.JSON)+len(",\n    ")
		if i > 0 && max(rss, atom, json) > limit {
			return i, nil
		}
	}
	return len(items), nil
}

// cleaned is a publication as feeds can carry it, with something to read in
// each place where readers expect it.
func cleaned(pub newsletter.Publication) newsletter.Publication {
	pub.Title = cmp.Or(line(pub.Title), pub.Host())
	pub.URL = line(pub.URL)
	pub.Description = cmp.Or(line(pub.Description), pub.Title)
	pub.Language = line(pub.Language)
	pub.Author.Name = cmp.Or(line(pub.Author.Name), pub.Title)
	pub.Author.URL = line(pub.Author.URL)
	return pub
}

// channel is a feed without its items in the model that the three formats
// share, with what that model has no place for.
type channel struct {
	*feeds.Feed
	Document
	pub newsletter.Publication
}

func newChannel(pub newsletter.Publication, d Document, items []Encoded) channel {
	pub = cleaned(pub)
	d.Tag = line(d.Tag)
	c := channel{pub: pub, Document: d, Feed: &feeds.Feed{
		Title:       pub.Title,
		Link:        &feeds.Link{Href: pub.Link(d.TagPath)},
		Description: pub.Description,
	}}
	if d.Tag != "" {
		c.Title = tagTitle(d.Tag, pub)
	}
	for _, it := range items {
		c.Created = newsletter.Later(c.Created, it.Published)
		c.Updated = newsletter.Later(c.Updated, it.Updated)
	}
	return c
}

// entry is an item in the shared model, with what that has no place for.
type entry struct {
	*feeds.Item
	excerpt string // plain text; feeds.Item.Description is the same as HTML
	author  string // empty: the publication's
	lang    string // empty: the publication's
	tags    []string
	images  []image
}

// model is the item in the shared model. Its Author stays empty: gorilla would
// write it where RSS wants a mail address.
func model(pub newsletter.Publication, it Item, e entry) *feeds.Item {
	published := instant(it.PublishedAt)
	link := line(pub.Link(it.Path()))
	return &feeds.Item{
		Id:          line(it.GUID),
		IsPermaLink: "false",
		Title:       cmp.Or(line(it.Title), e.excerpt, link),
		Link:        &feeds.Link{Href: link},
		Description: markup(e.excerpt),
		Content:     text(it.HTML),
		Created:     published,
		Updated:     newsletter.Later(published, instant(it.UpdatedAt)),
	}
}

// alone is a feed of that item only: gorilla converts no item by itself.
func (e entry) alone() *feeds.Feed { return &feeds.Feed{Items: []*feeds.Item{e.Item}} }

// tags are the tags that say something, each once.
func tags(in []string) []string {
	var out []string
	for _, t := range in {
		if t = line(t); t != "" && !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

// instant is t as all three formats can write it: UTC, whole seconds.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }

// joined are the items as they were encoded.
func joined(items []Encoded, of func(Encoded) []byte) []byte {
	var b bytes.Buffer
	b.Grow(sizeOf(items, of))
	for _, it := range items {
		b.WriteByte('\n')
		b.Write(of(it))
	}
	return b.Bytes()
}

// sizeOf is how long the items are together, with a line end each.
func sizeOf(items []Encoded, of func(Encoded) []byte) int {
	size := 0
	for _, it := range items {
		size += len(of(it)) + 1
	}
	return size
}

// frameSize is about what an XML document has around its items, or an item
// around its content, in bytes.
const frameSize = 2 << 10

// document is the whole text of an XML document at a path. Its stylesheet is
// for people who open the feed in a browser; the address counts from the
// document, so that the site may lie below a path. Its items are size bytes long.
func (c channel) document(path string, root any, size int) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(size + frameSize)
	b.WriteString(xml.Header + `<?xml-stylesheet type="text/css" href="` + up(path) + StylePath + `"?>` + "\n")
	if err := writeXML(&b, root, ""); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// encodeXML writes what has size bytes besides a small frame, or somewhat more.
func encodeXML(v any, prefix string, size int) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(size + frameSize)
	err := writeXML(&b, v, prefix)
	return b.Bytes(), err
}

func writeXML(b *bytes.Buffer, v any, prefix string) error {
	e := xml.NewEncoder(b)
	e.Indent(prefix, "  ")
	return e.Encode(v)
}
