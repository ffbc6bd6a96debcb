package web_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"threadmill/internal/web"
)

// code returns a text in a coding.
func code(tb testing.TB, coding, text string) string {
	tb.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch coding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "br":
		w = brotli.NewWriter(&b)
	case "zstd":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			tb.Fatal(err)
		}
		w = z
	}
	if _, err := io.WriteString(w, text); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

var long = "<!DOCTYPE html><title>Long</title>" + strings.Repeat("<p>A rope is as good as its knot.</p>\n", 200)

// openCoded serves a page in all codings. Stamps are settled: the files are as
// old as those of a site that was written a while ago.
func openCoded(tb testing.TB, change ...func(*web.Options)) *publication {
	tb.Helper()
	p := open(tb, change...)
	for _, name := range []string{"threads/long/index.html", "feed.xml"} {
		p.write(tb, name, long)
		p.write(tb, name+".gz", code(tb, "gzip", long))
		p.write(tb, name+".br", code(tb, "br", long))
		p.write(tb, name+".zst", code(tb, "zstd", long))
	}
	return p
}

func TestCodings(t *testing.T) {
	p := openCoded(t)
	plain := p.get(t, "/threads/long/", "Accept-Encoding", "identity")
	if plain.body != long || plain.Header.Get("Accept-Ranges") != "bytes" {
		t.Errorf("plain: %v", plain.Header)
	}
	tags := map[string]bool{plain.Header.Get("ETag"): true}
	for _, coding := range []string{"gzip", "br", "zstd"} {
		for range 2 { // from the folder, then from memory
			res := p.get(t, "/threads/long/", "Accept-Encoding", coding)
			if res.StatusCode != http.StatusOK || res.body != code(t, coding, long) || res.Header.Get("Content-Encoding") != coding ||
				res.Header.Get("Vary") != "Accept-Encoding" || res.Header.Get("Content-Length") != fmt.Sprint(len(res.body)) {
				t.Errorf("%s: %s %v", coding, res.Status, res.Header)
			}
			tag := res.Header.Get("ETag")
			tags[tag] = true
			again := p.get(t, "/threads/long/", "Accept-Encoding", coding, "If-None-Match", tag)
			if again.StatusCode != http.StatusNotModified || again.Header.Get("ETag") != tag || again.Header.Get("Vary") != "Accept-Encoding" ||
				again.Header.Get("Cache-Control") != "public, max-age=900" || again.Header.Get("Content-Encoding") != "" {
				t.Errorf("%s again: %s %v", coding, again.Status, again.Header)
			}
			head := p.ask(t, http.MethodHead, "/threads/long/", "", "Accept-Encoding", coding)
			head.Header.Del("Date")
			res.Header.Del("Date")
			if head.body != "" || fmt.Sprint(head.Header) != fmt.Sprint(res.Header) {
				t.Errorf("%s: HEAD has %v, GET %v", coding, head.Header, res.Header)
			}
		}
	}
	if len(tags) != 4 {
		t.Errorf("four codings have the ETags %v", tags)
	}
	part := p.get(t, "/threads/long/", "Accept-Encoding", "gzip", "Range", "bytes=0-14")
	if part.StatusCode != http.StatusPartialContent || part.body != long[:15] || part.Header.Get("Content-Encoding") != "" {
		t.Errorf("part: %s %q %v", part.Status, part.body, part.Header)
	}
}

// A coding that is not that of its file is never sent.
func TestCodingsLeftOver(t *testing.T) {
	p := openCoded(t)
	other := strings.Replace(long, "Long", "Next", 1)
	p.write(t, "threads/long/index.html", other)
	p.write(t, "threads/long/index.html.br", code(t, "br", other)[:20])
	p.write(t, "threads/long/index.html.zst", code(t, "zstd", other+"more"))
	for _, coding := range []string{"gzip", "br", "zstd"} {
		if res := p.get(t, "/threads/long/", "Accept-Encoding", coding); res.body != other || res.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v", coding, res.Header)
		}
	}
}

// decode returns what a body in a coding stands for.
func decode(coding, body string) (string, error) {
	var r io.Reader = strings.NewReader(body)
	switch coding {
	case "gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return "", err
		}
		r = z
	case "br":
		r = brotli.NewReader(r)
	case "zstd":
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return "", err
		}
		defer z.Close()
		r = z
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

// While a build replaces a file and its codings, each answer belongs together:
// one text, whole, under its own ETag.
func TestReplacedWhileServed(t *testing.T) {
	p := openCoded(t)
	replace := func(i int) {
		text := strings.Replace(long, "Long", fmt.Sprint("Number ", i), 1)
		for _, c := range []struct{ ending, body string }{
			{"", text}, {".gz", code(t, "gzip", text)}, {".br", code(t, "br", text)}, {".zst", code(t, "zstd", text)},
		} {
			fresh := filepath.Join(p.dir, ".new")
			p.write(t, ".new", c.body)
			if err := os.Rename(fresh, filepath.Join(p.dir, "threads/long/index.html"+c.ending)); err != nil {
				t.Error(err)
			}
		}
	}
	replace(0)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	var seen sync.Map
	for _, coding := range []string{"gzip", "gzip", "br", "br", "zstd", "zstd", "identity", "identity"} {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				res := p.get(t, "/threads/long/", "Accept-Encoding", coding)
				text, err := decode(res.Header.Get("Content-Encoding"), res.body)
				if err != nil || !strings.HasPrefix(text, "<!DOCTYPE html><title>Number ") || !strings.HasSuffix(text, "knot.</p>\n") {
					t.Errorf("%s is not whole: %v", coding, err)
				}
				tag := res.Header.Get("ETag") + res.Header.Get("Content-Encoding")
				if old, ok := seen.LoadOrStore(tag, text); ok && old != text {
					t.Errorf("%s stands for two texts", tag)
				}
			}
		})
	}
	for i := range 20 {
		replace(i)
	}
	close(stop)
	readers.Wait()
	if res := p.get(t, "/threads/long/"); !strings.Contains(res.body, "Number 19<") {
		t.Error("the last text is not served")
	}
}

// Many that ask at once for a page which nobody has asked for, or which was
// just replaced, all get it as it is.
func TestManyAtOnce(t *testing.T) {
	p := openCoded(t)
	for i := range 5 {
		text := strings.Replace(long, "Long", fmt.Sprint("Number ", i), 1)
		p.write(t, ".new", text)
		if err := os.Rename(filepath.Join(p.dir, ".new"), filepath.Join(p.dir, "threads/long/index.html")); err != nil {
			t.Fatal(err)
		}
		var readers sync.WaitGroup
		for range 16 {
			readers.Go(func() {
				if res := p.get(t, "/threads/long/"); res.StatusCode != http.StatusOK || res.body != text {
					t.Errorf("asked at once for number %d: %s, %d bytes", i, res.Status, len(res.body))
				}
			})
		}
		readers.Wait()
	}
}

func TestFeedOpenedInBrowser(t *testing.T) {
	p := openCoded(t)
	p.write(t, "archive/3.xml", "<rss/>")
	p.write(t, "archive/3.atom.xml", "<feed/>")
	p.write(t, "archive/3.json", "{}")
	p.write(t, ".well-known/feeds", "<opml/>")
	for path, want := range map[string]string{
		"/feed.xml":           "application/rss+xml; charset=utf-8",
		"/archive/3.xml":      "application/rss+xml; charset=utf-8",
		"/archive/3.atom.xml": "application/atom+xml; charset=utf-8",
		"/archive/3.json":     "application/feed+json; charset=utf-8",
		"/.well-known/feeds":  "text/x-opml; charset=utf-8",
	} {
		if res := p.get(t, path); res.Header.Get("Content-Type") != want {
			t.Errorf("%s is %s", path, res.Header.Get("Content-Type"))
		}
		res := p.get(t, path, "Sec-Fetch-Dest", "document")
		if strings.HasSuffix(path, ".json") {
			continue
		}
		if res.Header.Get("Content-Type") != "application/xml; charset=utf-8" || res.Header.Get("Vary") != "Accept-Encoding, Sec-Fetch-Dest" {
			t.Errorf("%s in a browser: %v", path, res.Header)
		}
	}
	if res := p.get(t, "/", "Sec-Fetch-Dest", "document"); res.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("a page is %s", res.Header.Get("Content-Type"))
	}
}

func TestHubs(t *testing.T) {
	p := open(t, func(o *web.Options) { o.Hubs = []string{"https://hub.example/", "https://other.example/"} })
	p.write(t, "tags/home/feed.xml", "<rss/>")
	want := `<https://hub.example/>; rel="hub", <https://other.example/>; rel="hub", <https://shed.example.org/feed.xml>; rel="self"`
	for path, want := range map[string]string{"/feed.xml": want, "/tags/home/feed.xml": "", "/": ""} {
		res := p.get(t, path)
		if got := strings.Join(res.Header.Values("Link"), "|"); got != want {
			t.Errorf("%s has Link %q", path, got)
		}
		if res := p.get(t, path, "If-None-Match", res.Header.Get("ETag")); res.StatusCode != http.StatusNotModified || res.Header.Get("Link") != want {
			t.Errorf("%s again: %s, Link %q", path, res.Status, res.Header.Get("Link"))
		}
	}
}

func TestGone(t *testing.T) {
	p := open(t)
	p.write(t, ".gone", "issues/3/\nthreads/first/\nthreads/second/\n")
	for path, want := range map[string]int{
		"/threads/second/":        http.StatusGone,
		"/threads/second":         http.StatusGone,
		"/threads/second/big.png": http.StatusGone,
		"/issues/3/":              http.StatusGone,
		"/issues/33/":             http.StatusNotFound,
		"/threads/":               http.StatusNotFound,
		"/threads/first/":         http.StatusOK, // it is back
		"/.gone":                  http.StatusNotFound,
		"/":                       http.StatusOK,
	} {
		res := p.get(t, path)
		if res.StatusCode != want || want >= 400 && !strings.Contains(res.body, "Nothing here") {
			t.Errorf("%s: %s %q", path, res.Status, res.body)
		}
	}
	p.write(t, "410.html", "<!DOCTYPE html><title>Withdrawn</title>\n")
	for path, want := range map[string]string{"/threads/second/": "Withdrawn", "/issues/3/": "Withdrawn", "/issues/33/": "Nothing here"} {
		if res := p.get(t, path); !strings.Contains(res.body, want) {
			t.Errorf("%s: %s %q", path, res.Status, res.body)
		}
	}
	if err := os.Remove(filepath.Join(p.dir, ".gone")); err != nil {
		t.Fatal(err)
	}
	if res := p.get(t, "/threads/second/"); res.StatusCode != http.StatusNotFound {
		t.Errorf("without the list: %s", res.Status)
	}
}

func TestKeptForEver(t *testing.T) {
	p := open(t)
	const name = "threads/first/shed-0123456789abcdef-1200w.jpg"
	p.write(t, name, "jpeg")
	res := p.get(t, "/"+name)
	if got := res.Header.Get("Cache-Control"); got != "public, max-age=31536000, immutable" || res.Header.Get("Set-Cookie") != "" {
		t.Errorf("Cache-Control is %s", got)
	}
	if res.Header.Get("Referrer-Policy") != "strict-origin-when-cross-origin" {
		t.Errorf("headers %v", res.Header)
	}
}

// What is too large for the memory comes from the folder, and in parts.
func TestLarge(t *testing.T) {
	p := open(t)
	text := strings.Repeat("0123456789abcdef", 5<<16)
	p.write(t, "threads/first/film.mp4", text)
	res := p.get(t, "/threads/first/film.mp4")
	if res.body != text || res.Header.Get("Content-Type") != "video/mp4" || res.Header.Get("ETag") == "" {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	part := p.get(t, "/threads/first/film.mp4", "Range", "bytes=16-17")
	if part.StatusCode != http.StatusPartialContent || part.body != "01" {
		t.Errorf("%s %q", part.Status, part.body)
	}
}

// silent takes an answer and drops it.
type silent struct{ h http.Header }

func (s *silent) Header() http.Header         { return s.h }
func (s *silent) Write(b []byte) (int, error) { return len(b), nil }
func (s *silent) WriteHeader(int)             {}

// BenchmarkServe is what an answer costs without the connection;
// tools/bench-http.sh compares the whole with nginx.
func BenchmarkServe(b *testing.B) {
	p := openCoded(b, func(o *web.Options) { o.Log = quiet() })
	time.Sleep(30 * time.Millisecond) // until the stamps of the files are settled
	tag := p.get(b, "/threads/long/", "Accept-Encoding", "gzip").Header.Get("ETag")
	for _, bb := range []struct {
		name    string
		headers http.Header
	}{
		{"304", http.Header{"Accept-Encoding": {"gzip"}, "If-None-Match": {tag}}},
		{"gzip", http.Header{"Accept-Encoding": {"gzip, deflate"}}},
		{"plain", http.Header{}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "/threads/long/", nil)
			if err != nil {
				b.Fatal(err)
			}
			req.Header = bb.headers
			w := &silent{make(http.Header)}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.h)
				p.Config.Handler.ServeHTTP(w, req)
			}
		})
	}
}
