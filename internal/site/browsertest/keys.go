package browsertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// maxTabs is more than any page has places to stop at.
const maxTabs = 80

// Tab goes on by the Tab key to an element, which must then show that it is
// where the keys go.
func (b *Browser) Tab(t *testing.T, to string) {
	t.Helper()
	there := fmt.Sprintf(`document.activeElement.matches(%q)`, to)
	for range maxTabs {
		b.Type(t, kb.Tab)
		if Eval[bool](t, b, there) {
			const seen = `(s => document.activeElement.matches(":focus-visible") && s.outlineStyle != "none" && parseFloat(s.outlineWidth) >= 1)(getComputedStyle(document.activeElement))`
			if !Eval[bool](t, b, seen) {
				t.Errorf("%s does not show that it has the focus", to)
			}
			return
		}
	}
	t.Fatalf("%d times Tab do not lead to %s; the page is %s", maxTabs, to, b.Words(t))
}

// Type presses keys, where the keys go.
func (b *Browser) Type(t *testing.T, keys string) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
		t.Fatal(err)
	}
}

// Fill writes into a field that the mouse chose.
func (b *Browser) Fill(t *testing.T, field chromedp.CSS, text string) {
	t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.SendKeys(field, text)); err != nil {
		t.Fatal(err)
	}
}

// look is how often somebody looks whether a page has come.
const look = 20 * time.Millisecond

// Leave has Await wait for another page than that in the tab, whose heading may
// be the same.
func (b *Browser) Leave(t *testing.T) {
	t.Helper()
	Eval[bool](t, b, `document.left = true`)
}

// Await waits for the page with a heading. It asks from without, since nothing
// waits in a page that runs no scripts.
func (b *Browser) Await(t *testing.T, heading string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	there := fmt.Sprintf(`!document.left && document.readyState == "complete" && document.querySelector("h1")?.textContent == %q`, heading)
	for {
		if came, err := chromedp.Run(ctx, chromedp.Evaluate[bool](there)); err == nil && came {
			return // an error says that the page went away under the question
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no page %q comes; the console says %q", heading, b.Complaints())
		}
	}
}

// Words are what a reader sees of the page.
func (b *Browser) Words(t *testing.T) string {
	t.Helper()
	return strings.Join(strings.Fields(Eval[string](t, b, `document.body.innerText`)), " ")
}

// NoScripts keeps the pages from running any script, as readers do who turn them
// off.
func (b *Browser) NoScripts(t *testing.T) {
	t.Helper()
	b.noScripts = true
	b.scripts(t, false)
}

func (b *Browser) scripts(t *testing.T, run bool) {
	t.Helper()
	err := chromedp.Do(b.ctx, func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !run})
		return chromedp.Void{}, err
	})
	if err != nil {
		t.Fatal(err)
	}
}
