// Package browsertest opens pages in a real Chromium for tests, as a reader
// does: in narrow and wide windows, light and dark, by the keyboard alone and
// without scripts. It knows nothing of what stands in them.
//
// Where Chromium is missing the tests are skipped; where axe-core is, which
// tools/install-test-peers.sh fetches, its part of them.
package browsertest

import (
	"context"
	"fmt"
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
)

// axeVersion is what tools/install-test-peers.sh fetches.
const axeVersion = "4.14.1"

// patience is how long a page may take.
const patience = time.Minute

// Browser is one tab of a real Chromium, with what it complained of.
type Browser struct {
	ctx       context.Context
	script    string // of axe-core, may be empty
	noScripts bool
	mu        sync.Mutex
	bad       []string
}

// Start starts Chromium, or skips the test where there is none. The options are
// beside those of every test.
func Start(t *testing.T, more ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a browser")
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium; on Debian: apt-get install chromium")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(program), chromedp.WSURLReadTimeout(patience))
	if os.Geteuid() == 0 { // Chromium's sandbox refuses root
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), append(options, more...)...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(end)
	b := &Browser{ctx: ctx, script: axeScript(t)}
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	return b
}

// Reach has the browser find a host at a network address, whatever port the
// host's address has.
func Reach(host, address string) chromedp.ExecAllocatorOption {
	return chromedp.Flag("host-resolver-rules", "MAP "+host+" "+address)
}

// hear keeps what stands in red or yellow in the console.
func (b *Browser) hear(event any) {
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

// Complaints returns what the console shows since the last call.
func (b *Browser) Complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	bad := b.bad
	b.bad = nil
	return bad
}

// Open goes to an address.
func (b *Browser) Open(t *testing.T, address string) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
}

// Eval returns what an expression is in the page.
func Eval[T any](t *testing.T, b *Browser, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// Look makes the tab so wide, with a light or dark scheme.
func (b *Browser) Look(t *testing.T, width, height int64, scheme string) {
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

// Fits holds the page in the tab against the width of the tab, which as tells
// of.
func (b *Browser) Fits(t *testing.T, width int64, as string) {
	t.Helper()
	if wide := Eval[int64](t, b, `document.documentElement.scrollWidth`); wide > width {
		t.Errorf("%s: what it shows is %d px wide", as, wide)
	}
}

// Axe returns the rules of WCAG 2.2 AA and of good practice that the page in
// the tab breaks, with the elements at fault.
func (b *Browser) Axe(t *testing.T) []string {
	t.Helper()
	if b.script == "" {
		return nil
	}
	if b.noScripts { // axe-core is one; those of the page had their time
		b.scripts(t, true)
		defer b.scripts(t, false)
	}
	const run = `axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then(r =>
		r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + n.failureSummary).join(" | ")))`
	if err := chromedp.Do(b.ctx, chromedp.Evaluate[chromedp.Void](b.script+";0")); err != nil {
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

// Press opens a page, clicks the button of a form, as a mouse does, and returns
// the heading of the page that answers. The selectors are CSS, since a plain
// string is also looked for in the text of the style sheet, where it is waited for
// in vain.
func (b *Browser) Press(t *testing.T, address string, button chromedp.CSS) string {
	t.Helper()
	b.Open(t, address)
	return b.Click(t, button)
}

// Click is Press in the page that is there.
func (b *Browser) Click(t *testing.T, button chromedp.CSS) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(button)); err != nil {
		t.Fatalf("click %s: %v; the console says %q", button, err, b.Complaints())
	}
	h, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("h1")))
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Check opens a page, and looks at it as Inspect does.
func (b *Browser) Check(t *testing.T, address string) {
	t.Helper()
	b.Open(t, address)
	b.Inspect(t, address)
}

// Inspect looks at the page in the tab, which came from an address, light and
// dark, from the narrowest to a wide window: nothing is wider than the window,
// the console is silent, and axe-core finds nothing.
func (b *Browser) Inspect(t *testing.T, address string) {
	t.Helper()
	for _, width := range []int64{320, 768, 1440} {
		for _, scheme := range []string{"light", "dark"} {
			b.Look(t, width, 900, scheme)
			b.Fits(t, width, fmt.Sprintf("%d px, %s", width, scheme))
			// A scheme changes colours alone and a width places alone, so two looks are enough, and of a thread one.
			if strings.HasSuffix(address, ".xml") {
				continue
			}
			if width == 320 && scheme == "dark" || width == 1440 && scheme == "light" && !strings.Contains(address, "/threads/") {
				for _, v := range b.Axe(t) {
					t.Errorf("%s: %d px, %s: %s", address, width, scheme, v)
				}
			}
		}
	}
	b.quiet(t, address)
}

// quiet holds against the page from an address what the console says.
func (b *Browser) quiet(t *testing.T, address string) {
	t.Helper()
	for _, text := range b.Complaints() {
		// That nothing is at the address is no fault; a document without a link to an icon is asked for one.
		missing := strings.Contains(text, "404") || strings.Contains(text, "400") && strings.Contains(address, "no-such-token")
		if !missing || !strings.Contains(text, address) && !strings.Contains(text, "favicon") {
			t.Errorf("%s: the console says %s", address, text)
		}
	}
}

// Shoot takes a picture of what the window shows.
func (b *Browser) Shoot(t *testing.T, file string) {
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
