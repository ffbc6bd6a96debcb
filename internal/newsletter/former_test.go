package newsletter

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFormer(t *testing.T) {
	good := map[string]FormerAddress{
		"/2019/03/post.html":                 {Path: "/2019/03/post.html"},
		"/2019/03/":                          {Path: "/2019/03/"},
		"/":                                  {Path: "/"},
		"/?p=12#more":                        {Path: "/", Query: url.Values{"p": {"12"}}},
		"/p%C3%A9pin":                        {Path: "/p\u00e9pin"},
		"/pépin":                             {Path: "/pépin"},
		"/a b":                               {Path: "/a b"},
		"/a/../b/./c//d":                     {Path: "/b/c/d"},
		"/%2Fexample.org":                    {Path: "/example.org"},
		"https://Old.Example.org:8443/a?x=1": {Host: "old.example.org", Path: "/a", Query: url.Values{"x": {"1"}}},
		"http://old.example.org":             {Host: "old.example.org", Path: "/"},
		"/" + strings.Repeat("a", FormerMaxLength-1): {Path: "/" + strings.Repeat("a", FormerMaxLength-1)},
	}
	for text, want := range good {
		got, err := ParseFormer(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	}
	for _, text := range []string{"tag:example.org,2019:12", "x:99", "12345", "urn:uuid:1", "", "shed", "mailto:a@example.org"} {
		if _, err := ParseFormer(text); !errors.Is(err, ErrNoAddress) {
			t.Errorf("%q: %v, want an id", text, err)
		}
	}
	for _, text := range []string{
		"//example.org/a", `/\example.org`, "/a\\b", "/%5Cexample.org", "/a\x00b", "/a\nb", "/a%0Ab", "/%zz", "/\xff", "/%ff", "2019/03/post.html",
		"old.example.org/a", "https://", "https:///a", "https://jo:pw@example.org/a", "http:a", "/?a=%zz", "/" + strings.Repeat("a", FormerMaxLength),
	} {
		if got, err := ParseFormer(text); err == nil || errors.Is(err, ErrNoAddress) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestPathKey(t *testing.T) {
	for path, want := range map[string]string{
		"": "/", "/": "/", "/index.html": "/", "/a": "/a", "/a/": "/a", "/a.html": "/a", "/a.htm": "/a", "/a/index.html": "/a", "/a/index.htm": "/a",
		"/a.html.html": "/a", "/.html": "/.html", "/a/../b": "/b", "/feed.xml": "/feed.xml", "/a/index": "/a/index",
	} {
		if got := PathKey(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestFormerAddresses(t *testing.T) {
	pub := Publication{URL: "https://example.org/letters", FormerURLs: []string{"https://old.example.org/blog", "https://example.org"}}
	list := pub.FormerAddresses(Thread{Formerly: []string{"/a", "https://EXAMPLE.org/b", "https://old.example.org/c", "https://elsewhere.example/d", "tag:x,1:y"}})
	var paths []string
	for _, a := range list {
		paths = append(paths, a.Path)
	}
	if diff := cmp.Diff([]string{"/a", "/b", "/c"}, paths); diff != "" {
		t.Error(diff)
	}
	if pub.BasePath() != "/letters" || !pub.Moved() || (Publication{URL: "https://example.org", FormerURLs: []string{"http://example.org/x"}}).Moved() {
		t.Error("where it was is not where it is told")
	}
}

// A known thread keeps its former slugs to itself, and may go back to them.
func TestFormerSlugsAreTaken(t *testing.T) {
	thread := func(file, slug string, slugged bool) Thread {
		return Thread{File: file, Slug: slug, Slugged: slugged, Posts: []Post{{Text: "The text of " + file + ", which is like no other."}}}
	}
	old := thread("old.md", "old", true)
	known := []KnownThread{{ID: "old", Slug: "new", FormerSlugs: []string{"old"}, GUID: "g", File: "old.md", Prints: old.Prints(), Present: true, Issue: 1}}
	mint := func(slug string) string { return "tag:" + slug }
	slugs := func(folder ...Thread) string {
		var list []string
		for _, f := range Identify(folder, nil, known, mint) {
			list = append(list, f.Slug)
		}
		return strings.Join(list, " ")
	}
	if got := slugs(thread("old.md", "new", true), thread("another.md", "old", false)); got != "new old-2" {
		t.Error(got)
	}
	if got := slugs(old, thread("another.md", "new", true)); got != "old new-2" {
		t.Error(got)
	}
}

func TestByClaim(t *testing.T) {
	entry := func(id string, out int64, former ...string) Entry {
		return Entry{Thread: Thread{ID: id, Formerly: former}, OutNumber: out}
	}
	var got []string
	for _, e := range ByClaim([]Entry{entry("draft", 0, "/a"), entry("late", 3, "/a"), entry("plain", 2), entry("b", 1, "/b"), entry("a", 1, "/a")}) {
		got = append(got, e.ID)
	}
	if diff := cmp.Diff([]string{"a", "b", "late", "draft"}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseFormer(f *testing.F) {
	for _, seed := range []string{"/2019/03/post.html", "https://old.example.org/?p=12", "tag:a,1:b", `/\x`, "//x", "/%2F", "/a/../..", "/*/:x", "/?a=1&b=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseFormer(text)
		if err != nil {
			return
		}
		if !strings.HasPrefix(a.Path, "/") || strings.HasPrefix(a.Path, "//") || strings.ContainsAny(a.Path, "\\\n\x00") {
			t.Errorf("%q: path %q", text, a.Path)
		}
		if key := PathKey(a.Path); PathKey(key) != key || PathKey(key+"/") != key && key != "/" {
			t.Errorf("%q: key %q is not the key of itself", text, key)
		}
	})
}
