package feed

import (
	"cmp"
	"encoding/xml"
	"strings"
	"time"

	"github.com/gorilla/feeds"

	"threadmill/internal/newsletter"
)

// refreshMinutes is how long a reader may keep the RSS feed. Some readers
// never ask more often than that, so it is short. syndicationPeriod is the same
// for those that read the syndication module.
const (
	refreshMinutes    = 60
	syndicationPeriod = "hourly"
)

// Media types of the documents.
const (
	rssType  = "application/rss+xml"
	atomType = "application/atom+xml"
	jsonType = "application/feed+json"
)

// The shallower of two fields with one element name wins in encoding/xml, so
// these types replace what gorilla/feeds cannot say, or says against the
// specification. Title and description stand first because the description
// has to come before the content.
type (
	rssDocument struct {
		XMLName       xml.Name   `xml:"rss"`
		Version       string     `xml:"version,attr"`
		AtomNS        string     `xml:"xmlns:atom,attr"`
		ContentNS     string     `xml:"xmlns:content,attr"`
		DublinNS      string     `xml:"xmlns:dc,attr"`
		HistoryNS     string     `xml:"xmlns:fh,attr,omitempty"`
		MediaNS       string     `xml:"xmlns:media,attr"`
		SyndicationNS string     `xml:"xmlns:sy,attr"`
		Channel       rssChannel `xml:"channel"`
	}
	rssChannel struct {
		Title rssTitle  `xml:"title"`
		Links []rssLink `xml:"atom:link"`
		*feeds.RssFeed
		Complete  *struct{} `xml:"fh:archive"`
		Period    string    `xml:"sy:updatePeriod"`
		Frequency int       `xml:"sy:updateFrequency"`
		Image     rssImage  `xml:"image"`
		Items     []byte    `xml:",innerxml"`
	}
	rssImage struct {
		URL   string   `xml:"url"`
		Title rssTitle `xml:"title"`
		Link  string   `xml:"link"`
	}
	rssItem struct {
		XMLName     xml.Name `xml:"item"`
		Title       rssTitle `xml:"title"`
		Description string   `xml:"description,omitempty"`
		*feeds.RssItem
		Updated    string         `xml:"atom:updated,omitempty"` // where it is not pubDate
		Creator    string         `xml:"dc:creator"`
		Language   string         `xml:"dc:language,omitempty"`
		Categories []string       `xml:"category"`
		Media      []mediaContent `xml:"media:content"`
	}
	rssLink struct {
		Href string `xml:"href,attr"`
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr,omitempty"`
	}
	rssTitle struct {
		XML string `xml:",innerxml"`
	}
)

func (c channel) rss(items []Encoded) rssDocument {
	ch := (&feeds.Rss{Feed: c.Feed}).RssFeed()
	ch.Description = markup(ch.Description) // read as HTML, like an item's
	ch.Language = c.pub.Language
	ch.Generator = generator
	ch.Docs = "https://www.rssboard.org/rss-specification"
	ch.Ttl = refreshMinutes
	doc := rssDocument{
		Version:       "2.0",
		AtomNS:        atomNS,
		ContentNS:     "http://purl.org/rss/1.0/modules/content/",
		DublinNS:      "http://purl.org/dc/elements/1.1/",
		MediaNS:       mediaNS,
		SyndicationNS: "http://purl.org/rss/1.0/modules/syndication/",
		Channel: rssChannel{
			Title:     markedTitle(ch.Title),
			RssFeed:   ch,
			Period:    syndicationPeriod,
			Frequency: 1,
			Image:     rssImage{URL: c.pub.Link(FaviconPath), Title: markedTitle(ch.Title), Link: ch.Link},
			Items:     joined(items, func(e Encoded) []byte { return e.RSS }),
		},
	}
	if c.Complete {
		doc.HistoryNS, doc.Channel.Complete = historyNS, &struct{}{}
	}
	for _, l := range c.links(rssType, func(p Paths) string { return p.RSS }) {
		doc.Channel.Links = append(doc.Channel.Links, rssLink{l.href, l.rel, l.kind})
	}
	return doc
}

func (e entry) rss(pub newsletter.Publication) rssItem {
	it := (&feeds.Rss{Feed: e.alone()}).RssFeed().Items[0]
	var updated string
	if !e.Updated.Equal(e.Created) {
		updated = e.Updated.Format(time.RFC3339)
	}
	return rssItem{
		Updated:     updated,
		Title:       markedTitle(it.Title),
		Description: it.Description,
		RssItem:     it,
		Creator:     cmp.Or(e.author, pub.Author.Name),
		Language:    e.lang,
		Categories:  e.tags,
		Media:       mediaOf(e.images),
	}
}

// markedTitle writes & < > as hexadecimal references. Readers disagree on
// whether a title is text or HTML; the RSS profile asks for this form, which
// both take for text.
func markedTitle(s string) rssTitle {
	s = strings.ReplaceAll(s, "&", "&#x26;") // first, for the others write it
	return rssTitle{strings.ReplaceAll(strings.ReplaceAll(s, "<", "&#x3C;"), ">", "&#x3E;")}
}
