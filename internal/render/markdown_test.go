package render

import (
	"encoding/json"
	"html/template"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"threadmill/internal/colour"
	"threadmill/internal/newsletter"
)

// content renders one post as a feed shows it.
func content(t testing.TB, text string) string {
	t.Helper()
	got, err := Content(publication(), newsletter.Thread{Slug: "x", Posts: []newsletter.Post{{Text: text}}})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestContent(t *testing.T) {
	const page = "https://bench.example.org/news/threads/x/"
	tests := []struct {
		name, text, want string
	}{
		{"line break", "one\ntwo", "<p>one<br>\ntwo</p>"},
		{"heading", "# One\n\n###### Six", "<h2>One</h2>\n<h6>Six</h6>"},
		{"no typography", `"quotes" -- and...`, `<p>&quot;quotes&quot; -- and...</p>`},
		{"tag", "a <b onclick=x()>b</b>", "<p>a &lt;b onclick=x()&gt;b&lt;/b&gt;</p>"},
		{"block of HTML", "<script>\nalert(1)\n</script>", "<p>&lt;script&gt;<br>\nalert(1)<br>\n&lt;/script&gt;</p>"},
		{"comment", "<!-- no\nshow --> shown\n\nafter", "<p>shown</p>\n<p>after</p>"},
		{"comment alone", "<!-- more -->\n\nafter", "<p>after</p>"},
		{"CDATA end", "a ]]> b & c", "<p>a ]]&gt; b &amp; c</p>"},
		{"code", "```go\na < b\n```", "<pre dir=\"ltr\"><code>a &lt; b\n</code></pre>"},
		{"picture", "![A cat](cat.jpg)", `<p><img src="` + page + `cat.jpg" alt="A cat"></p>`},
		{"what looks like a tag, in words for a picture", "![a <y> &lt;\\*b\\* \"q\" `<c>` <https://example.com/>](b.png)", `<p><img src="` + page + `b.png" alt="a &lt;y&gt; &lt;*b* &quot;q&quot; &lt;c&gt; https://example.com/"></p>`},
		{"line break in words for a picture", "![one **two**\nthree](a.png)", `<p><img src="` + page + `a.png" alt="one two three"></p>`},
		{"picture in a folder", "![](<a b/ç.jpg>)", `<p><img src="` + page + `a%20b/%C3%A7.jpg" alt=""></p>`},
		{"picture at the root", "![](/a.jpg)", `<p><img src="https://bench.example.org/a.jpg" alt=""></p>`},
		{"picture elsewhere", "![](//cdn.example/a.jpg)", `<p><img src="https://cdn.example/a.jpg" alt=""></p>`},
		{"picture that is none", "![words](data:image/svg+xml,x)", "<p>words</p>"},
		{"anchor", "[up](#post-1)", `<p><a href="` + page + `#post-1">up</a></p>`},
		{"stray per cent", "[x](https://example.com/100%)", `<p><a href="https://example.com/100%25">x</a></p>`},
		{"script", "[*x*](JavaScript:alert(1))", "<p><em>x</em></p>"},
		{"hidden script", "[x](&#106;avascript:alert(1))", "<p>x</p>"},
		{"script in brackets", "<javascript:alert(1)>", "<p>javascript:alert(1)</p>"},
		{"script behind two references", "[x](&amp;#106;avascript:alert(1))", `<p><a href="` + page + `&amp;#106;avascript:alert(1)">x</a></p>`},
		{"ampersands", `[x](https://example.com/?a=b&amp;c=\*&d "T &amp; U")`, `<p><a href="https://example.com/?a=b&amp;c=*&amp;d" title="T &amp; U">x</a></p>`},
		{"file", "[x](file:///etc/passwd)", "<p>x</p>"},
		{"bare link", "see www.example.com.", `<p>see <a href="http://www.example.com">www.example.com</a>.</p>`},
		{"mail address", "<me@example.org>", `<p><a href="mailto:me@example.org">me@example.org</a></p>`},
		{"control characters", "a\x01b&#2;c\x00d\ufffee\xff", "<p>abcde\ufffd</p>"},
		{"lone surrogate", `&#xD83D; \ud83d`, "<p>\ufffd \\ud83d</p>"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, content(t, tt.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The link definitions of a thread hold in each of its posts, also in one
// that forgot to close its code.
func TestReferences(t *testing.T) {
	thread := newsletter.Thread{
		Slug: "x", References: "[a]: https://example.com/a",
		Posts: []newsletter.Post{{Text: "[a]"}, {Text: "[A][a]\n\n```\ncode"}},
	}
	got, err := Content(publication(), thread)
	if err != nil {
		t.Fatal(err)
	}
	const link = `<p><a href="https://example.com/a">`
	if strings.Count(got, link) != 2 || strings.Contains(got, "[a]:") {
		t.Errorf("content is %s", got)
	}
}

func TestThreadPageMarkup(t *testing.T) {
	e := shed()
	page, err := builtin(t).ThreadPage(publication(), e, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	doc := parseHTML5(t, string(page))
	var ids, alternates []string
	for n := range doc.Descendants() {
		switch {
		case n.Data == "section":
			ids = append(ids, attr(n, "id"))
		case n.Data == "link" && attr(n, "rel") == "alternate":
			alternates = append(alternates, attr(n, "type")+" "+attr(n, "href"))
		case n.Data == "script" && attr(n, "type") != "application/ld+json":
			t.Error("the page holds a script")
		}
	}
	wantIDs := []string{"post-1", "post-2", "post-3", "post-4", "post-5", "post-6", "post-7", "post-8"}
	if diff := cmp.Diff(wantIDs, ids); diff != "" {
		t.Errorf("anchors (-want +got):\n%s", diff)
	}
	wantFeeds := []string{"application/rss+xml ../../feed.xml", "application/atom+xml ../../atom.xml", "application/feed+json ../../feed.json"}
	if diff := cmp.Diff(wantFeeds, alternates); diff != "" {
		t.Errorf("feeds (-want +got):\n%s", diff)
	}
	meta := func(key, want string) {
		n := find(doc, "meta", func(n *html.Node) bool { return attr(n, "property") == key })
		if n == nil || attr(n, "content") != want {
			t.Errorf("%s is not %s", key, want)
		}
	}
	meta("og:url", "https://bench.example.org/news/threads/moving-a-shed/")
	meta("og:type", "article")
	meta("og:image", "https://bench.example.org/news/threads/moving-a-shed/rollers%201.jpg")
	meta("article:published_time", "2026-01-05T11:00:00+02:00")
	hebrew := find(doc, "p", func(n *html.Node) bool { return strings.Contains(inner(n), "לאט") })
	if hebrew == nil || attr(hebrew, "dir") != "auto" {
		t.Error("the Hebrew paragraph does not find its own direction")
	}
	if len(page) > 50_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

func TestUnsubscribePage(t *testing.T) {
	tmpl := builtin(t)
	tests := []struct {
		name    string
		page    Unsubscribe
		heading string
		form    bool
	}{
		{"question", Unsubscribe{Action: "/u/1?a=b&c=d", Email: "r…@example.net"}, "Unsubscribe?", true},
		{"done", Unsubscribe{Action: "/u/1", Email: "r…@example.net", Done: true}, "You are unsubscribed", false},
		{"invalid", Unsubscribe{Invalid: true}, "This link does not work", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			page, err := tmpl.UnsubscribePage(publication(), tt.page)
			if err != nil {
				t.Fatal(err)
			}
			doc := parseHTML5(t, string(page))
			if h := find(doc, "h1", nil); h == nil || inner(h) != tt.heading {
				t.Errorf("heading is not %q", tt.heading)
			}
			form := find(doc, "form", nil)
			if (form != nil) != tt.form {
				t.Errorf("form is there: %v", form != nil)
			}
			if form != nil && (attr(form, "action") != tt.page.Action || attr(form, "method") != "post") {
				t.Errorf("form goes to %q by %q", attr(form, "action"), attr(form, "method"))
			}
		})
	}
}

// What the author and the reader give is text, wherever it stands.
func TestEscaping(t *testing.T) {
	const bad = `"><script>alert(1)</script>`
	pub, e := publication(), kettle()
	pub.Title, pub.Description, pub.Author.Name, pub.Accent, pub.Address = bad, bad, bad, "red;}"+bad, bad
	pub.Author.Bio, pub.Author.URL, pub.About, pub.Search = bad, "javascript:"+bad, "# "+bad+"\n\n"+bad, "javascript:"+bad
	e.Title, e.Excerpt, e.Author, e.Lang, e.Tags, e.Origin, e.Images = bad, bad, bad, bad, []string{bad}, "javascript:"+bad, []string{"javascript:x"}
	e.Posts[0].Text = bad
	tmpl, issue := builtin(t), newsletter.Issue{Number: 1, Title: bad, Threads: []newsletter.Thread{e.Thread, e.Thread}}
	mail, err := tmpl.Mail(pub, issue, Recipient{Email: bad, Name: bad, UnsubscribeURL: "javascript:" + bad})
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{"mail": mail.HTML}
	for name, render := range map[string]func() ([]byte, error){
		"thread":  func() ([]byte, error) { return tmpl.ThreadPage(pub, e, &e, &e) },
		"archive": func() ([]byte, error) { return tmpl.ArchivePage(pub, Listing{Entries: []newsletter.Entry{e}}) },
		"issue":   func() ([]byte, error) { return tmpl.IssuePage(pub, issue, []newsletter.Entry{e}) },
		"unsubscribe": func() ([]byte, error) {
			return tmpl.UnsubscribePage(pub, Unsubscribe{Action: "javascript:x", Email: bad})
		},
		"404": func() ([]byte, error) { return tmpl.NotFoundPage(pub) },
		"tag": func() ([]byte, error) {
			return tmpl.TagPage(pub, newsletter.Tag{Name: bad, Path: newsletter.TagPath(bad)}, Listing{Entries: []newsletter.Entry{e}})
		},
		"tags":      func() ([]byte, error) { return tmpl.TagsPage(pub, newsletter.TagsOf([]newsletter.Entry{e})) },
		"about":     func() ([]byte, error) { return tmpl.AboutPage(pub) },
		"subscribe": func() ([]byte, error) { return tmpl.SubscribePage(pub, "", true) },
		"privacy":   func() ([]byte, error) { return tmpl.PrivacyPage(pub, Privacy{Mail: true, Relay: bad}) },
	} {
		page, err := render()
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = string(page)
	}
	for name, page := range pages {
		for n := range parseHTML5(t, page).Descendants() {
			if n.Data == "script" && (attr(n, "type") != "application/ld+json" || !json.Valid([]byte(inner(n)))) {
				t.Errorf("%s holds a script: %s", name, inner(n))
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Val, "javascript:") {
					t.Errorf("%s holds %s=%q", name, a.Key, a.Val)
				}
			}
		}
	}
}

func TestDirection(t *testing.T) {
	for tag, want := range map[string]string{
		"ar": "rtl", "he-IL": "rtl", "fa": "rtl", "ur_PK": "rtl", "YI": "rtl", "pa-Arab": "rtl", "az-Arab-IR": "rtl",
		"en": "ltr", "ar-Latn": "ltr", "": "ltr", "ja": "ltr", "pt-BR": "ltr", "uz-Cyrl": "ltr",
	} {
		if got := direction(tag); got != want {
			t.Errorf("direction(%q) = %s, want %s", tag, got, want)
		}
	}
}

func TestAccents(t *testing.T) {
	for hex, want := range map[string][2]string{
		"#b4532a": {"#b4532a", "#bd6844"},
		"#ff0":    {"#757500", "#ffff00"},
		"#000000": {"#000000", "#808080"},
		"red":     {"#b4532a", "#bd6844"},
		"":        {"#b4532a", "#bd6844"},
		"#zzzzzz": {"#b4532a", "#bd6844"},
	} {
		p := PaletteOf(newsletter.Publication{Accent: hex})
		if got := [2]string{string(p.Accent), string(p.AccentDark)}; got != want {
			t.Errorf("the accents of %q are %v, want %v", hex, got, want)
		}
	}
}

// What is derived can be read, whatever the ground.
func TestPalette(t *testing.T) {
	if p := PaletteOf(newsletter.Publication{}); p.Ground != "#fdfcfa" || p.Quiet != "#6b665f" || p.HairDark != "#322f2b" {
		t.Errorf("the colours of a publication that names none are %+v", p)
	}
	for _, c := range []newsletter.Colors{
		{Ground: "#ffffff", Ink: "#000000", GroundDark: "#000000", InkDark: "#ffffff"},
		{Ground: "#ffffff", Ink: "#767676", GroundDark: "#1a1a2e", InkDark: "#8888aa"},
		{Ground: "#101020", Ink: "#e0e0ff"},
		{InkDark: "#ffcc00"},
	} {
		p := PaletteOf(newsletter.Publication{Colors: c, Accent: "#777777"})
		for _, pair := range [][2]template.CSS{
			{p.Ink, p.Ground},
			{p.Quiet, p.Ground},
			{p.Accent, p.Ground},
			{p.InkDark, p.GroundDark},
			{p.QuietDark, p.GroundDark},
			{p.AccentDark, p.GroundDark},
		} {
			if got := colour.Contrast(known(string(pair[0])), known(string(pair[1]))); got < colour.Enough {
				t.Errorf("%+v: %s on %s is %.2f:1", c, pair[0], pair[1], got)
			}
		}
	}
}

// Whatever a post holds, a feed gets harmless, legal HTML.
func FuzzContent(f *testing.F) {
	for _, p := range shed().Posts {
		f.Add(p.Text, shed().References)
	}
	f.Add("<a href=javascript:x>&#1;</a>", "[a]: javascript:x")
	f.Add("[a](java\nscript:x) ![a](//x) <javascript:x>", "```")
	elements := []string{
		"html", "head", "body", "p", "a", "em", "strong", "del", "code", "pre", "ul", "ol", "li", "blockquote", "img", "br", "hr",
		"h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "div",
	}
	attributes := []string{"href", "src", "alt", "title", "dir", "start", "align", "lang"}
	f.Fuzz(func(t *testing.T, text, references string) {
		thread := newsletter.Thread{Slug: "x", Posts: []newsletter.Post{{Text: text}}, References: references}
		got, err := Content(publication(), thread)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(got, illegal) {
			t.Errorf("content holds a character that XML forbids: %q", got)
		}
		for n := range parseHTML5(t, got).Descendants() {
			if n.Type == html.CommentNode || n.Type == html.ElementNode && !slices.Contains(elements, n.Data) {
				t.Errorf("content holds <%s>: %q", n.Data, got)
			}
			for _, a := range n.Attr {
				address := a.Key == "href" || a.Key == "src"
				if !slices.Contains(attributes, a.Key) || address && !slices.Contains([]string{"http", "https", "mailto", "tel"}, scheme(a.Val)) {
					t.Errorf("content holds %s=%q", a.Key, a.Val)
				}
			}
		}
	})
}
