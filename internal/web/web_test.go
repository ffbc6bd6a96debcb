package web_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/store"
	"threadmill/internal/web"
	"threadmill/templates"
)

var tokens = audience.NewTokens(audience.Key{ID: 1, Secret: bytes.Repeat([]byte{1}, 32)})

// loaded are the templates of the product; trying them takes a moment.
var loaded = sync.OnceValues(func() (*render.Templates, error) { return render.Load(nil, templates.FS) })

// page is what a test site has at /threads/first/.
const page = "<!DOCTYPE html><title>First</title>\n"

// publication is a running server with the folder behind it, and the list if
// it has one.
type publication struct {
	*httptest.Server
	dir string
	db  *store.Store
	log *bytes.Buffer
}

// open serves a small site. Options may be changed before that.
func open(tb testing.TB, change ...func(*web.Options)) *publication {
	tb.Helper()
	p := &publication{dir: filepath.Join(tb.TempDir(), "public"), log: &bytes.Buffer{}}
	p.write(tb, "index.html", "<!DOCTYPE html><title>Archive</title>\n")
	p.write(tb, "404.html", "<!DOCTYPE html><title>Nothing here</title>\n")
	p.write(tb, "threads/first/index.html", page)
	p.write(tb, "threads/first/shed.png", "\x89PNG\r\n\x1a\n")
	p.write(tb, "feed.xml", "<rss/>\n")
	pages, err := loaded()
	if err != nil {
		tb.Fatal(err)
	}
	o := web.Options{
		Dir:         p.dir,
		Publication: newsletter.Publication{Title: "The Shed", URL: "https://shed.example.org", Language: "en"},
		Templates:   func() *render.Templates { return pages },
		Log:         slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&o)
	}
	p.Server = httptest.NewServer(web.New(o))
	p.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	tb.Cleanup(p.Close)
	return p
}

// openList serves a small site that has a list of subscribers too.
func openList(tb testing.TB, change ...func(*web.Options)) *publication {
	tb.Helper()
	db, err := store.Open(tb.Context(), filepath.Join(tb.TempDir(), "threadmill.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	p := open(tb, append(change, func(o *web.Options) { o.Audience = audience.New(db, tokens) })...)
	p.db = db
	return p
}

// at serves the publication below a path.
func at(url string) func(*web.Options) {
	return func(o *web.Options) { o.Publication.URL = url }
}

func (p *publication) write(tb testing.TB, name, text string) {
	tb.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
}

// ask sends one request; headers are pairs.
func (p *publication) ask(tb testing.TB, method, path, body string, headers ...string) answer {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, p.URL, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	// The path goes out as it is written, however odd.
	path, req.URL.RawQuery, _ = strings.Cut(path, "?")
	req.URL.Opaque = "//" + req.URL.Host + path
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	if host := req.Header.Get("Host"); host != "" {
		req.URL.Opaque = "//" + host + path
	}
	res, err := p.Client().Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return answer{res, string(text)}
}

func (p *publication) get(tb testing.TB, path string, headers ...string) answer {
	tb.Helper()
	return p.ask(tb, http.MethodGet, path, "", headers...)
}

func TestHealth(t *testing.T) {
	p := open(t)
	for _, path := range []string{"/healthz", "/readyz"} {
		res := p.get(t, path)
		if res.StatusCode != http.StatusOK || res.body != `{"status":"ok"}`+"\n" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %s %q", path, res.Status, res.body)
		}
	}
}

// TestHealthTells asks which publication a server belongs to.
func TestHealthTells(t *testing.T) {
	p := open(t, func(o *web.Options) {
		o.Publication.URL = "https://shed.example.org/letters"
		o.Health = web.Health{Publication: "abc", URL: o.Publication.URL}
	})
	for _, path := range []string{"/healthz", "/letters/healthz"} {
		want := `{"status":"ok","publication":"abc","url":"https://shed.example.org/letters"}` + "\n"
		if res := p.get(t, path); res.StatusCode != http.StatusOK || res.body != want {
			t.Errorf("%s: %s %q", path, res.Status, res.body)
		}
	}
}

func TestNotReady(t *testing.T) {
	p := open(t, func(o *web.Options) {
		o.Ready = func(context.Context) error { return errors.New("the output folder is read-only") }
	})
	res := p.get(t, "/readyz")
	if want := `{"status":"unavailable","reason":"the output folder is read-only"}` + "\n"; res.StatusCode != http.StatusServiceUnavailable || res.body != want {
		t.Errorf("%s %q", res.Status, res.body)
	}
	if res := p.get(t, "/healthz"); res.StatusCode != http.StatusOK {
		t.Errorf("the server says %s about itself", res.Status)
	}
}

func TestMethods(t *testing.T) {
	p := open(t)
	for _, tt := range []struct{ method, path, allow string }{
		{http.MethodPost, "/", "GET, HEAD"},
		{http.MethodPut, "/threads/first/", "GET, HEAD"},
		{http.MethodDelete, "/feed.xml", "GET, HEAD"},
		{http.MethodOptions, "/feed.xml", "GET, HEAD"},
		{http.MethodPost, "/nothing", "GET, HEAD"},
	} {
		if res := p.ask(t, tt.method, tt.path, "x"); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != tt.allow {
			t.Errorf("%s %s: %s, Allow %q", tt.method, tt.path, res.Status, res.Header.Get("Allow"))
		}
	}
}

// Below a path everything has its place there, and health at the root too.
func TestBelowPath(t *testing.T) {
	p := openList(t, at("https://example.org/my%20shed/"))
	tests := []struct {
		path     string
		code     int
		location string
	}{
		{"/my%20shed", http.StatusMovedPermanently, "/my%20shed/"},
		{"/my%20shed/", http.StatusOK, ""},
		{"/my%20shed/feed.xml", http.StatusOK, ""},
		{"/my%20shed/threads/first", http.StatusMovedPermanently, "/my%20shed/threads/first/"},
		{"/my%20shed/threads/first/", http.StatusOK, ""},
		{"/my%20shed/unsubscribe/x", http.StatusBadRequest, ""},
		{"/my%20shed/healthz", http.StatusOK, ""},
		{"/my%20shed/readyz", http.StatusOK, ""},
		{"/healthz", http.StatusOK, ""},
		{"/readyz", http.StatusOK, ""},
		{"/", http.StatusNotFound, ""},
		{"/feed.xml", http.StatusNotFound, ""},
		{"/my%20shedding/feed.xml", http.StatusNotFound, ""},
	}
	for _, tt := range tests {
		res := p.get(t, tt.path)
		if res.StatusCode != tt.code || res.Header.Get("Location") != tt.location {
			t.Errorf("%s: %s to %q", tt.path, res.Status, res.Header.Get("Location"))
		}
	}
}

func TestExtra(t *testing.T) {
	mails := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "mail "+r.URL.Path) })
	for _, base := range []string{"", "/news"} {
		p := open(t, at("https://example.org"+base), func(o *web.Options) {
			o.Extra = map[string]http.Handler{"/mail/": mails}
		})
		if res := p.get(t, base+"/mail/7/raw"); res.body != "mail /7/raw" {
			t.Errorf("%s %q", res.Status, res.body)
		}
		if res := p.get(t, base+"/mail"); res.StatusCode/100 != 3 || res.Header.Get("Location") != base+"/mail/" {
			t.Errorf("%s to %q", res.Status, res.Header.Get("Location"))
		}
		if res := p.get(t, base+"/feed.xml"); res.StatusCode != http.StatusOK {
			t.Errorf("the feed: %s", res.Status)
		}
	}
}

// The log tells what was asked for, and never by whom.
func TestLog(t *testing.T) {
	p := openList(t)
	sub := p.subscriber(t)
	p.ask(t, http.MethodPost, "/unsubscribe/"+tokens.Sign(sub.ID, 1), oneClick, "User-Agent", "secret-agent")
	p.get(t, "/nothing?email=ada@example.org")
	p.Close()
	log := p.log.String()
	for _, want := range []string{
		`method=POST route="POST /unsubscribe/{token}" status=200 duration=`,
		"method=GET route=/ status=404 duration=",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %q:\n%s", want, log)
		}
	}
	for _, secret := range []string{tokens.Sign(sub.ID, 1), "ada", "127.0.0.1", "secret-agent", "nothing"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log tells %q:\n%s", secret, log)
		}
	}
}

func TestNoDebugLog(t *testing.T) {
	var log bytes.Buffer
	p := open(t, func(o *web.Options) { o.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	p.get(t, "/")
	p.Close()
	if log.Len() > 0 {
		t.Errorf("a request is told at info level:\n%s", &log)
	}
}

// A fault of ours is one line in the log, and no detail of it reaches the
// reader.
func TestFault(t *testing.T) {
	p := openList(t)
	sub := p.subscriber(t)
	if err := p.db.Close(); err != nil {
		t.Fatal(err)
	}
	res := p.get(t, "/unsubscribe/"+tokens.Sign(sub.ID, 1))
	p.Close()
	if res.StatusCode != http.StatusInternalServerError || res.body != "Internal Server Error\n" {
		t.Errorf("%s %q", res.Status, res.body)
	}
	if n := strings.Count(p.log.String(), "level=ERROR"); n != 1 {
		t.Errorf("the log has %d errors:\n%s", n, p.log)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
