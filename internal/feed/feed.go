package feed

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"html"
	"slices"
	"time"

	"github.com/gorilla/feeds"

	"threadmill/internal/newsletter"
)

// The names of the documents below the site; they stand in the self links.
const (
	RSSPath  = "feed.xml"
	AtomPath = "atom.xml"
	JSONPath = "feed.json"
)

// generator names the program in feeds that have a place for it.
const generator = "Threadmill"

// Item is a thread as the feeds carry it.
type Item struct {
	newsletter.Entry
	// HTML is the whole thread; every address in it is absolute.
	HTML string
}

// Files are the three documents.
type Files struct {
	RSS, Atom, JSON []byte
}

// Build writes the feeds of a publication, items newest first. It is an error
// when an item has no GUID or no PublishedAt: a reader would show it again
// whenever the feed is built.
func Build(pub newsletter.Publication, items []Item) (Files, error) {
	c, err := newChannel(pub, items)
	if err != nil {
		return Files{}, err
	}
	var f Files
	if f.RSS, err = encodeXML(c.rss()); err != nil {
		return Files{}, fmt.Errorf("write the RSS feed: %w", err)
	}
	if f.Atom, err = encodeXML(c.atom()); err != nil {
		return Files{}, fmt.Errorf("write the Atom feed: %w", err)
	}
	if f.JSON, err = encodeJSON(c.json()); err != nil {
		return Files{}, fmt.Errorf("write the JSON feed: %w", err)
	}
	return f, nil
}

// channel is the input, cleaned, in the model that the three formats share,
// with what that model has no place for.
type channel struct {
	*feeds.Feed
	pub     newsletter.Publication
	entries []entry
}

// entry is an item's part that feeds.Item has no place for.
type entry struct {
	excerpt string // plain text; feeds.Item.Description is the same as HTML
	author  string // empty: the publication's
	lang    string // empty: the publication's
	tags    []string
}

func newChannel(pub newsletter.Publication, items []Item) (channel, error) {
	pub.Title = cmp.Or(line(pub.Title), pub.Host())
	pub.URL = line(pub.URL)
	pub.Description = cmp.Or(line(pub.Description), pub.Title)
	pub.Language = line(pub.Language)
	pub.Author.Name = cmp.Or(line(pub.Author.Name), pub.Title)
	pub.Author.URL = line(pub.Author.URL)

	c := channel{pub: pub, Feed: &feeds.Feed{
		Title:       pub.Title,
		Link:        &feeds.Link{Href: pub.Link("")},
		Description: pub.Description,
	}}
	for _, it := range items {
		if it.GUID == "" || it.PublishedAt.IsZero() {
			return channel{}, fmt.Errorf("thread %q has no guid or no time of publication", cmp.Or(it.ID, it.Title))
		}
		e := entry{
			excerpt: line(it.Excerpt),
			author:  line(it.Author),
			lang:    line(it.Lang),
			tags:    tags(it.Tags),
		}
		c.entries = append(c.entries, e)
		c.Add(model(pub, it, e))
	}
	for _, it := range c.Items {
		c.Created = latest(c.Created, it.Created)
		c.Updated = latest(c.Updated, it.Updated)
	}
	return c, nil
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
		Description: html.EscapeString(e.excerpt),
		Content:     text(it.HTML),
		Created:     published,
		Updated:     latest(published, instant(it.UpdatedAt)),
	}
}

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

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func encodeXML(doc any) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
