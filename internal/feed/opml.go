package feed

import (
	"encoding/xml"
	"slices"

	"threadmill/internal/newsletter"
)

type (
	opmlDocument struct {
		XMLName xml.Name      `xml:"opml"`
		Version string        `xml:"version,attr"`
		Title   string        `xml:"head>title"`
		Owner   string        `xml:"head>ownerName"`
		OwnerID string        `xml:"head>ownerId,omitempty"`
		Docs    string        `xml:"head>docs"`
		Body    []opmlOutline `xml:"body>outline"`
	}
	opmlOutline struct {
		Type        string        `xml:"type,attr,omitempty"`
		Version     string        `xml:"version,attr,omitempty"`
		Text        string        `xml:"text,attr"`
		Title       string        `xml:"title,attr"`
		Description string        `xml:"description,attr,omitempty"`
		Language    string        `xml:"language,attr,omitempty"`
		XMLURL      string        `xml:"xmlUrl,attr,omitempty"`
		HTMLURL     string        `xml:"htmlUrl,attr,omitempty"`
		Outlines    []opmlOutline `xml:"outline"`
	}
)

// OPML lists the feeds of a publication: that of all threads, and below it one
// for each tag. Each stands there once, in RSS: who imports the list wants no
// thread three times. The tags stand below a heading.
func OPML(pub newsletter.Publication, tags []newsletter.Tag, heading string) ([]byte, error) {
	pub = cleaned(pub)
	doc := opmlDocument{
		Version: "2.0",
		Title:   pub.Title,
		Owner:   pub.Author.Name,
		OwnerID: pub.Author.URL,
		Docs:    "https://opml.org/spec2.opml",
		Body: []opmlOutline{{
			Type: "rss", Version: "RSS2", Text: pub.Title, Title: pub.Title, Description: pub.Description, Language: pub.Language,
			XMLURL: pub.Link(RSSPath), HTMLURL: pub.Link(""),
		}},
	}
	group := opmlOutline{Text: line(heading), Title: line(heading)}
	for _, t := range tags {
		name := line(t.Name)
		group.Outlines = append(group.Outlines, opmlOutline{
			Type: "rss", Version: "RSS2", Text: name, Title: tagTitle(name, pub), Language: pub.Language,
			XMLURL: pub.Link(PathsOf(t.Path).RSS), HTMLURL: pub.Link(t.Path),
		})
	}
	if len(tags) > 0 {
		doc.Body = append(doc.Body, group)
	}
	body, err := encodeXML(doc, "", 0)
	return slices.Concat([]byte(xml.Header), body, []byte("\n")), err
}

// tagTitle names the feed of a tag.
func tagTitle(tag string, pub newsletter.Publication) string { return tag + " – " + pub.Title }
