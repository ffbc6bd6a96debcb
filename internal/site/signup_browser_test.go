package site_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/store"
	"threadmill/internal/web"
	"threadmill/templates"
)

// TestSignUpInBrowser signs up by the keyboard alone, through the proof of work
// that the browser finds, to the welcome.
func TestSignUpInBrowser(t *testing.T) {
	b := start(t)
	script := axeScript(t)
	tmpl, err := render.Load(nil, templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "threadmill.db"), quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s := httptest.NewUnstartedServer(nil)
	pub := newsletter.Publication{Title: "The Slow Bench", Language: "en", URL: "http://" + s.Listener.Addr().String(), Accent: "#b4532a", Zone: time.UTC}
	pub.SignUp = pub.URL + "/subscribe"
	tokens := audience.NewTokens(audience.Key{ID: 1, Secret: make([]byte, 32)})
	s.Config.Handler = web.New(web.Options{
		Dir: t.TempDir(), Publication: pub, Templates: func() *render.Templates { return tmpl }, Log: quiet,
		SignUps: audience.NewSignUps(audience.SignUpOptions{Store: db, Tokens: tokens, Within: time.Hour, Proof: 10, Limits: audience.Limits{PerAddress: 3}}),
	})
	s.Start()
	t.Cleanup(s.Close)

	b.check(t, s.URL+"/confirm/no-such-token", script) // with the form
	b.keys(t, `input[name="email"]`, "jo@example.org"+kb.Enter, "Check your mail")
	b.complaints() // the page between says 428
	l, err := db.TakeLetter(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	page := s.URL + "/confirm/" + tokens.SignFor(audience.PurposeConfirm, l.Subscriber, l.CreatedAt.UnixMilli())
	b.check(t, page, script)
	b.keys(t, "main button", kb.Enter, "Welcome")
	if script != "" {
		for _, v := range b.axe(t, script) {
			t.Error(v)
		}
	}
	if sub, err := db.Subscriber(t.Context(), l.Subscriber); err != nil || sub.Status != newsletter.SubscriberActive {
		t.Errorf("they are %+v, %v", sub, err)
	}
}

// keys types into an element of the page in the tab, and waits for the heading
// of the page that it leads to.
func (b *browser) keys(t *testing.T, at chromedp.CSS, keys, heading string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.SendKeys(at, keys)); err != nil {
		t.Fatal(err)
	}
	for {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool](`document.querySelector("h1")?.textContent == "`+heading+`"`))
		if err == nil {
			return
		}
		if ctx.Err() != nil { // else the page went away under the question
			t.Fatalf("no page %q comes: %v; the console says %q", heading, err, b.complaints())
		}
	}
}
