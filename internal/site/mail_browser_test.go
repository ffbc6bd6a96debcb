package site_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/site/browsertest"
	"threadmill/internal/thread"
	"threadmill/templates"
	"threadmill/threads"
)

// post is the HTML of sample mails, as their recipients get it.
type post struct {
	*httptest.Server
	mails map[string][]byte
}

// styleBlock is what many mail programs take away.
var styleBlock = regexp.MustCompile(`(?s)<style>.*</style>`)

// ServeHTTP shows the mail of that name: with ?bare without its style block, with
// ?blocked without its pictures.
func (p *post) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	html, ok := p.mails[strings.Trim(r.URL.Path, "/")]
	if !ok {
		found, _ := fs.Glob(threads.FS, "*/"+path.Base(r.URL.Path))
		if len(found) == 0 {
			http.NotFound(w, r)
			return
		}
		http.ServeFileFS(w, r, threads.FS, found[0])
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.URL.RawQuery == "blocked" {
		w.Header().Set("Content-Security-Policy", "img-src 'none'")
	}
	if r.URL.RawQuery == "bare" {
		html = styleBlock.ReplaceAll(html, nil)
	}
	_, _ = w.Write(html)
}

// postOf composes the mails of the samples, a digest, and one to somebody with a
// name that is long.
func postOf(t *testing.T, more ...newsletter.Thread) *post {
	t.Helper()
	p := &post{mails: map[string][]byte{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	dir := t.TempDir()
	if err := os.CopyFS(dir, threads.FS); err != nil {
		t.Fatal(err)
	}
	folder, err := thread.Reader{Dir: dir, Label: "threads"}.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("Bartholomew ", 25)
	for _, th := range append(folder.Threads, more...) {
		p.mails[th.Slug] = p.compose(t, "Ada", th)
	}
	p.mails["digest"] = p.compose(t, "", folder.Threads[:5]...)
	p.mails["long-name"] = p.compose(t, long, folder.Threads[0])
	return p
}

// compose makes a mail as the program does, and returns the HTML in it.
func (p *post) compose(t *testing.T, name string, list ...newsletter.Thread) []byte {
	t.Helper()
	tmpl, err := render.Load(nil, templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	issue := newsletter.Issue{Number: 1, Title: list[0].Title, PublishedAt: at, Next: at.AddDate(0, 0, 7), Threads: list}
	for i := range issue.Threads {
		issue.Threads[i] = pictured(issue.Threads[i])
	}
	pub := newsletter.Publication{
		Title: "The Slow Bench", URL: p.URL, Language: "en", Accent: "#b4532a", Zone: time.UTC, Address: "12 Mill Lane, Sheffield",
	}
	slots := mail.NewSlots()
	m, err := tmpl.Mail(pub, issue, render.Recipient{Email: slots.Email, Name: slots.Name, UnsubscribeURL: slots.UnsubscribeURL, Joined: slots.Joined})
	if err != nil {
		t.Fatal(err)
	}
	letter, err := mail.Compose(mail.Letter{From: netmail.Address{Address: "bench@example.org"}, Subject: m.Subject, HTML: m.HTML, Text: m.Text}, slots)
	if err != nil {
		t.Fatal(err)
	}
	source := letter.Append(nil, mail.Recipient{
		Email: "ada@example.org", Name: name, UnsubscribeURL: p.URL + "/unsubscribe/token", Joined: "4 March 2025", Date: at,
	})
	return htmlOf(t, source)
}

// pictured gives the pictures of a thread a size.
func pictured(th newsletter.Thread) newsletter.Thread {
	th.Pictures = map[string]newsletter.Picture{}
	for _, name := range th.Assets {
		th.Pictures[name] = newsletter.Picture{Lasting: name, Files: []newsletter.PictureFile{{Name: name, Width: 1200, Height: 900}}}
	}
	return th
}

// htmlOf returns the HTML of a mail.
func htmlOf(t *testing.T, source []byte) []byte {
	t.Helper()
	e, err := message.Read(bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	var html []byte
	err = e.Walk(func(_ []int, part *message.Entity, err error) error {
		if kind, _, _ := part.Header.ContentType(); err == nil && kind == "text/html" {
			html, err = io.ReadAll(part.Body)
		}
		return err
	})
	if err != nil || len(html) == 0 {
		t.Fatalf("the mail has no HTML: %v", err)
	}
	return html
}

// TestMailInBrowser opens every kind of mail in Chromium as mail programs show
// it: in narrow and wide panes, light and dark, without its pictures, and without
// its style block. Nothing is wider than the pane, what must be seen is seen, and
// axe-core finds nothing.
func TestMailInBrowser(t *testing.T) {
	b := browsertest.Start(t)
	p := postOf(t, slices.DeleteFunc(threadsOfEveryKind(t), func(th newsletter.Thread) bool { return strings.HasPrefix(th.Slug, "filler") })...)
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range p.mails {
			if !yield(name) {
				return
			}
		}
	}) {
		t.Run(name, func(t *testing.T) {
			for _, as := range []string{"", "blocked", "bare"} {
				checkMail(t, b, p.URL+"/"+name+"?"+as, as)
			}
		})
	}
}

// unseen tells what a reader must see and cannot: the title, every post with its
// words, and at the foot what the law and good manners ask for.
const unseen = `(() => {
	const shown = e => e && e.checkVisibility({opacityProperty: true, visibilityProperty: true}) && e.getBoundingClientRect().width > 0;
	const bad = [];
	const want = (what, e) => shown(e) || bad.push(what);
	want("h1", document.querySelector("h1"));
	const posts = document.querySelectorAll("td.ink");
	if (posts.length == 0) bad.push("posts");
	posts.forEach((p, i) => want("post " + (i + 1), p));
	document.querySelectorAll("img").forEach(i => i.hasAttribute("alt") && i.width <= 552 || bad.push(i.outerHTML));
	const foot = document.querySelector("td.foot");
	want("foot", foot);
	for (const words of ["Read on the web", "Next issue: Monday 9 March", "You signed up on 4 March 2025 at 127.0.0.1.", "Unsubscribe", "Was this forwarded to you? Sign up", "12 Mill Lane"])
		foot && foot.innerText.includes(words) || bad.push(words);
	if (shown(document.querySelector(".preheader"))) bad.push("the preheader is seen");
	return bad;
})()`

func checkMail(t *testing.T, b *browsertest.Browser, address, as string) {
	t.Helper()
	b.Open(t, address)
	for _, width := range []int64{320, 600, 1200} {
		for _, scheme := range []string{"light", "dark"} {
			b.Look(t, width, 900, scheme)
			b.Fits(t, width, fmt.Sprintf("%s, %d px, %s", as, width, scheme))
			// Widths change places alone, and pictures nothing that it looks at.
			if width == 320 && scheme == "dark" && as != "blocked" || width == 1200 && scheme == "light" && as == "" {
				for _, v := range b.Axe(t) {
					t.Errorf("%s, %d px, %s: %s", as, width, scheme, v)
				}
			}
		}
	}
	for _, what := range browsertest.Eval[[]string](t, b, unseen) {
		t.Errorf("%s: not as it should be seen: %s", as, what)
	}
	for _, text := range b.Complaints() {
		if !strings.Contains(text, "favicon") && as != "blocked" {
			t.Errorf("%s: the console says %s", as, text)
		}
	}
}

// TestMailScreenshots takes the pictures of the mail for the README.
func TestMailScreenshots(t *testing.T) {
	if *screenshots == "" {
		t.Skip("no -screenshots given")
	}
	b := browsertest.Start(t)
	p := postOf(t)
	for _, scheme := range []string{"light", "dark"} {
		b.Look(t, 760, 980, scheme)
		b.Open(t, p.URL+"/"+"round-things-that-are-no-circles")
		b.Shoot(t, filepath.Join(*screenshots, "mail-"+scheme+".png"))
	}
}
