package site

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

// Following the older pages from the front one, a reader meets each thread.
func TestListings(t *testing.T) {
	for all := range 3*archiveSize + 2 {
		in := entries(all)
		byPath := make(map[string]int)
		list := listings("", in, archiveSize)
		for i, l := range list {
			byPath[l.Path] = i
		}
		met := make(map[string]bool)
		at := list[0]
		for {
			for _, e := range at.Entries {
				met[e.Slug] = true
			}
			if at.Older == nil {
				break
			}
			i, ok := byPath[at.Older.Path]
			if !ok {
				t.Fatalf("%d threads: %s leads to %s, which is no page", all, at.Path, at.Older.Path)
			}
			at = list[i]
		}
		if len(met) != all {
			t.Errorf("%d threads: a reader meets %d", all, len(met))
		}
		if all > archiveSize && at.Path != "page/1/" {
			t.Errorf("%d threads: the last page is %s", all, at.Path)
		}
		for _, l := range list {
			if len(l.Entries) > archiveSize || all > 0 && len(l.Entries) == 0 {
				t.Errorf("%d threads: page %s has %d", all, l.Path, len(l.Entries))
			}
			if l.Newer != nil {
				if _, ok := byPath[l.Newer.Path]; !ok {
					t.Errorf("%d threads: %s leads to %s, which is no page", all, l.Path, l.Newer.Path)
				}
			}
		}
	}
}

// made returns the documents of the content without writing them.
func (f *folder) made(t *testing.T, in []newsletter.Entry) map[string]string {
	t.Helper()
	files := make(map[string]string)
	for _, d := range f.documents(content{entries: in, tags: newsletter.TagsOf(in)}) {
		text, err := d.make()
		if err != nil {
			t.Fatal(err)
		}
		files[d.name] = string(text)
	}
	return files
}

// tagged gives the even threads one tag and all another.
func tagged(in []newsletter.Entry) []newsletter.Entry {
	for i := range in {
		in[i].Assets, in[i].Tags = nil, []string{"All of them"}
		if len(in)%2 == i%2 {
			in[i].Tags = append(in[i].Tags, "Büro")
		}
	}
	return in
}

// A page that has another behind it stays as it is, byte for byte, whatever is
// published.
func TestClosedPagesStay(t *testing.T) {
	f := newFolder(t)
	before := f.made(t, tagged(entries(2*tagSize+1)))
	after := f.made(t, tagged(entries(2*tagSize+30)))
	closed := []string{"tags/all-of-them/page/1/index.html", "tags/all-of-them/page/2/index.html", "tags/büro/index.html"}
	for n := range 2 * tagSize / archiveSize {
		closed = append(closed, fmt.Sprintf("page/%d/index.html", n+1))
	}
	for _, name := range closed {
		if before[name] == "" || name != "tags/büro/index.html" && before[name] != after[name] {
			t.Errorf("%s is not there, or changed:\n%s", name, cmp.Diff(before[name], after[name]))
		}
	}
	if !strings.Contains(after["sitemap.xml"], "https://example.org/news/tags/b%C3%BCro/<") {
		t.Error("the sitemap lacks the page of a tag")
	}
}

// What is listed no longer goes, with its compressed forms; what is not the
// site's stays.
func TestStalePagesGo(t *testing.T) {
	f := newFolder(t)
	f.write(t, tagged(entries(archiveSize+1)))
	for _, name := range []string{"page/2/index.html.gz", "tags/büro/feed.xml.br", "tags/büro/mine.txt", "page/index.html.zst"} {
		file := filepath.Join(f.dir, filepath.FromSlash(name))
		if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f.opt.Publication.About = "Who we are."
	in := entries(archiveSize)
	for i := range in {
		in[i].Assets = nil
	}
	f.write(t, in)
	if _, err := os.Stat(filepath.Join(f.dir, "about/index.html")); err != nil {
		t.Error(err)
	}
	f.opt.Publication.About = ""
	f.write(t, in)
	var left []string
	for name := range f.tree(t) {
		if strings.HasPrefix(name, "page/") || strings.HasPrefix(name, "tags/") {
			left = append(left, name)
		}
	}
	slices.Sort(left)
	if diff := cmp.Diff([]string{"tags/büro/mine.txt", "tags/index.html"}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	for _, gone := range []string{"page", "tags/all-of-them", "about"} {
		if _, err := os.Stat(filepath.Join(f.dir, gone)); err == nil {
			t.Errorf("the empty folder %s is still there", gone)
		}
	}
}

// The frame of a page and the longest page of a list weigh little.
func TestPagesAreSmall(t *testing.T) {
	const most = 50 << 10
	f := newFolder(t)
	in := tagged(entries(tagSize + archiveSize))
	for i := range in {
		in[i].Title = strings.Repeat("題名の長い", 16)
		in[i].Excerpt = strings.Repeat("A sentence of an excerpt. ", 12)
		in[i].Posts[0].Text = strings.Repeat("A line of **one** post, a [link](https://example.com/) in it. ", 12)
		for range 20 {
			in[i].Posts = append(in[i].Posts, newsletter.Post{Text: strings.Repeat("Words of a post, about as long as they are. ", 8)})
		}
	}
	f.opt.Publication.About = strings.Repeat("About this. ", 500)
	for name, text := range f.made(t, in) {
		if strings.HasSuffix(name, ".html") && len(text) > most {
			t.Errorf("%s has %d bytes, more than %d", name, len(text), most)
		}
	}
}

func TestRobots(t *testing.T) {
	f := newFolder(t)
	name := filepath.Join(f.dir, "robots.txt")
	f.write(t, entries(1))
	if _, err := os.Stat(name); err == nil {
		t.Error("robots.txt below a path, where no crawler looks")
	}
	f.opt.Publication.URL = "https://example.org"
	f.write(t, entries(1))
	const want = robotsHead + "User-agent: *\nAllow: /\n\nSitemap: https://example.org/sitemap.xml\n"
	if got := f.tree(t)["robots.txt"]; got != want {
		t.Errorf("robots.txt is %q", got)
	}
	f.opt.Publication.URL = "https://example.net" // its own file is written again
	f.write(t, entries(1))
	if got := f.tree(t)["robots.txt"]; !strings.Contains(got, "https://example.net/sitemap.xml") {
		t.Errorf("robots.txt is %q", got)
	}
	const own = "User-agent: *\nDisallow: /\n"
	if err := os.WriteFile(name, []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	f.write(t, entries(2))
	if got := f.tree(t)["robots.txt"]; got != own {
		t.Errorf("the author's file was replaced by %q", got)
	}
}
