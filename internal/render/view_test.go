package render

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"threadmill/internal/newsletter"
)

func TestDates(t *testing.T) {
	kyoto := time.FixedZone("JST", 9*60*60)
	late := time.Date(2024, time.December, 31, 23, 30, 0, 0, time.UTC)
	tests := []struct {
		name         string
		zone         *time.Location
		written, out time.Time
		want         [3]string // Date, DateTime, Published
	}{
		{"in the zone", kyoto, late, late, [3]string{"1 January 2025", "2025-01-01T08:30:00+09:00", ""}},
		{"no zone", nil, late, late, [3]string{"31 December 2024", "2024-12-31T23:30:00Z", ""}},
		{"went out later", time.UTC, late, late.AddDate(1, 0, 0), [3]string{"31 December 2024", "2024-12-31T23:30:00Z", "31 December 2025"}},
		{"same day", time.UTC, late, late.Add(10 * time.Minute), [3]string{"31 December 2024", "2024-12-31T23:30:00Z", ""}},
		{"no date of its own", time.UTC, time.Time{}, late, [3]string{"31 December 2024", "2024-12-31T23:30:00Z", ""}},
		{"not out yet", time.UTC, late, time.Time{}, [3]string{"31 December 2024", "2024-12-31T23:30:00Z", ""}},
		{"nothing known", time.UTC, time.Time{}, time.Time{}, [3]string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := builtin(t).threadView(newsletter.Publication{Zone: tt.zone}, newsletter.Thread{Date: tt.written}, tt.out, "")
			if diff := cmp.Diff(tt.want, [3]string{v.Date, v.DateTime, v.Published}); diff != "" {
				t.Errorf("dates (-want +got):\n%s", diff)
			}
		})
	}
}

// The quiet line stands over every thread, on pages and in mails alike.
func TestQuietLine(t *testing.T) {
	tmpl, pub, e := builtin(t), publication(), shed()
	const want = "18 December 2024 • 8 posts • 3 min read"
	mail, err := tmpl.Mail(pub, single(), reader())
	if err != nil {
		t.Fatal(err)
	}
	page, err := tmpl.ThreadPage(pub, e, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := tmpl.ArchivePage(pub, Listing{Entries: []newsletter.Entry{e}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"mail": mail.HTML, "page": string(page), "archive": string(archive)} {
		quiet := find(parseHTML5(t, text), "p", func(n *html.Node) bool { return inner(n) == want })
		if quiet == nil || attr(quiet, "class") != "quiet" {
			t.Errorf("%s lacks the line %s", name, want)
		}
	}
	if !strings.Contains(mail.Text, "\n"+want+"\n") {
		t.Errorf("text lacks the line %s", want)
	}
}

func TestArchiveMarkup(t *testing.T) {
	page, err := builtin(t).ArchivePage(publication(), Listing{Entries: []newsletter.Entry{shed(), gate(), kettle()}})
	if err != nil {
		t.Fatal(err)
	}
	var links, directions []string
	for n := range parseHTML5(t, string(page)).Descendants() {
		switch n.Data {
		case "h2":
			links = append(links, attr(find(n, "a", nil), "href")+" "+inner(n))
		case "article":
			directions = append(directions, attr(n, "lang")+" "+attr(n, "dir"))
		}
	}
	want := []string{
		"./threads/moving-a-shed/ Moving a shed with three neighbours & a rope", "./threads/gate/ השער הישן", "./threads/kettle/ Why a kettle sings",
	}
	if diff := cmp.Diff(want, links); diff != "" {
		t.Errorf("threads (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"en ltr", "he rtl", "en ltr"}, directions); diff != "" {
		t.Errorf("languages (-want +got):\n%s", diff)
	}
}

// Headings of posts stand below those of the place, without a gap.
func TestHeadingLevels(t *testing.T) {
	tmpl, e := builtin(t), shed()
	issue := single()
	issue.Threads = append(issue.Threads, gate().Thread)
	one, err := tmpl.Mail(publication(), single(), reader())
	if err != nil {
		t.Fatal(err)
	}
	two, err := tmpl.Mail(publication(), issue, reader())
	if err != nil {
		t.Fatal(err)
	}
	page, err := tmpl.IssuePage(publication(), issue, []newsletter.Entry{e, gate()})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, tag string }{
		{"mail", one.HTML, "h2"}, {"digest", two.HTML, "h3"}, {"page of an issue", string(page), "h3"},
	} {
		if h := find(parseHTML5(t, tt.text), tt.tag, nil); h == nil || inner(h) != "The sum" {
			t.Errorf("%s: the post's heading is no <%s>", tt.name, tt.tag)
		}
	}
}

// Many mail programs drop the style block, so each element has its own style.
func TestMailStyles(t *testing.T) {
	mail, err := builtin(t).Mail(publication(), single(), reader())
	if err != nil {
		t.Fatal(err)
	}
	doc := parseHTML5(t, mail.HTML)
	for _, tag := range []string{"p", "a", "ul", "ol", "li", "blockquote", "pre", "img", "h3", "th"} {
		for n := range doc.Descendants() {
			if n.Type == html.ElementNode && n.Data == tag && attr(n, "style") == "" {
				t.Errorf("<%s> of %q has no style", tag, inner(n))
			}
		}
	}
	right := find(doc, "td", func(n *html.Node) bool { return inner(n) == "900" })
	if right == nil || !strings.HasSuffix(attr(right, "style"), ";text-align:right") {
		t.Error("a column that is aligned to the right is not in the mail")
	}
	task := find(doc, "li", func(n *html.Node) bool { return strings.HasPrefix(inner(n), "☑") })
	if task == nil || !strings.HasSuffix(attr(task, "style"), ";list-style:none") {
		t.Error("a task has a bullet beside its box")
	}
}

func TestRightToLeftMail(t *testing.T) {
	mail, err := builtin(t).Mail(publication(), newsletter.Issue{Number: 1, Threads: []newsletter.Thread{gate().Thread}}, reader())
	if err != nil {
		t.Fatal(err)
	}
	root := find(parseHTML5(t, mail.HTML), "html", nil)
	if attr(root, "lang") != "he" || attr(root, "dir") != "rtl" {
		t.Errorf("mail in Hebrew has lang %q and dir %q", attr(root, "lang"), attr(root, "dir"))
	}
	if n := find(root, "a", func(n *html.Node) bool { return inner(n) == "1" }); n == nil || attr(n.Parent, "align") != "left" {
		t.Error("the numbers do not stand towards the line")
	}
}

// Templates are shared by the goroutines of a web server.
func TestTemplatesAreShared(t *testing.T) {
	tmpl, pub := builtin(t), publication()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := tmpl.Mail(pub, digest(), reader()); err != nil {
				t.Error(err)
			}
			if _, err := tmpl.UnsubscribePage(pub, Unsubscribe{Invalid: true}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestOneLine(t *testing.T) {
	for s, want := range map[string]string{
		" a \r\n b\tc ": "a b c", "a\x00b": "a b", "a\xffb": "a\ufffdb", "": "",
	} {
		if got := oneLine(s); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	for s, want := range map[string]string{
		"a\tb\r\nc": "a\tb\r\nc", "a\x00\x1f\x7fb": "ab", "\ufffe\uffff\ufffd": "\ufffd", "a\xed\xa0\xbd": "a\ufffd", "😀": "😀",
	} {
		if got := string(clean([]byte(s))); got != want {
			t.Errorf("clean(%q) = %q, want %q", s, got, want)
		}
	}
}

func TestBounded(t *testing.T) {
	b := bounded{left: 3}
	if n, err := b.Write([]byte("abc")); n != 3 || err != nil {
		t.Errorf("Write up to the bound: %d, %v", n, err)
	}
	if n, err := b.Write([]byte("d")); n != 0 || err == nil {
		t.Errorf("Write past the bound: %d, %v", n, err)
	}
}
