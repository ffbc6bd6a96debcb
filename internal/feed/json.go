package feed

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"

	"github.com/gorilla/feeds"
)

// As in the XML documents, a shallower field replaces gorilla's. Author is
// deprecated since JSON Feed 1.1; items and content_html are required even
// when they are empty. Items stand last; see jsonDocument.
type (
	jsonFeed struct {
		*feeds.JSONFeed
		Author *struct{}  `json:"author,omitempty"`
		Items  []struct{} `json:"items"`
	}
	jsonItem struct {
		*feeds.JSONItem
		ContentHTML string    `json:"content_html"`
		Author      *struct{} `json:"author,omitempty"`
		Language    string    `json:"language,omitempty"`
	}
)

// jsonDocument encodes the feed without items and puts these, which are encoded
// already, where the empty list is.
func (c channel) jsonDocument(items []Encoded) ([]byte, error) {
	frame, err := encodeJSON(c.json(), "")
	if err != nil || len(items) == 0 {
		return append(frame, '\n'), err
	}
	const end = "[]\n}"
	head, ok := bytes.CutSuffix(frame, []byte(end))
	if !ok {
		return nil, errors.New("the items do not stand last")
	}
	const between = ",\n    "
	var b bytes.Buffer
	b.Grow(len(head) + sizeOf(items, func(e Encoded) []byte { return e.JSON }) + len(between)*len(items) + len(between))
	b.Write(head)
	b.WriteString("[\n    ")
	for i, it := range items {
		if i > 0 {
			b.WriteString(between)
		}
		b.Write(it.JSON)
	}
	b.WriteString("\n  ]\n}\n")
	return b.Bytes(), nil
}

// json is the feed without its items. Those that come before them follow at
// next_url.
func (c channel) json() jsonFeed {
	f := (&feeds.JSON{Feed: c.Feed}).JSONFeed()
	f.FeedUrl = c.pub.Link(c.JSON)
	f.Language = c.pub.Language
	f.Icon, f.Favicon = c.pub.Link(IconPath), c.pub.Link(FaviconPath)
	f.Authors = []*feeds.JSONAuthor{{Name: c.pub.Author.Name, Url: c.pub.Author.URL}}
	if c.Older.JSON != "" {
		f.NextUrl = c.pub.Link(c.Older.JSON)
	}
	for _, hub := range c.Hubs {
		f.Hubs = append(f.Hubs, &feeds.JSONHub{Type: "WebSub", Url: hub})
	}
	return jsonFeed{JSONFeed: f, Items: []struct{}{}}
}

func (e entry) json() jsonItem {
	it := (&feeds.JSON{Feed: e.alone()}).JSONFeed().Items[0]
	it.Summary = e.excerpt
	it.Tags = e.tags
	if e.author != "" {
		it.Authors = []*feeds.JSONAuthor{{Name: e.author}}
	}
	if len(e.images) > 0 {
		it.Image = e.images[0].url
	}
	return jsonItem{JSONItem: it, ContentHTML: it.ContentHTML, Language: e.lang}
}

// encodeJSON is encodeJSON of the item. The content is put in afterwards, since
// the encoder would go through it three times to indent it.
func (e entry) encodeJSON(prefix string) ([]byte, error) {
	it := e.json()
	content, err := encodeJSON(it.ContentHTML, "")
	if err != nil {
		return nil, err
	}
	it.ContentHTML = ""
	frame, err := encodeJSON(it, prefix)
	if err != nil {
		return nil, err
	}
	const field = `"content_html": ` // no text holds a quotation mark that is not escaped
	before, after, ok := bytes.Cut(frame, []byte(field+`""`))
	if !ok {
		return nil, errors.New("there is no content")
	}
	return slices.Concat(before, []byte(field), content, after), nil
}

// encodeJSON leaves < and & as they are: a feed is never part of a page, and
// escaped HTML would be half as long again.
func encodeJSON(v any, prefix string) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if _, plain := v.(string); !plain {
		e.SetIndent(prefix, "  ")
	}
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
