package feed

import (
	"bytes"
	"encoding/json"

	"github.com/gorilla/feeds"
)

// As in the XML documents, a shallower field replaces gorilla's. Author is
// deprecated since JSON Feed 1.1; items and content_html are required even
// when they are empty.
type (
	jsonDocument struct {
		*feeds.JSONFeed
		Author *struct{}  `json:"author,omitempty"`
		Items  []jsonItem `json:"items"`
	}
	jsonItem struct {
		*feeds.JSONItem
		ContentHTML string    `json:"content_html"`
		Author      *struct{} `json:"author,omitempty"`
		Language    string    `json:"language,omitempty"`
	}
)

func (c channel) json() jsonDocument {
	f := (&feeds.JSON{Feed: c.Feed}).JSONFeed()
	f.FeedUrl = c.pub.Link(JSONPath)
	f.Language = c.pub.Language
	f.Authors = []*feeds.JSONAuthor{{Name: c.pub.Author.Name, Url: c.pub.Author.URL}}
	doc := jsonDocument{JSONFeed: f, Items: []jsonItem{}}
	for i, it := range f.Items {
		e := c.entries[i]
		it.Summary = e.excerpt
		it.Tags = e.tags
		if e.author != "" {
			it.Authors = []*feeds.JSONAuthor{{Name: e.author}}
		}
		doc.Items = append(doc.Items, jsonItem{JSONItem: it, ContentHTML: it.ContentHTML, Language: e.lang})
	}
	return doc
}

// encodeJSON leaves < and & as they are: a feed is never part of a page, and
// escaped HTML would be half as long again.
func encodeJSON(doc jsonDocument) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(doc); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
