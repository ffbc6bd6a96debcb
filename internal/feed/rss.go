package feed

import (
	"cmp"
	"encoding/xml"
	"html"
	"strings"

	"github.com/gorilla/feeds"
)

// refreshMinutes is how long a reader may keep the RSS feed. Some readers
// never ask more often than that, so it is short.
const refreshMinutes = 60

// The shallower of two fields with one element name wins in encoding/xml, so
// these types replace what gorilla/feeds cannot say, or says against the
// specification. Title and description stand first because the description
// has to come before the content.
type (
	rssDocument struct {
		XMLName   xml.Name   `xml:"rss"`
		Version   string     `xml:"version,attr"`
		AtomNS    string     `xml:"xmlns:atom,attr"`
		ContentNS string     `xml:"xmlns:content,attr"`
		DublinNS  string     `xml:"xmlns:dc,attr"`
		Channel   rssChannel `xml:"channel"`
	}
	rssChannel struct {
		Title rssTitle `xml:"title"`
		Self  rssLink  `xml:"atom:link"`
		*feeds.RssFeed
		Items []rssItem `xml:"item"`
	}
	rssItem struct {
		Title       rssTitle `xml:"title"`
		Description string   `xml:"description,omitempty"`
		*feeds.RssItem
		Creator    string   `xml:"dc:creator"`
		Language   string   `xml:"dc:language,omitempty"`
		Categories []string `xml:"category"`
	}
	rssLink struct {
		Href string `xml:"href,attr"`
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr"`
	}
	rssTitle struct {
		XML string `xml:",innerxml"`
	}
)

func (c channel) rss() rssDocument {
	ch := (&feeds.Rss{Feed: c.Feed}).RssFeed()
	ch.Description = html.EscapeString(ch.Description) // read as HTML, like an item's
	ch.Language = c.pub.Language
	ch.Generator = generator
	ch.Docs = "https://www.rssboard.org/rss-specification"
	ch.Ttl = refreshMinutes
	doc := rssDocument{
		Version:   "2.0",
		AtomNS:    "http://www.w3.org/2005/Atom",
		ContentNS: "http://purl.org/rss/1.0/modules/content/",
		DublinNS:  "http://purl.org/dc/elements/1.1/",
		Channel: rssChannel{
			Title:   markedTitle(ch.Title),
			Self:    rssLink{Href: c.pub.Link(RSSPath), Rel: "self", Type: "application/rss+xml"},
			RssFeed: ch,
		},
	}
	for i, it := range ch.Items {
		e := c.entries[i]
		doc.Channel.Items = append(doc.Channel.Items, rssItem{
			Title:       markedTitle(it.Title),
			Description: it.Description,
			RssItem:     it,
			Creator:     cmp.Or(e.author, c.pub.Author.Name),
			Language:    e.lang,
			Categories:  e.tags,
		})
	}
	return doc
}

// markedTitle writes & < > as hexadecimal references. Readers disagree on
// whether a title is text or HTML; the RSS profile asks for this form, which
// both take for text.
func markedTitle(s string) rssTitle {
	return rssTitle{strings.NewReplacer("&", "&#x26;", "<", "&#x3C;", ">", "&#x3E;").Replace(s)}
}
