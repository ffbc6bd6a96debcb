package site_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/search"
	"threadmill/internal/site"
	"threadmill/internal/site/browsertest"
	"threadmill/internal/store"
	"threadmill/internal/thread"
	"threadmill/internal/web"
	"threadmill/templates"
	"threadmill/threads"
)

// screenshots is a folder. -screenshots ../../docs takes the pictures of the
// README again: go test ./internal/site -run Screenshots -screenshots ../../docs
var screenshots = flag.String("screenshots", "", "take pictures of pages into that `folder`")

// live is a real site behind the real server.
type live struct {
	*httptest.Server
	entries []newsletter.Entry
	tokens  *audience.Tokens
	token   string // of the one subscriber
}

// list puts the threads into the database, to be searched, and a subscriber.
func (s *live) list(t *testing.T, db *store.Store) {
	t.Helper()
	var updates []newsletter.ThreadUpdate
	for _, e := range s.entries {
		e.Published = e.PublishedAt
		updates = append(updates, newsletter.ThreadUpdate{Thread: e.Thread, New: true, Archive: true})
	}
	known, err := db.Threads(t.Context())
	if err == nil {
		err = db.UpdateThreads(t.Context(), time.Now(), known.Stamp, updates)
	}
	if err == nil {
		index := search.Index{Store: db, Parse: thread.Reader{Zone: time.UTC}.Parse, Plain: thread.Plain}
		_, err = index.Update(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	s.tokens = audience.NewTokens(audience.Key{ID: 1, Secret: make([]byte, 32)})
	_, sub, err := audience.New(db, s.tokens).Add(t.Context(), "ada@example.org", "Ada", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.token = s.tokens.Sign(sub.ID, 1)
}

// browse writes a site of the threads, the last one the newest, and serves it.
func browse(t *testing.T, files fs.FS, more ...newsletter.Thread) *live {
	t.Helper()
	tmpl, err := render.Load(nil, templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	reader := thread.Reader{Dir: dir, Label: "threads"}
	folder, err := reader.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &live{Server: httptest.NewUnstartedServer(nil)}
	for i, th := range append(folder.Threads, more...) {
		th.ID, th.GUID = th.Slug, "tag:example.org,2026:"+th.Slug
		at := time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC).AddDate(0, 0, 7*i)
		s.entries = append(s.entries, newsletter.Entry{Thread: th, PublishedAt: at, UpdatedAt: at, Issue: int64(i + 1)})
	}
	slices.Reverse(s.entries)
	pub := newsletter.Publication{
		Title: "The Slow Bench", Description: "Short threads about things and how they came to be.", Language: "en",
		URL: "http://" + s.Listener.Addr().String(), Accent: "#b4532a", Zone: time.UTC, Address: "12 Mill Lane, Sheffield",
		Author: newsletter.Person{Name: "Ada Byron", URL: "https://example.org/ada", Bio: "She repairs what others throw away."},
		About:  "# About the bench\n\nOne thread a week, about one thing.\n\n## Why\n\nIt is [slow](../threads/) on purpose.",
	}
	pub.Search, pub.SignUp = pub.URL+"/search", pub.URL+"/subscribe"
	out := filepath.Join(t.TempDir(), "public")
	digest := newsletter.Issue{Number: 1, Title: "Two in one", PublishedAt: s.entries[0].PublishedAt}
	if n := len(s.entries); n > 1 {
		s.entries[n-2].Issue = 1
		digest.Threads = []newsletter.Thread{s.entries[n-1].Thread, s.entries[n-2].Thread}
	}
	_, err = site.New(site.Options{
		Dir: out, Publication: pub, Templates: tmpl, Privacy: render.Privacy{Mail: true, Relay: "smtp.example.net"},
		OpenAsset: func(_ context.Context, t newsletter.Thread, name string) (io.ReadCloser, string, error) {
			f, err := reader.OpenAsset(t, name)
			return f, "", err
		},
	}).Write(t.Context(), site.Content{Entries: s.entries, Digests: []newsletter.Issue{digest}})
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "threadmill.db"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s.list(t, db)
	s.Config.Handler = web.New(web.Options{
		Dir: out, Publication: pub, Templates: func() *render.Templates { return tmpl }, Log: quiet,
		Search: db, Audience: audience.New(db, s.tokens), Tags: func(context.Context) ([]string, error) { return []string{"Tools", "C++"}, nil },
		SignUps: audience.NewSignUps(audience.SignUpOptions{Store: db, Tokens: s.tokens, Within: time.Hour}),
	})
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// threadsOfEveryKind are threads of every kind, each hard to set.
func threadsOfEveryKind(t *testing.T) []newsletter.Thread {
	t.Helper()
	files := map[string]string{
		"untitled": "Only a sentence without a title.\n\n---\n\nAnd one more.",
		"long":     "---\ntitle: " + strings.Repeat("A title that goes on and on, ", 12) + "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft\n---\nShort.",
		"markup":   "---\ntitle: \"Use <b> & AT&T \\\"quoted\\\" </script>\"\ntags: [\"C++\", \"a <b> c\", \"東京\", \"!!\"]\n---\nRaw <b>HTML</b> </script> & entities.",
		"cjk":      "---\ntitle: 小屋を動かすには、まず地面をよく見ること\nlang: ja\n---\n" + strings.Repeat("急がず、力を入れすぎず、転がる丸太の声を聞くこと。", 20),
		"rtl":      "---\ntitle: השער הישן\nlang: he\ntags: [בית]\n---\nלאט לאט, אמרה השכנה.\n\n- שמן\n- `code`\n\n---\n\nA line of English.\n\n> ציטוט",
		"code":     "---\ntitle: Code\n---\n```go\n" + strings.Repeat("func veryLongName(argument string) error { return nil } ", 6) + "\n```\n\nand `inline" + strings.Repeat("Long", 60) + "`.\n\n---\n\n## A heading\n\nText.\n\n### A lower one\n\nText.",
		"table":    "---\ntitle: Table\n---\n|" + strings.Repeat(" A column |", 14) + "\n|" + strings.Repeat("--:|", 14) + "\n|" + strings.Repeat(" 1,234,567 |", 14) + "\n\nhttps://example.org/" + strings.Repeat("a-very-long-address/", 12),
		"many":     "---\ntitle: Two hundred\n---\n" + strings.TrimSuffix(strings.Repeat("A post of the two hundred.\n\n---\n\n", 200), "\n\n---\n\n"),
		"origin":   "---\ntitle: From elsewhere\ndate: 2024-03-04\nparams:\n  source: https://social.example/@ada/1\n---\n> A quote\n\n1. one\n2. two\n\n- [x] done[^1]\n\n[^1]: A note with a [link](https://example.org/).",
	}
	var list []newsletter.Thread
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range files {
			if !yield(name) {
				return
			}
		}
	}) {
		th, problems := thread.Parse(name+".md", []byte(files[name]), time.UTC)
		for _, p := range problems {
			if p.Severity == newsletter.Error {
				t.Fatal(p)
			}
		}
		list = append(list, th)
	}
	for i := range 8 {
		th, _ := thread.Parse(fmt.Sprintf("filler-%d.md", i), []byte("Filler, which makes a second page."), time.UTC)
		list = append(list, th)
	}
	return list
}

// TestBrowser opens every kind of page in Chromium, light and dark, from the
// narrowest to a wide window: nothing is wider than the window, the console is
// silent, and axe-core finds nothing.
func TestBrowser(t *testing.T) {
	b := browsertest.Start(t)
	s := browse(t, threads.FS, threadsOfEveryKind(t)...)
	samples, err := threads.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"", "page/1/", "page/2/", "tags/", "tags/c-plus-plus/", "about/", "subscribe/", "privacy/", "issues/1/", "410.html", "no/such/page", "feed.xml"}
	for _, e := range s.entries[:len(s.entries)-len(samples)+2] {
		if !strings.HasPrefix(e.Slug, "filler") {
			paths = append(paths, e.Path())
		}
	}
	paths = append(paths, "search", "search?q=a", "search?q=%3F%3F%3F", "search?q="+strings.Repeat("nothing", 28),
		"unsubscribe/no-such-token", "preferences/no-such-token", "confirm/no-such-token")
	for _, path := range paths {
		t.Run(path, func(t *testing.T) { b.Check(t, s.URL+"/"+path) })
	}
	t.Run("searched", func(t *testing.T) {
		if h := b.Press(t, s.URL, "form.search button"); h != "Search" {
			t.Errorf("the button leads to %q", h)
		}
	})
}

// TestScreenshots takes the pictures of the README.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no -screenshots given")
	}
	b := browsertest.Start(t)
	s := browse(t, threads.FS)
	for name, path := range map[string]string{"archive.png": "", "thread.png": s.entries[2].Path()} {
		b.Look(t, 900, 980, "light")
		b.Open(t, s.URL+"/"+path)
		b.Shoot(t, filepath.Join(*screenshots, name))
	}
}
