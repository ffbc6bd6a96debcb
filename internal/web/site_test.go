package web_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"threadmill/internal/web"
)

func TestSite(t *testing.T) {
	p := open(t)
	p.write(t, "atom.xml", "<feed/>")
	p.write(t, "feed.json", "{}")
	p.write(t, "tags/home/feed.xml", "<rss/>")
	p.write(t, "sitemap.xml", "<urlset/>")
	p.write(t, "feeds.opml", "<opml/>")
	p.write(t, "robots.txt", "")
	p.write(t, "threads/first/plan.SVG", "<svg/>")
	p.write(t, "threads/first/shed.xyz", "<script>")
	p.write(t, ".well-known/threadmill.json", "{}")
	p.write(t, "threads/über uns/index.html", "x")
	tests := []struct{ path, kind string }{
		{"/", "text/html; charset=utf-8"},
		{"/index.html", "text/html; charset=utf-8"},
		{"/threads/first/", "text/html; charset=utf-8"},
		{"/threads/first/shed.png", "image/png"},
		{"/threads/first/plan.SVG", "image/svg+xml; charset=utf-8"},
		{"/threads/first/shed.xyz", "application/octet-stream"},
		{"/threads/%C3%BCber%20uns/", "text/html; charset=utf-8"},
		{"/feed.xml", "application/rss+xml; charset=utf-8"},
		{"/tags/home/feed.xml", "application/rss+xml; charset=utf-8"},
		{"/atom.xml", "application/atom+xml; charset=utf-8"},
		{"/feed.json", "application/feed+json; charset=utf-8"},
		{"/sitemap.xml", "application/xml; charset=utf-8"},
		{"/feeds.opml", "text/x-opml; charset=utf-8"},
		{"/robots.txt", "text/plain; charset=utf-8"},
		{"/.well-known/threadmill.json", "application/json; charset=utf-8"},
	}
	for _, tt := range tests {
		res := p.get(t, tt.path)
		if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != tt.kind {
			t.Errorf("%s: %s, %s", tt.path, res.Status, res.Header.Get("Content-Type"))
		}
		if res.Header.Get("Cache-Control") != "public, max-age=900" || res.Header.Get("X-Content-Type-Options") != "nosniff" ||
			!strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers %v", tt.path, res.Header)
		}
	}
}

func TestSiteNotFound(t *testing.T) {
	p := open(t)
	p.write(t, ".env", "SMTP_PASSWORD=secret")
	p.write(t, ".git/config", "secret")
	p.write(t, "threads/.draft.md", "secret")
	p.write(t, "empty/file.txt", "x")
	p.write(t, "../threadmill.key", "secret")
	if err := os.Symlink(filepath.Join(p.dir, "..", "threadmill.key"), filepath.Join(p.dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := mkfifo(filepath.Join(p.dir, "pipe")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/nothing", "/nothing/", "/threads/", "/threads", "/empty/", "/empty", "/feed.xml/", "/feed.xml/x", "/link", "/pipe",
		"/.env", "/.git/config", "/threads/.draft.md", "/%2e%65nv", "/.well-known/", "/..%2fthreadmill.key", "/%2e%2e%2fthreadmill.key",
		"/threads/..%2f..%2fthreadmill.key", "/..%5cthreadmill.key", "/threads%00/", "/%00", "/" + strings.Repeat("x", 5000),
		"/" + strings.Repeat("x/", 3000), "/%ff%fe", "/threads%2f%2ffirst/",
	} {
		res := p.get(t, path)
		// The mux sends some of them on to the path without dots.
		if res.StatusCode/100 == 3 {
			to := res.Header.Get("Location")
			if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") {
				t.Errorf("%.40s leads to %s", path, to)
			}
			res = p.get(t, to)
		}
		if res.StatusCode != http.StatusNotFound || strings.Contains(res.body, "secret") {
			t.Errorf("%.40s: %s %q", path, res.Status, res.body)
		}
		if !strings.Contains(res.body, "Nothing here") || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("ETag") != "" {
			t.Errorf("%.40s: not the site's page: %q %v", path, res.body, res.Header)
		}
	}
}

func TestSiteRedirects(t *testing.T) {
	p := open(t)
	p.write(t, "a?b:c/index.html", "x")
	p.write(t, "evil.example/index.html", "x")
	for _, tt := range []struct{ path, location string }{
		{"/threads/first", "/threads/first/"},
		{"/threads/first?utm_source=x", "/threads/first/?utm_source=x"},
		{"/a%3Fb:c", "/a%3Fb:c/"},
		{"//evil.example", "/evil.example"},
		{"/./threads/../threads/first", "/threads/first"},
	} {
		res := p.get(t, tt.path)
		if res.StatusCode/100 != 3 || res.Header.Get("Location") != tt.location {
			t.Errorf("%s: %s to %q, want %q", tt.path, res.Status, res.Header.Get("Location"), tt.location)
		}
	}
}

// Whatever stands behind the question mark, it is the same file.
func TestSiteJunkQueries(t *testing.T) {
	p := open(t)
	want := p.get(t, "/feed.xml").Header.Get("ETag")
	for _, query := range []string{"?", "?x", "?utm_source=a&utm_medium=b", "?%00", "?;;", "?../../etc/passwd", "?" + strings.Repeat("x", 4000)} {
		if res := p.get(t, "/feed.xml"+query); res.StatusCode != http.StatusOK || res.Header.Get("ETag") != want {
			t.Errorf("%.40s: %s, ETag %s", query, res.Status, res.Header.Get("ETag"))
		}
	}
}

func TestSiteHead(t *testing.T) {
	p := open(t)
	got, want := p.ask(t, http.MethodHead, "/threads/first/", ""), p.get(t, "/threads/first/")
	if got.StatusCode != http.StatusOK || got.body != "" {
		t.Errorf("%s with %q", got.Status, got.body)
	}
	for _, key := range []string{"Content-Type", "Content-Length", "ETag", "Last-Modified", "Cache-Control"} {
		if got.Header.Get(key) != want.Header.Get(key) || want.Header.Get(key) == "" {
			t.Errorf("%s is %q in a HEAD and %q in a GET", key, got.Header.Get(key), want.Header.Get(key))
		}
	}
	if res := p.ask(t, http.MethodHead, "/nothing", ""); res.StatusCode != http.StatusNotFound || res.body != "" {
		t.Errorf("%s with %q", res.Status, res.body)
	}
}

func TestSiteConditional(t *testing.T) {
	p := open(t)
	first := p.get(t, "/threads/first/")
	tag, modified := first.Header.Get("ETag"), first.Header.Get("Last-Modified")
	if !strings.HasPrefix(tag, `"`) {
		t.Fatalf("the ETag %s is not strong", tag)
	}
	later := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	tests := []struct {
		name    string
		headers []string
		code    int
	}{
		{"the same", []string{"If-None-Match", tag}, http.StatusNotModified},
		{"in a list", []string{"If-None-Match", `"a", W/"b" ,` + tag + `, "c"`}, http.StatusNotModified},
		{"weak", []string{"If-None-Match", "W/" + tag}, http.StatusNotModified},
		{"any", []string{"If-None-Match", "*"}, http.StatusNotModified},
		{"another", []string{"If-None-Match", `"x"`}, http.StatusOK},
		{"not a tag", []string{"If-None-Match", tag[1:]}, http.StatusOK},
		{"another, but not newer", []string{"If-None-Match", `"x"`, "If-Modified-Since", later}, http.StatusOK},
		{"not newer", []string{"If-Modified-Since", modified}, http.StatusNotModified},
		{"newer", []string{"If-Modified-Since", "Mon, 01 Jan 2001 00:00:00 GMT"}, http.StatusOK},
		{"not a date", []string{"If-Modified-Since", "yesterday"}, http.StatusOK},
		{"must match another", []string{"If-Match", `"x"`}, http.StatusPreconditionFailed},
		{"part", []string{"Range", "bytes=0-4"}, http.StatusPartialContent},
		{"part of another", []string{"Range", "bytes=0-4", "If-Range", `"x"`}, http.StatusOK},
		{"part behind the end", []string{"Range", "bytes=9999-"}, http.StatusRequestedRangeNotSatisfiable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := p.get(t, "/threads/first/", tt.headers...)
			if res.StatusCode != tt.code {
				t.Errorf("got %s, want %d", res.Status, tt.code)
			}
			if tt.code == http.StatusNotModified && (res.body != "" || res.Header.Get("ETag") != tag) {
				t.Errorf("the answer is %q with ETag %s", res.body, res.Header.Get("ETag"))
			}
		})
	}
}

// The ETag is that of the content: it survives a restart and a rebuild, and
// changes with a byte, even if size and time stay.
func TestSiteETagIsContent(t *testing.T) {
	p := open(t)
	when := time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC)
	replace := func(text string) string {
		p.write(t, ".new", text)
		fresh := filepath.Join(p.dir, ".new")
		if err := os.Chtimes(fresh, when, when); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(fresh, filepath.Join(p.dir, "feed.xml")); err != nil {
			t.Fatal(err)
		}
		res := p.get(t, "/feed.xml")
		if res.body != text || res.Header.Get("Last-Modified") != when.Format(http.TimeFormat) {
			t.Errorf("got %q of %s", res.body, res.Header.Get("Last-Modified"))
		}
		return res.Header.Get("ETag")
	}
	one, two, again := replace("<rss>1</rss>"), replace("<rss>2</rss>"), replace("<rss>1</rss>")
	if one == two || one != again {
		t.Errorf("the ETags are %s, %s, %s", one, two, again)
	}
	other := open(t)
	other.write(t, "feed.xml", "<rss>1</rss>")
	if tag := other.get(t, "/feed.xml").Header.Get("ETag"); tag != one {
		t.Errorf("another server has %s, not %s", tag, one)
	}
}

// A folder that is not there yet is a site without pages, and one that comes
// later is served at once.
func TestSiteFolderComesLater(t *testing.T) {
	p := open(t)
	away := p.dir + ".away"
	if err := os.Rename(p.dir, away); err != nil {
		t.Fatal(err)
	}
	if res := p.get(t, "/"); res.StatusCode != http.StatusNotFound || strings.Contains(res.body, p.dir) {
		t.Errorf("%s %q", res.Status, res.body)
	}
	if err := os.Rename(away, p.dir); err != nil {
		t.Fatal(err)
	}
	if res := p.get(t, "/"); res.StatusCode != http.StatusOK {
		t.Errorf("%s", res.Status)
	}
}

func BenchmarkSite(b *testing.B) {
	p := open(b, func(o *web.Options) { o.Log = quiet() })
	for b.Loop() {
		if res := p.get(b, "/threads/first/"); res.StatusCode != http.StatusOK {
			b.Fatal(res.Status)
		}
	}
}
