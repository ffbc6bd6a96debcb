package site

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"

	"threadmill/internal/feed"
	"threadmill/internal/newsletter"
)

// RedirectsFile is the name of the list of addresses that lead to others, in
// the form that Netlify, Cloudflare Pages and GitLab Pages read. The web server
// answers by the same list. A line is
//
//	/from [name=value …] /to 301
//
// with 301! where the redirect comes before a file of that path, and paths
// escaped. Lines with a host or a * in front are for those hosts alone: the web
// server knows the former homes of the publication itself.
const RedirectsFile = "_redirects"

// formerFeeds are the addresses at which readers of other programs look for
// feeds, by the feed that stands here. Those with a query come from WordPress.
var formerFeeds = []struct {
	to   string
	from []string
}{
	{feed.RSSPath, []string{"feed", "feed/rss", "feed/rss2", "feed.rss", "rss", "rss.xml", "rss2", "index.xml", "?feed=rss2", "?feed=rss"}},
	{feed.AtomPath, []string{"atom", "feed/atom", "feed.atom", "feeds/posts/default", "?feed=atom"}},
	{feed.JSONPath, []string{"feed/json"}},
}

// redirects is the list of addresses that lead to others. What leads away from
// a file of the site is left out: some hosts would take the file for gone.
func (s *Site) redirects(c content, files []document) document {
	return document{name: RedirectsFile, make: func() ([]byte, error) {
		l := newRedirects(s.opt.Publication)
		for _, f := range files {
			l.files[f.name] = true
		}
		for _, known := range formerFeeds {
			for _, from := range known.from {
				l.add(l.base+"/"+from, known.to)
			}
		}
		entries := newsletter.ByClaim(c.entries)
		for _, e := range entries {
			for _, page := range e.FormerPaths() {
				l.add(l.base+"/"+page, e.Path())
			}
		}
		for _, e := range entries {
			for _, a := range s.opt.Publication.FormerAddresses(e.Thread) {
				l.address(a, e.Path())
			}
		}
		l.homes()
		return l.text.Bytes(), nil
	}}
}

// redirectList is a list that is being written.
type redirectList struct {
	pub     newsletter.Publication
	base    string
	moved   bool              // targets name the host, so that one step is enough
	files   map[string]bool   // of the site, by name
	claimed map[string]string // the pages that have an address, by newsletter.FormerAddress.Key
	lines   map[string]bool   // what stands in front of them
	text    bytes.Buffer
}

func newRedirects(pub newsletter.Publication) *redirectList {
	return &redirectList{pub: pub, base: pub.BasePath(), moved: pub.Moved(), files: map[string]bool{}, claimed: map[string]string{}, lines: map[string]bool{}}
}

// add leads an address of ours, a path and perhaps a query, to a page.
func (l *redirectList) add(from, page string) {
	if a, err := newsletter.ParseFormer(from); err == nil {
		l.address(a, page)
	}
}

// address leads an address in all its forms to a page. The first who wants one
// has it.
func (l *redirectList) address(a newsletter.FormerAddress, page string) {
	key := a.Key()
	if holder, claimed := l.claimed[key]; claimed && holder != page || len(a.Query) == 0 && l.isFile(key) {
		return
	}
	l.claimed[key] = page
	if len(a.Query) > 0 {
		var pairs strings.Builder
		for _, name := range slices.Sorted(maps.Keys(a.Query)) {
			for _, value := range a.Query[name] {
				fmt.Fprintf(&pairs, " %s=%s", url.QueryEscape(name), url.QueryEscape(value))
			}
		}
		l.line(escapePath(a.Path)+pairs.String(), l.target(page), "301!")
		return
	}
	short, target := newsletter.PathKey(a.Path), l.target(page)
	for _, form := range []string{short, strings.TrimSuffix(short, "/") + "/", a.Path} {
		if form == a.Path || path.Ext(short) == "" {
			l.line(escapePath(form), target, "301")
		}
	}
}

// line writes a line unless there is one for the same address.
func (l *redirectList) line(from, to, code string) {
	if !l.lines[from] {
		l.lines[from] = true
		for _, part := range []string{from, " ", to, " ", code, "\n"} {
			l.text.WriteString(part)
		}
	}
}

// isFile tells whether the site has a file at a path.
func (l *redirectList) isFile(key string) bool {
	name, below := strings.CutPrefix(key+"/", l.base+"/")
	name = strings.TrimSuffix(name, "/")
	return below && (l.files[name] || l.files[name+".html"] || l.files[path.Join(name, "index.html")])
}

// target is the address of a page below the site.
func (l *redirectList) target(page string) string {
	if l.moved {
		return l.pub.Link(page)
	}
	return (&url.URL{Path: l.base + "/" + page}).EscapedPath()
}

// escapePath is a path as it may stand in front of a line, where * and : have a
// meaning.
func escapePath(p string) string {
	p = (&url.URL{Path: p}).EscapedPath()
	return strings.ReplaceAll(strings.ReplaceAll(p, "*", "%2A"), ":", "%3A")
}

// homes leads from where the publication was before to the same page.
func (l *redirectList) homes() {
	for _, home := range l.pub.FormerHomes() {
		switch {
		case !strings.EqualFold(home.Host, l.pub.Host()):
			for _, scheme := range []string{"http", "https"} {
				l.line(scheme+"://"+bracketed(home.Host)+escapePath(home.Base)+"/*", l.pub.Link(":splat"), "301!")
			}
		case home.Base == l.base:
		case strings.HasPrefix(l.base+"/", home.Base+"/"):
			// The site lies below its former home: what leads from there to here
			// must not lead from here to further below.
			for _, folder := range []string{"threads", "tags", "issues", "page", "archive"} {
				l.folder(home.Base+"/"+folder, folder+"/")
			}
			for _, name := range []string{feed.RSSPath, feed.AtomPath, feed.JSONPath} {
				l.add(home.Base+"/"+name, name)
			}
		default:
			l.folder(home.Base, "")
		}
	}
}

// folder leads from all below a path to the same below a path of the site.
func (l *redirectList) folder(from, to string) {
	target := (&url.URL{Path: l.base + "/" + to}).EscapedPath()
	key := newsletter.PathKey(from)
	if _, claimed := l.claimed[key]; !claimed && !l.isFile(key) {
		l.line(escapePath(from), target, "301")
	}
	l.line(escapePath(from)+"/*", target+":splat", "301")
}

// bracketed is a host as an address writes it.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
