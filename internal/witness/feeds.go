package witness

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/mmcdole/gofeed/atom"
	jsonfeed "github.com/mmcdole/gofeed/json"
	"golang.org/x/net/html"

	"threadmill/internal/newsletter"
)

// The bounds of feeds that are read.
const (
	maxFeed     = 64 << 20  // bytes of a document
	maxFeeds    = 10_000    // documents
	maxAll      = 512 << 20 // bytes of all of them
	maxDepth    = 200       // elements within each other
	feedTimeout = time.Minute
	allTimeout  = 15 * time.Minute
)

// Site is a public site, at an address or in a folder.
type Site struct {
	url string // empty for a folder
	dir string
}

// From is the site at an address that begins with http, or else in a folder.
func From(place string) Site {
	if strings.HasPrefix(place, "http://") || strings.HasPrefix(place, "https://") {
		return Site{url: strings.TrimRight(place, "/")}
	}
	return Site{dir: place}
}

// Mark is that of the site; the zero Mark where it has none.
func (s Site) Mark(ctx context.Context) (newsletter.Mark, error) {
	if s.url == "" {
		return InDir(s.dir)
	}
	return At(ctx, s.url)
}

// page is one document of a feed: its threads, and where those before them stand.
type page struct {
	shown []newsletter.Shown
	older string
}

// formats are the feeds that tell of an archive, the best first.
var formats = []struct {
	name string
	read func([]byte) (page, error)
}{
	{"feed.json", readJSON},
	{"atom.xml", readAtom},
}

// Shown returns all threads that the site's feed and its archive show (RFC 5005,
// section 4; JSON Feed 1.1, next_url), the oldest first.
func (s Site) Shown(ctx context.Context) ([]newsletter.Shown, error) {
	ctx, cancel := context.WithTimeout(ctx, allTimeout)
	defer cancel()
	for _, f := range formats {
		text, err := s.read(ctx, f.name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s.follow(ctx, f.name, text, f.read)
	}
	return nil, fmt.Errorf("there is neither feed.json nor atom.xml at %s", s)
}

// String is where the site is.
func (s Site) String() string { return s.url + s.dir }

func (s Site) follow(ctx context.Context, name string, text []byte, read func([]byte) (page, error)) ([]newsletter.Shown, error) {
	list, seen, bytes := []newsletter.Shown{}, map[string]bool{}, 0
	for range maxFeeds {
		seen[name] = true
		if bytes += len(text); bytes > maxAll {
			return nil, fmt.Errorf("the feeds of %s are longer than %d MB", s, maxAll>>20)
		}
		p, err := read(text)
		if err != nil {
			return nil, fmt.Errorf("read %s of %s: %w", name, s, err)
		}
		list = append(list, p.shown...)
		if name = archived(p.older); name == "" || seen[name] {
			break
		}
		if text, err = s.read(ctx, name); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(list, func(a, b newsletter.Shown) int { return a.PublishedAt.Compare(b.PublishedAt) })
	return slices.CompactFunc(list, func(a, b newsletter.Shown) bool { return a.GUID == b.GUID }), nil
}

var archiveName = regexp.MustCompile(`(?:^|/)(archive/[0-9]{1,9}(?:\.atom\.xml|\.json|\.xml))$`)

// archived is the name below the site of a document of the archive. Any other
// link is not followed: the site may have had another address then.
func archived(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	if m := archiveName.FindStringSubmatch(u.Path); m != nil {
		return m[1]
	}
	return ""
}

// read is a document of the site; fs.ErrNotExist where it is not there.
func (s Site) read(ctx context.Context, name string) ([]byte, error) {
	if s.url == "" {
		f, err := os.Open(filepath.Join(s.dir, filepath.FromSlash(path.Clean(name))))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return bounded(f)
	}
	ctx, cancel := context.WithTimeout(ctx, feedTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/"+name, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Cache-Control", "no-cache")
	answer, err := client().Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return bounded(answer.Body)
	case http.StatusGone:
		return nil, fmt.Errorf("%s/%s: %w", s.url, name, errGone)
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s/%s: %w", s.url, name, fs.ErrNotExist)
	}
	return nil, fmt.Errorf("%s/%s answers %s", s.url, name, answer.Status)
}

// Gone returns what tells of a page, such as threads/first/, whether the site says
// that it had it and withdrew it: in the list that lies beside the pages, or with
// 410 in the place of the page.
func (s Site) Gone(ctx context.Context) (func(page string) (bool, error), error) {
	list, err := s.read(ctx, ".gone")
	if err != nil && s.url == "" && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	pages := map[string]bool{}
	for line := range strings.Lines(string(list)) {
		pages[strings.TrimSpace(line)] = true
	}
	return func(page string) (bool, error) {
		if pages[page] || s.url == "" {
			return pages[page], nil
		}
		_, err := s.read(ctx, page)
		if errors.Is(err, errGone) {
			return true, nil
		}
		return false, ctx.Err()
	}, nil
}

// errGone says that a page was there.
var errGone = fmt.Errorf("it was withdrawn: %w", fs.ErrNotExist)

func bounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFeed+1))
	if err == nil && len(text) > maxFeed {
		err = fmt.Errorf("longer than %d MB", maxFeed>>20)
	}
	return text, err
}

func readJSON(text []byte) (page, error) {
	f, err := (&jsonfeed.Parser{}).Parse(bytes.NewReader(text))
	if err != nil {
		return page{}, err
	}
	p := page{older: f.NextURL}
	for _, it := range f.Items {
		if it != nil {
			at, _ := time.Parse(time.RFC3339, it.DatePublished) // one without is the oldest
			p.shown = append(p.shown, newsletter.Shown{GUID: it.ID, URL: it.URL, Title: it.Title, Text: plainText(it.ContentHTML), PublishedAt: at})
		}
	}
	return p, nil
}

func readAtom(text []byte) (page, error) {
	if err := shallow(text); err != nil {
		return page{}, err
	}
	f, err := (&atom.Parser{}).Parse(bytes.NewReader(text))
	if err != nil {
		return page{}, err
	}
	p := page{older: linkTo(f.Links, "prev-archive")}
	for _, e := range f.Entries {
		s := newsletter.Shown{GUID: e.ID, URL: linkTo(e.Links, "alternate"), Title: e.Title}
		if e.Content != nil {
			s.Text = plainText(e.Content.Value)
		}
		if e.PublishedParsed != nil {
			s.PublishedAt = *e.PublishedParsed
		}
		p.shown = append(p.shown, s)
	}
	return p, nil
}

// shallow is an error where elements nest deeper than any feed has them: the
// parser calls itself for each.
func shallow(text []byte) error {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // tags are ASCII
	for depth := 0; ; {
		token, err := d.RawToken()
		if err != nil {
			return nil //nolint:nilerr // the parser tells what is wrong
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
		if depth > maxDepth {
			return fmt.Errorf("more than %d elements within each other", maxDepth)
		}
	}
}

func linkTo(links []*atom.Link, rel string) string {
	for _, l := range links {
		if l.Rel == rel || l.Rel == "" && rel == "alternate" {
			return l.Href
		}
	}
	return ""
}

// plainText is what a reader sees of HTML.
func plainText(text string) string {
	var b strings.Builder
	for z := html.NewTokenizer(strings.NewReader(text)); ; {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			b.Write(z.Text())
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			b.WriteByte(' ')
		}
	}
}
