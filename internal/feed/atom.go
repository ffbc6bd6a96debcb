package feed

import (
	"cmp"
	"encoding/xml"
	"time"

	"github.com/gorilla/feeds"

	"threadmill/internal/newsletter"
)

const atomNS = "http://www.w3.org/2005/Atom"

// never is the atom:updated of a feed without entries. RFC 4287 section 4.1.1
// demands one, and the bytes must not depend on the clock.
var never = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

type (
	atomDocument struct {
		XMLName   xml.Name `xml:"feed"`
		Lang      string   `xml:"xml:lang,attr,omitempty"`
		HistoryNS string   `xml:"xmlns:fh,attr,omitempty"`
		MediaNS   string   `xml:"xmlns:media,attr"`
		*feeds.AtomFeed
		Links     []feeds.AtomLink `xml:"link"`
		Complete  *struct{}        `xml:"fh:archive"`
		Generator string           `xml:"generator"`
		Entries   []byte           `xml:",innerxml"`
	}
	atomEntry struct {
		XMLName xml.Name `xml:"entry"`
		Lang    string   `xml:"xml:lang,attr,omitempty"`
		*feeds.AtomEntry
		Categories []atomCategory `xml:"category"`
		Content    atomContent    `xml:"content"`
		Media      []mediaContent `xml:"media:content"`
	}
	atomCategory struct {
		Term string `xml:"term,attr"`
	}
	// atomContent is HTML in CDATA, which is smaller than escaped HTML.
	atomContent struct {
		Type string `xml:"type,attr"`
		HTML string `xml:",cdata"`
	}
)

func (c channel) atom(items []Encoded) atomDocument {
	f := (&feeds.Atom{Feed: c.Feed}).AtomFeed()
	f.Id = c.id()
	if c.Updated.IsZero() {
		f.Updated = never.Format(time.RFC3339)
	}
	f.Author = &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: c.pub.Author.Name, Uri: c.pub.Author.URL}}
	f.Icon = c.pub.Link(IconPath)
	doc := atomDocument{
		Lang:      c.pub.Language,
		MediaNS:   mediaNS,
		AtomFeed:  f,
		Links:     []feeds.AtomLink{{Href: c.Link.Href, Rel: "alternate", Type: "text/html"}},
		Generator: generator,
		Entries:   joined(items, func(e Encoded) []byte { return e.Atom }),
	}
	if c.Complete {
		doc.HistoryNS, doc.Complete = historyNS, &struct{}{}
	}
	for _, l := range c.links(atomType, func(p Paths) string { return p.Atom }) {
		doc.Links = append(doc.Links, feeds.AtomLink{Href: l.href, Rel: l.rel, Type: l.kind})
	}
	return doc
}

// id is that of the feed, which stays when the publication moves (RFC 4287,
// section 4.2.6).
func (c channel) id() string {
	first := newsletter.Publication{URL: cmp.Or(line(c.pub.FirstURL), c.pub.URL)}
	return first.Link(c.TagPath)
}

func (e entry) atom() atomEntry {
	a := (&feeds.Atom{Feed: e.alone()}).AtomFeed().Entries[0]
	a.Published = e.Created.Format(time.RFC3339)
	a.Links[0].Type = "text/html"
	if a.Summary != nil {
		a.Summary = &feeds.AtomSummary{Type: "text", Content: e.excerpt}
	}
	if e.author != "" {
		a.Author = &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: e.author}}
	}
	entry := atomEntry{Lang: e.lang, AtomEntry: a, Content: atomContent{Type: "html", HTML: e.Content}, Media: mediaOf(e.images)}
	for _, t := range e.tags {
		entry.Categories = append(entry.Categories, atomCategory{t})
	}
	return entry
}
