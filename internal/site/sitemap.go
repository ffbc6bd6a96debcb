package site

import (
	"bytes"
	"encoding/xml"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
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
	return []document{{name: "sitemap.xml", make: func() ([]byte, error) { return sitemap(s.opt.Publication, c) }}}
}

func sitemap(pub newsletter.Publication, c content) ([]byte, error) {
	var set urlSet
	add := func(path string, changed time.Time) {
		set.Addresses = append(set.Addresses, address{pub.Link(path), lastmod(changed)})
	}
	add("", newest(c.entries))
	for _, e := range c.entries {
		add(e.Path(), e.UpdatedAt)
	}
	for _, d := range c.digests {
		add(newsletter.IssuePath(d.Number), d.PublishedAt)
	}
	add(render.SubscribePath, time.Time{})
	add(render.PrivacyPath, time.Time{})
	if pub.About != "" {
		add(render.AboutPath, time.Time{})
	}
	add(render.TagsPath, time.Time{})
	lists := listings("", c.entries, archiveSize)[1:] // the front page stands above
	for _, tag := range c.tags {
		lists = append(lists, listings(tag.Path, tag.Entries, tagSize)...)
	}
	for _, l := range lists {
		add(l.Path, newest(l.Entries))
	}
	set.Addresses = set.Addresses[:min(len(set.Addresses), maxAddresses)]
	text, err := xml.MarshalIndent(set, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}

const (
	robotsFile = "robots.txt"
	// robotsHead begins the file that is ours; another is the author's.
	robotsHead = "# Written by Threadmill; a file of your own in its place is left alone.\n"
	// maxRobots is how much of the file crawlers must read (RFC 9309, section
	// 2.5), in bytes.
	maxRobots = 500 << 10
)

// robots lets every crawler in and names the sitemap (RFC 9309). Crawlers look
// for it at the top of a host only. A file of the author's stays.
func (s *Site) robots(content) []document {
	pub := s.opt.Publication
	if u, err := url.Parse(pub.URL); err != nil || strings.Trim(u.Path, "/") != "" || s.ownRobots() {
		return nil
	}
	text := robotsHead + "User-agent: *\nAllow: /\n\nSitemap: " + pub.Link("sitemap.xml") + "\n"
	return []document{{name: robotsFile, make: func() ([]byte, error) { return []byte(text), nil }}}
}

// ownRobots tells whether the folder has a file of the author's.
func (s *Site) ownRobots() bool {
	info, err := os.Lstat(filepath.Join(s.opt.Dir, robotsFile))
	if err != nil {
		return false
	}
	if !info.Mode().IsRegular() || info.Size() > maxRobots {
		return true
	}
	text, err := os.ReadFile(filepath.Join(s.opt.Dir, robotsFile))
	return err != nil || !bytes.HasPrefix(text, []byte(robotsHead))
}

// newest is the time of the last change of any of the entries.
func newest(entries []newsletter.Entry) time.Time {
	var at time.Time
	for _, e := range entries {
		if e.UpdatedAt.After(at) {
			at = e.UpdatedAt
		}
	}
	return at
}

func lastmod(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
