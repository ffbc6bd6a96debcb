package site

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The list as static hosts read it.
func TestRedirectsFile(t *testing.T) {
	f := newFolder(t)
	in := entries(3)
	in[0].Formerly = []string{"/2019/03/post.html", "/?p=12", "/p?b=2&a=1 2", "https://old.example.org/a b/é*:x/", "tag:elsewhere,2019:1"}
	in[0].FormerSlugs, in[0].OutNumber = []string{"a-slug", in[0].Slug}, 2
	in[1].Formerly, in[1].OutNumber = []string{"/2019/03/post/", "/threads/thread-1/", "/feed", "/sitemap.xml", "/"}, 1
	tests := map[string]newsletter.Publication{
		"redirects-moved.txt": {URL: "https://example.org/letters", FormerURLs: []string{"https://old.example.org", "https://example.org/blog"}},
		"redirects-below.txt": {URL: "https://example.org/letters", FormerURLs: []string{"https://example.org"}},
		"redirects.txt":       {URL: "https://example.org"},
	}
	for golden, home := range tests {
		f.opt.Publication.URL, f.opt.Publication.FormerURLs = home.URL, home.FormerURLs
		got := f.made(t, in)[RedirectsFile]
		golden = filepath.Join("testdata", golden)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if diff := cmp.Diff(string(want), got); diff != "" || err != nil {
			t.Errorf("%s (-want +got): %v\n%s", golden, err, diff)
		}
	}
}
