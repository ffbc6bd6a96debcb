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
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/search"
	"threadmill/internal/site"
	"threadmill/internal/store"
	"threadmill/internal/thread"
	"threadmill/internal/web"
	"threadmill/templates"
	"threadmill/threads"
)

// screenshots is a folder. -screenshots ../../docs takes the pictures of the
// README again: go test ./internal/site -run Screenshots -screenshots ../../docs
var screenshots = flag.String("screenshots", "", "take pictures of pages into that `folder`")

// axeVersion is what tools/install-test-peers.sh fetches.
const axeVersion = "4.14.1"

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
	pub.Search = pub.URL + "/search"
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
		Search: db, Audience: audience.New(db, s.tokens),
	})
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// browser is one tab of a real Chromium, with what it complained of.
type browser struct {
	ctx context.Context
	mu  sync.Mutex
	bad []string
}

// start starts Chromium, or skips the test where there is none.
func start(t *testing.T) *browser {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a browser")
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium; on Debian: apt-get install chromium")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 { // Chromium's sandbox refuses root
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	b := &browser{ctx: ctx}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	return b
}

// hear keeps what stands in red or yellow in the console.
func (b *browser) hear(event any) {
	var text string
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		text = "console: " + string(e.Type)
	case *runtime.EventExceptionThrown:
		text = "exception: " + e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			text = fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	}
	if text != "" {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.bad = append(b.bad, text)
	}
}

// complaints returns what the console shows since the last call.
func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	bad := b.bad
	b.bad = nil
	return bad
}

// look makes the tab so wide, with a light or dark scheme.
func (b *browser) look(t *testing.T, width, height int64, scheme string) {
	t.Helper()
	err := chromedp.Do(b.ctx, chromedp.EmulateViewport(width, height), func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fits holds the page in the tab against the width of the tab, which as tells
// of.
func (b *browser) fits(t *testing.T, width int64, as string) {
	t.Helper()
	wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth`))
	if err != nil {
		t.Fatal(err)
	}
	if wide > width {
		t.Errorf("%s: what it shows is %d px wide", as, wide)
	}
}

// axe returns the rules of WCAG 2.2 AA and of good practice that the page in
// the tab breaks, with the elements at fault.
func (b *browser) axe(t *testing.T, script string) []string {
	t.Helper()
	const run = `axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
		r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + n.failureSummary).join(" | ")))`
	if err := chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void](script+";0")); err != nil {
		t.Fatal(err)
	}
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](run, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// axeScript returns the source of axe-core, empty where it is not there.
func axeScript(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(cache, "threadmill", "axe-"+axeVersion+".min.js"))
	if err != nil {
		t.Log("no axe-core, so accessibility is not checked; tools/install-test-peers.sh fetches it")
		return ""
	}
	return string(text)
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
	b := start(t)
	script := axeScript(t)
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
	paths = append(paths, "search", "search?q=a", "search?q=%3F%3F%3F", "search?q="+strings.Repeat("nothing", 28), "unsubscribe/"+s.token, "unsubscribe/no-such-token")
	for _, path := range paths {
		t.Run(path, func(t *testing.T) { b.check(t, s.URL+"/"+path, script) })
	}
	t.Run("unsubscribed", func(t *testing.T) {
		page := s.URL + "/unsubscribe/" + s.token
		if h := b.press(t, page, "button"); h != "You are unsubscribed" {
			t.Errorf("the button leads to %q", h)
		}
		b.check(t, page, script)
	})
	t.Run("searched", func(t *testing.T) {
		if h := b.press(t, s.URL, "form.search button"); h != "Search" {
			t.Errorf("the button leads to %q", h)
		}
	})
}

// press opens a page, clicks the button of a form, as a mouse does, and returns
// the heading of the page that answers. The selectors are CSS, since a plain
// string is also looked for in the text of the style sheet, where it is waited for
// in vain.
func (b *browser) press(t *testing.T, address string, button chromedp.CSS) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(button)); err != nil {
		t.Fatalf("click %s: %v; the console says %q", button, err, b.complaints())
	}
	h, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("h1")))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (b *browser) check(t *testing.T, address, script string) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	for _, width := range []int64{320, 768, 1440} {
		for _, scheme := range []string{"light", "dark"} {
			b.look(t, width, 900, scheme)
			b.fits(t, width, fmt.Sprintf("%d px, %s", width, scheme))
			// A scheme changes colours alone and a width places alone, so two looks are enough, and of a thread one.
			if script == "" || strings.HasSuffix(address, ".xml") {
				continue
			}
			if width == 320 && scheme == "dark" || width == 1440 && scheme == "light" && !strings.Contains(address, "/threads/") {
				for _, v := range b.axe(t, script) {
					t.Errorf("%d px, %s: %s", width, scheme, v)
				}
			}
		}
	}
	for _, text := range b.complaints() {
		// That nothing is at the address is no fault; a document without a link to an icon is asked for one.
		if missing := strings.Contains(text, "404") || strings.Contains(text, "400") && strings.Contains(address, "no-such-token"); !missing || !strings.Contains(text, address) && !strings.Contains(text, "favicon") {
			t.Errorf("the console says %s", text)
		}
	}
}

// TestScreenshots takes the pictures of the README.
func TestScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no -screenshots given")
	}
	b := start(t)
	s := browse(t, threads.FS)
	for name, path := range map[string]string{"archive.png": "", "thread.png": s.entries[2].Path()} {
		b.look(t, 900, 980, "light")
		if err := chromedp.Do(b.ctx, chromedp.Navigate(s.URL+"/"+path)); err != nil {
			t.Fatal(err)
		}
		b.shoot(t, filepath.Join(*screenshots, name))
	}
}

// shoot takes a picture of what the window shows.
func (b *browser) shoot(t *testing.T, file string) {
	t.Helper()
	picture, err := chromedp.Run(b.ctx, func(ctx context.Context, tab *chromedp.Target) ([]byte, error) {
		r, err := cdp.Call(ctx, tab, page.CaptureScreenshot, page.CaptureScreenshotParams{})
		return r.Data, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
