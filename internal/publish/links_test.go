package publish_test

import (
	"regexp"
	"strings"
	"testing"

	"threadmill/internal/newsletter"
)

// linking is a thread that names others in every way.
const linking = `First [a shed](2024-01-02-t1.md "Its title"), then [[t1|its twin]] and [its end](2024-01-02-t1.md#post-2).

---

[By name][it], [[nobody]], [outside](https://example.com/threads/t1/), ![[sketch.png]], ![[missing.png|A sketch]], ![[t1]].

Code: ` + "`[[t1]]`" + `

[it]: ./2024-01-02-t1.md
`

// mailOf is the mail of an issue as everybody gets it.
func (d *desk) mailOf(number int64) string {
	d.t.Helper()
	sent, err := d.AsSent(d.t.Context(), number)
	if err != nil {
		d.t.Fatal(err)
	}
	return sent.HTML + sent.Text
}

// A link to another thread leads to its page from the time on at which that is
// out, in pages and feeds; before it is plain text, and the author is told.
func TestLinksBetweenThreads(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(2)
	d.subscribers(1)
	d.write("threads/2024-01-01-t0.md", linking)
	d.now()
	d.writeSite()
	const page, feed = "public/threads/t0/index.html", "public/atom.xml"
	before := d.read(page)
	for _, want := range []string{
		"First a shed, then its twin and its end.", "By name, nobody,", `<a href="https://example.com/threads/t1/">outside</a>`,
		"sketch.png, missing.png, t1.", "<code>[[t1]]</code>",
	} {
		wantContains(t, "page before", before, want)
	}
	wantContains(t, "feed before", d.read(feed), "First a shed, then its twin")
	c, err := d.Catalogue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, p := range append(c.Unlinked, c.Problems...) {
		told = append(told, p.String())
	}
	for _, want := range []string{
		`threads/2024-01-01-t0.md:1: warning: link to "2024-01-02-t1.md": not published yet: plain text until then`,
		`threads/2024-01-01-t0.md:1: warning: link to "t1": not published yet: plain text until then`,
		`threads/2024-01-01-t0.md:5: warning: link to "nobody": there is no such thread: the link is left out`,
		`threads/2024-01-01-t0.md:5: warning: picture missing.png: file does not exist: put it beside the file; plain text until then`,
		`threads/2024-01-01-t0.md:5: warning: ![[t1]]: only pictures are shown in a thread, this is plain text`,
	} {
		wantContains(t, "warnings", strings.Join(told, "\n"), want)
	}

	updated := regexp.MustCompile(`<updated>([^<]*)</updated>\s*<id>[^<]*t0</id>`)
	when := updated.FindStringSubmatch(d.read(feed))
	d.now()
	d.writeSite()
	for _, want := range []string{
		`First <a href="../t1/" title="Its title">a shed</a>, then <a href="../t1/">its twin</a> and <a href="../t1/#post-2">its end</a>.`,
		`<a href="../t1/">By name</a>, nobody,`,
	} {
		wantContains(t, "page after", d.read(page), want)
	}
	for _, file := range []string{"public/index.html", "public/feed.xml", "public/feed.json", feed} {
		wantContains(t, file, strings.ReplaceAll(d.read(file), "\\", ""), `https://example.com/threads/t1/`)
	}
	wantContains(t, "feed after", d.read(feed), `https://example.com/threads/t1/#post-2`)
	if after := updated.FindStringSubmatch(d.read(feed)); len(when) < 2 || len(after) < 2 || when[1] != after[1] {
		t.Errorf("updated in the feed was %q and is %q", when, after)
	}
	if strings.Contains(d.read(page), "Corrected") {
		t.Error("a link that came alive counts as a correction")
	}

	if _, err := d.store.WithdrawIssue(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	d.writeSite()
	if got := d.read(page); got != before {
		t.Error("the page still links to what was withdrawn")
	}
}

// A link follows the address of the thread that it leads to.
func TestLinkFollowsSlug(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(2)
	d.write("threads/2024-01-02-t1.md", "Back to [[2024-01-01-t0]], in the second thread of all.")
	d.now()
	d.now()
	d.writeSite()
	d.write("threads/2024-01-01-t0.md", "---\nslug: another\n---\n"+text(0))
	d.writeSite()
	wantContains(t, "page", d.read("public/threads/t1/index.html"), `<a href="../another/">2024-01-01-t0</a>`)
	d.rename("threads/2024-01-01-t0.md", "t0.md")
	d.writeSite()
	wantContains(t, "page of one that links to a lost file", d.read("public/threads/t1/index.html"), `<a href="../another/">`)
}

// A mail links to what is out when it goes: the issue itself too.
func TestLinksInMail(t *testing.T) {
	d := newDesk(t, settings{perIssue: 2})
	d.subscribers(1)
	d.threads(3)
	d.write("threads/2024-01-01-t0.md", "To [[t1]], to [myself](2024-01-01-t0.md#post-1) and [[t2|one to come]] from here.")
	d.write("threads/2024-01-02-t1.md", "The second one, by a reference to [[t0]] and with enough words.")
	if got := d.now(); got != "2024-01-01-t0 2024-01-02-t1" {
		t.Fatal(got)
	}
	mail := d.mailOf(1)
	for _, want := range []string{
		`<a href="https://example.com/threads/t1/"`, `<a href="https://example.com/threads/t0/#post-1"`, `<a href="https://example.com/threads/t0/"`,
		"and one to come from here.", "To t1 [1], to myself [2] and one to come from", "[1] https://example.com/threads/t1/",
	} {
		wantContains(t, "mail", mail, want)
	}
	c, err := d.Catalogue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if one, err := c.Find("2024-01-01-t0"); err != nil || one.State(one.OutAt) != newsletter.ThreadSent {
		t.Errorf("%+v %v", one, err)
	}
}

// A picture that stands in the text as Obsidian has it is shown, in every
// place, where it is beside the thread.
func TestEmbeddedPicture(t *testing.T) {
	d := newDesk(t, settings{})
	d.subscribers(1)
	d.write("threads/one/my sketch.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"/>")
	d.write("threads/one/index.md", "Look here: ![[my sketch.svg|A sketch]] and ![[my sketch.svg|300]] are two.")
	d.now()
	d.writeSite()
	page := d.read("public/threads/one/index.html")
	if n := strings.Count(page, "<img "); n != 2 || strings.Contains(page, "wikilink") || strings.Contains(page, "300") {
		t.Errorf("%d pictures on the page: %s", n, page)
	}
	wantContains(t, "page", page, ` alt="A sketch"`)
	wantContains(t, "feed", d.read("public/atom.xml"), `https://example.com/threads/one/my%20sketch.svg`)
	wantContains(t, "mail", d.mailOf(1), `src="https://example.com/threads/one/my%20sketch.svg"`)
	if problems := d.states(); len(problems) != 1 {
		t.Errorf("states %v", problems)
	}
}
