package site

import (
	"encoding/xml"
	"time"

	"threadmill/internal/newsletter"
)

// maxAddresses is the limit of the sitemap protocol 0.9 for one file.
const maxAddresses = 50_000

type urlSet struct {
	XMLName   xml.Name  `xml:"http://www.sitemaps.org/schemas/sitemap/0.9 urlset"`
	Addresses []address `xml:"url"`
}

type address struct {
	Loc     string `xml:"loc"`
	Lastmod string `xml:"lastmod,omitempty"`
}

// sitemap lists the pages with the time of their last change.
func (s *Site) sitemap(c content) []document {
	return []document{{"sitemap.xml", func() ([]byte, error) { return sitemap(s.opt.Publication, c) }}}
}

func sitemap(pub newsletter.Publication, c content) ([]byte, error) {
	var newest time.Time
	for _, e := range c.entries {
		if e.UpdatedAt.After(newest) {
			newest = e.UpdatedAt
		}
	}
	set := urlSet{Addresses: []address{{pub.Link(""), lastmod(newest)}}}
	for _, e := range c.entries {
		set.Addresses = append(set.Addresses, address{pub.Link(e.Path()), lastmod(e.UpdatedAt)})
	}
	for _, d := range c.digests {
		set.Addresses = append(set.Addresses, address{pub.Link(newsletter.IssuePath(d.Number)), lastmod(d.PublishedAt)})
	}
	set.Addresses = set.Addresses[:min(len(set.Addresses), maxAddresses)]
	text, err := xml.MarshalIndent(set, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}

func lastmod(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
