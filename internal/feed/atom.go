package feed

import (
	"encoding/xml"
	"time"

	"github.com/gorilla/feeds"
)

// never is the atom:updated of a feed without entries. RFC 4287 section 4.1.1
// demands one, and the bytes must not depend on the clock.
var never = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

type (
	atomDocument struct {
		XMLName xml.Name `xml:"feed"`
		Lang    string   `xml:"xml:lang,attr,omitempty"`
		*feeds.AtomFeed
		Links     []feeds.AtomLink `xml:"link"`
		Generator string           `xml:"generator"`
		Entries   []atomEntry      `xml:"entry"`
	}
	atomEntry struct {
		Lang string `xml:"xml:lang,attr,omitempty"`
		*feeds.AtomEntry
		Categories []atomCategory `xml:"category"`
		Content    atomContent    `xml:"content"`
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

func (c channel) atom() atomDocument {
	f := (&feeds.Atom{Feed: c.Feed}).AtomFeed()
	if len(c.Items) == 0 {
		f.Updated = never.Format(time.RFC3339)
	}
	f.Author = &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: c.pub.Author.Name, Uri: c.pub.Author.URL}}
	doc := atomDocument{
		Lang:     c.pub.Language,
		AtomFeed: f,
		Links: []feeds.AtomLink{
			{Href: c.Link.Href, Rel: "alternate", Type: "text/html"},
			{Href: c.pub.Link(AtomPath), Rel: "self", Type: "application/atom+xml"},
		},
		Generator: generator,
	}
	for i, a := range f.Entries {
		doc.Entries = append(doc.Entries, c.atomEntry(i, a))
	}
	return doc
}

func (c channel) atomEntry(i int, a *feeds.AtomEntry) atomEntry {
	e, it := c.entries[i], c.Items[i]
	a.Published = it.Created.Format(time.RFC3339)
	a.Links[0].Type = "text/html"
	if a.Summary != nil {
		a.Summary = &feeds.AtomSummary{Type: "text", Content: e.excerpt}
	}
	if e.author != "" {
		a.Author = &feeds.AtomAuthor{AtomPerson: feeds.AtomPerson{Name: e.author}}
	}
	entry := atomEntry{Lang: e.lang, AtomEntry: a, Content: atomContent{Type: "html", HTML: it.Content}}
	for _, t := range e.tags {
		entry.Categories = append(entry.Categories, atomCategory{t})
	}
	return entry
}
