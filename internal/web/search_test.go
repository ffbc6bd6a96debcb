package web_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/search"
	"threadmill/internal/thread"
	"threadmill/internal/web"
)

var update = flag.Bool("update", false, "write the golden files")

// openSearch serves a site whose threads, each with the text of one post, can
// be searched.
func openSearch(tb testing.TB, posts map[string]string, change ...func(*web.Options)) *publication {
	tb.Helper()
	var p *publication
	p = openList(tb, append(change, func(o *web.Options) { o.Search = lazy{&p} })...)
	day := time.Date(2026, time.November, 2, 9, 0, 0, 0, time.UTC)
	var updates []newsletter.ThreadUpdate
	for slug, text := range posts {
		updates = append(updates, newsletter.ThreadUpdate{
			Thread: newsletter.Thread{ID: slug, Slug: slug, GUID: slug, File: slug + ".md", Source: text, Published: day, Digest: "1"}, New: true, Archive: true,
		})
	}
	known, err := p.db.Threads(tb.Context())
	if err == nil {
		err = p.db.UpdateThreads(tb.Context(), day, known.Stamp, updates)
	}
	if err != nil {
		tb.Fatal(err)
	}
	index := search.Index{Store: p.db, Parse: thread.Reader{Zone: time.UTC}.Parse, Plain: thread.Plain}
	if _, err := index.Update(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return p
}

// lazy searches the database of a publication that is made after its server.
type lazy struct{ p **publication }

func (l lazy) Search(ctx context.Context, terms []newsletter.SearchTerm, offset, limit int) ([]newsletter.Found, int, error) {
	return (*l.p).db.Search(ctx, terms, offset, limit)
}

func (p *publication) look(tb testing.TB, query string) answer {
	tb.Helper()
	return p.ask(tb, http.MethodGet, "/search?"+url.Values{"q": {query}}.Encode(), "")
}

func TestSearchPage(t *testing.T) {
	t.Parallel()
	p := openSearch(t, map[string]string{
		"shed": "---\ntitle: A shed & a <b>rope</b>\ndate: 2024-03-04\nlang: en\n---\nThe rope of <i>three</i> neighbours.\n\n---\n\nMore.\n",
		"he":   "---\ntitle: שלום\nlang: he\n---\nWith a rope, too.\n",
	})
	a := p.look(t, `rope`)
	if a.StatusCode != http.StatusOK {
		t.Fatal(a.Status)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Robots-Tag": "noindex", "Set-Cookie": "", "Referrer-Policy": "same-origin",
	} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	file := filepath.Join("testdata", "search.html")
	if *update {
		if err := os.WriteFile(file, []byte(a.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), a.body); diff != "" {
		t.Error(diff)
	}
	if head := p.ask(t, http.MethodHead, "/search?q=rope", ""); head.body != "" || head.Header.Get("Content-Length") != fmt.Sprint(len(a.body)) {
		t.Errorf("HEAD: %v", head.Header)
	}
	if a := p.ask(t, http.MethodPost, "/search?q=rope", ""); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", a.Status)
	}
}

// TestSearchEscapes sends what means something to a page, a database or an
// address: it comes back as the text of the field and nothing else.
func TestSearchEscapes(t *testing.T) {
	t.Parallel()
	p := openSearch(t, map[string]string{"a": "Script and NEAR of the rope.\n"})
	for _, query := range []string{
		"", `<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `' OR 1=1 --`, "AND", "NEAR", "a* :b -c ^d", `"`, `""""`, "{{.}}",
		"rope\x00rope", "\xff\xfe\xfd", strings.Repeat("rope ", 2000), strings.Repeat("x", 10_000), "javascript:alert(1)", "%00", "\u202egnp", "東京",
	} {
		a := p.look(t, query)
		if a.StatusCode != http.StatusOK {
			t.Errorf("%.40q: %s", query, a.Status)
			continue
		}
		if diff := cmp.Diff(search.Clip(query), field(t, a.body)); diff != "" {
			t.Errorf("%.40q: %s", query, diff)
		}
	}
	for _, raw := range []string{"", "?", "?q", "?q=%zz", "?q=a;b&q=c", "?page=-1&q=rope", "?page=99999999999999999999&q=rope", "?utm_source=x", "?q=rope&page=51"} {
		if a := p.ask(t, http.MethodGet, "/search"+raw, ""); a.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", raw, a.Status)
		}
	}
}

// field is what stands in the only field of a page, which has no script.
func field(t *testing.T, page string) (value string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "img", "iframe":
			t.Errorf("the page has a %s", n.Data)
		case "input":
			for _, a := range n.Attr {
				if a.Key == "value" {
					value = a.Val
				}
			}
		}
	}
	return value
}

func TestSearchTurns(t *testing.T) {
	t.Parallel()
	posts := map[string]string{}
	for i := range 25 {
		posts[fmt.Sprintf("t%02d", i)] = fmt.Sprintf("Rope & knots, number %d.\n", i)
	}
	p := openSearch(t, posts, at("https://shed.example.org/letters"))
	ask := func(path string) answer { t.Helper(); return p.ask(t, http.MethodGet, path, "") }
	first, second := ask("/letters/search?q=rope"), ask("/letters/search?q=rope&page=2")
	if n := strings.Count(first.body, "<article"); n != 20 || !strings.Contains(first.body, `href="search?page=2&amp;q=rope" rel="next"`) || !strings.Contains(first.body, "25 threads") {
		t.Errorf("%d on the first page: %s", n, first.body)
	}
	if n := strings.Count(second.body, "<article"); n != 5 || !strings.Contains(second.body, `href="search?q=rope" rel="prev"`) || strings.Contains(second.body, `rel="next"`) {
		t.Errorf("%d on the second page: %s", n, second.body)
	}
}

func TestNoSearch(t *testing.T) {
	t.Parallel()
	if a := open(t).look(t, "rope"); a.StatusCode != http.StatusNotFound {
		t.Error(a.Status)
	}
}

// stuck is a search that ends with its time.
type stuck struct{}

func (stuck) Search(ctx context.Context, _ []newsletter.SearchTerm, _, _ int) ([]newsletter.Found, int, error) {
	<-ctx.Done()
	return nil, 0, fmt.Errorf("interrupted: %w", errors.ErrUnsupported)
}

// TestSearchBounded asks more than can be answered: everybody gets an answer.
func TestSearchBounded(t *testing.T) {
	t.Parallel()
	pages, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		h := web.New(web.Options{Templates: func() *render.Templates { return pages }, Search: stuck{}, Log: slog.New(slog.DiscardHandler)})
		codes := make(chan int)
		for range 10 {
			go func() { codes <- statusOf(t, h, "/search?q=rope") }()
		}
		for range 10 {
			if c := <-codes; c != http.StatusServiceUnavailable {
				t.Error(c)
			}
		}
	})
}

// statusOf asks a handler and returns the status of its answer.
func statusOf(t *testing.T, h http.Handler, path string) int {
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return rec.Code
}

// A query of signs alone is answered with what can be looked for.
func TestSearchForSigns(t *testing.T) {
	t.Parallel()
	p := openSearch(t, map[string]string{"shed": "A rope???"})
	if a := p.look(t, "???"); a.StatusCode != http.StatusOK || !strings.Contains(a.body, "<bdi>???</bdi> holds no letter and no digit") {
		t.Errorf("%s\n%s", a.Status, a.body)
	}
	if a := p.look(t, ""); strings.Contains(a.body, "holds no letter") {
		t.Error("an empty query is found fault with")
	}
}

// Where web.url is another host, the forms of the pages lead there, and the
// policy lets them.
func TestFormsToAnotherHost(t *testing.T) {
	for search, want := range map[string]string{
		"": "form-action 'self'",
		"https://letters.example.net:8443/search": "form-action 'self' https://letters.example.net:8443",
	} {
		p := open(t, func(o *web.Options) { o.Publication.Search = search })
		for _, path := range []string{"/", "/threads/first/", "/threads/first/", "/no/such/page"} { // the third from memory
			policy := p.get(t, path).Header.Get("Content-Security-Policy")
			if !strings.HasSuffix(policy, "; "+want) {
				t.Errorf("search at %q: the policy of %s is %q, want it to end in %q", search, path, policy, want)
			}
		}
	}
}
