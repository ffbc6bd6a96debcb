package feed

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mmcdole/gofeed"

	"threadmill/internal/newsletter"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var publication = newsletter.Publication{
	Title:       "Small & <quiet> repairs",
	Description: "One thread a week about mending what is < 100 years old.",
	URL:         "https://example.org/letters",
	Language:    "en-GB",
	Author:      newsletter.Person{Name: "Ada Example", Email: "ada@example.org", URL: "https://example.org/ada"},
}

// item is a thread that went out on the given day of March 2026.
func item(slug string, day int, t newsletter.Thread, html string) Item {
	t.Slug = slug
	t.GUID = "tag:example.org,2026:" + slug
	at := time.Date(2026, time.March, day, 9, 0, 0, 0, time.FixedZone("CET", 3600))
	return Item{Entry: newsletter.Entry{Thread: t, PublishedAt: at, UpdatedAt: at}, HTML: html}
}

// sample holds what is hard to carry: control characters, CDATA ends, markup
// in titles, emoji, half a surrogate pair, right-to-left text, empty fields.
func sample() []Item {
	edited := item("shed", 2, newsletter.Thread{
		Title: "Moving a shed", Excerpt: "What three neighbours and a rope can do.",
		Tags: []string{"home", "tools & rope", "home", " "},
	}, "<p>First post, the hook.</p>\n<p><img src=\"https://example.org/letters/threads/shed/a.png\" alt=\"A shed\"></p>")
	edited.UpdatedAt = edited.PublishedAt.Add(50 * time.Hour)
	return []Item{
		item("hard", 30, newsletter.Thread{
			Title:   "Use <b> & AT&T\x00,\nnot ]]>",
			Excerpt: "a < b & \x1bc ]]> d, isn't \"it\"",
			Author:  "Bo <bo@example.org>",
		}, "<p>One ]]> two &amp; three\x0b\ufffe\uffff \xed\xa0\x80 four\r\nfive 🧵 👩‍🔧</p>"),
		item("rtl", 23, newsletter.Thread{
			Title: "مرحبا بالعالم", Excerpt: "نص قصير", Lang: "ar", Tags: []string{"عربي"},
		}, `<div lang="ar" dir="rtl"><p>مرحبا</p></div>`),
		edited,
		item("bare", 1, newsletter.Thread{}, ""),
	}
}

func encode(t *testing.T, pub newsletter.Publication, items []Item) []Encoded {
	t.Helper()
	var list []Encoded
	for _, it := range items {
		e, err := Encode(pub, it)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	return list
}

func build(t *testing.T, pub newsletter.Publication, items []Item) map[string][]byte {
	t.Helper()
	f, err := Build(pub, Document{Paths: PathsOf("")}, encode(t, pub, items))
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{RSSPath: f.RSS, AtomPath: f.Atom, JSONPath: f.JSON}
}

func TestGolden(t *testing.T) {
	archived, err := Build(publication, Document{
		Paths: ArchivePaths(2), Current: PathsOf(""), Older: ArchivePaths(1), Newer: ArchivePaths(3), Complete: true,
	}, encode(t, publication, sample()[2:3]))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "archive-2.xml", archived.RSS)
	golden(t, "archive-2.atom.xml", archived.Atom)
	golden(t, "archive-2.json", archived.JSON)
	tags := newsletter.TagsOf([]newsletter.Entry{sample()[1].Entry, sample()[2].Entry})
	list, err := OPML(publication, tags, "Tags")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "feeds.opml", list)
	for name, items := range map[string][]Item{"sample": sample(), "empty": nil} {
		for path, got := range build(t, publication, items) {
			golden(t, name+"-"+path, got)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestImages: the cover and the pictures of the content, each once, with what is
// known of them.
func TestImages(t *testing.T) {
	it := item("x", 1, newsletter.Thread{Title: "X"}, `<p><img src="https://example.org/b.png?x=1&amp;y" alt="A &lt;b&gt; &amp; c" width="600" height="400">`+
		`<img src="https://example.org/cover.jpg" alt="Cover"><img src="data:image/png;base64,AA"><img src="b.png" width="-1"><img src="https://example.org/plain"></p>`)
	it.Cover = "https://example.org/cover.jpg"
	enc := encode(t, publication, []Item{it})[0]
	for _, want := range []string{
		`<media:content url="https://example.org/cover.jpg" medium="image" type="image/jpeg">`,
		`<media:content url="https://example.org/b.png?x=1&amp;y" medium="image" type="image/png" width="600" height="400">`,
		`<media:description type="plain">A &lt;b&gt; &amp; c</media:description>`,
		`<media:content url="https://example.org/plain" medium="image"></media:content>`,
	} {
		if !bytes.Contains(enc.RSS, []byte(want)) || !bytes.Contains(enc.Atom, []byte(want)) {
			t.Errorf("lacks %s:\n%s", want, enc.RSS)
		}
	}
	if n := bytes.Count(enc.RSS, []byte("<media:content")); n != 3 || !bytes.Contains(enc.JSON, []byte(`"image": "https://example.org/cover.jpg"`)) {
		t.Errorf("%d images:\n%s\n%s", n, enc.RSS, enc.JSON)
	}
	for name, kind := range map[string]string{"A.JPEG": "image/jpeg", "a.svg": "image/svg+xml", "a.avif": "image/avif", "a.pdf": ""} {
		if got := imageType(name); got != kind {
			t.Errorf("type of %s = %q", name, got)
		}
	}
}

// reading is what a feed reader makes of an item.
type reading struct {
	ID, Title, Link, Content, Published string
	Categories                          []string
}

func read(t *testing.T, name string, doc []byte) (*gofeed.Feed, []reading) {
	t.Helper()
	f, err := gofeed.NewParser().Parse(bytes.NewReader(doc))
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, doc)
	}
	var out []reading
	for _, it := range f.Items {
		out = append(out, reading{
			it.GUID, it.Title, it.Link, it.Content,
			it.PublishedParsed.UTC().Format(time.RFC3339), it.Categories,
		})
	}
	return f, out
}

func TestReadersSeeTheSameInAllFormats(t *testing.T) {
	docs := build(t, publication, sample())
	_, want := read(t, JSONPath, docs[JSONPath])
	if got := want[0].ID; got != "tag:example.org,2026:hard" {
		t.Errorf("id = %q", got)
	}
	if got := want[0].Title; got != "Use <b> & AT&T, not ]]>" {
		t.Errorf("title = %q", got)
	}
	if got := want[0].Content; got != "<p>One ]]> two &amp; three  four\nfive 🧵 👩‍🔧</p>" {
		t.Errorf("content = %q", got)
	}
	if got := want[3].Title; got != "https://example.org/letters/threads/bare/" {
		t.Errorf("title of a thread without text = %q", got)
	}
	for _, path := range []string{RSSPath, AtomPath} {
		feed, got := read(t, path, docs[path])
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s against %s (-json +xml):\n%s", path, JSONPath, diff)
		}
		if feed.FeedLink != "https://example.org/letters/"+path {
			t.Errorf("%s: self link = %q", path, feed.FeedLink)
		}
		if feed.Title != publication.Title || feed.Language != "en-GB" {
			t.Errorf("%s: title %q, language %q", path, feed.Title, feed.Language)
		}
	}
}

func TestBuildIsAFunctionOfItsInput(t *testing.T) {
	first := build(t, publication, sample())
	if diff := cmp.Diff(first, build(t, publication, sample())); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeRefusesWhatReadersWouldRepeat(t *testing.T) {
	noGUID := sample()[0]
	noGUID.GUID = ""
	noTime := sample()[0]
	noTime.PublishedAt = time.Time{}
	for name, it := range map[string]Item{"no guid": noGUID, "no time": noTime} {
		if _, err := Encode(publication, it); err == nil || !strings.Contains(err.Error(), "AT&T") {
			t.Errorf("%s: err = %v, want one that names the thread", name, err)
		}
	}
}

func TestUpdatedIsTheNewestChange(t *testing.T) {
	items := sample()
	items[2].UpdatedAt = time.Date(2026, time.April, 5, 1, 2, 3, 999, time.UTC)
	items[0].UpdatedAt = items[0].PublishedAt.Add(-time.Hour)
	docs := build(t, publication, items)
	for path, want := range map[string]string{
		RSSPath:  "<lastBuildDate>Sun, 05 Apr 2026 01:02:03 +0000</lastBuildDate>",
		AtomPath: "<updated>2026-04-05T01:02:03Z</updated>",
		JSONPath: `"date_modified": "2026-03-30T08:00:00Z"`, // never before it was published
	} {
		if !bytes.Contains(docs[path], []byte(want)) {
			t.Errorf("%s lacks %s", path, want)
		}
	}
}

// TestRules holds the rules of the W3C feed validator and the RSS profile that
// gorilla/feeds breaks when it is left alone.
func TestRules(t *testing.T) {
	docs := build(t, publication, sample())
	for path, absent := range map[string][]string{
		RSSPath:  {"<author>", "<source>", "<title></title>", "<description></description>", "Use &lt;", "isPermaLink=\"true\"", "ada@example.org"},
		AtomPath: {"<category>", "<updated></updated>", "<title></title>", "urn:uuid"},
		JSONPath: {`"author":`, `"size":`, `\u003c`},
	} {
		for _, s := range absent {
			if bytes.Contains(docs[path], []byte(s)) {
				t.Errorf("%s holds %s", path, s)
			}
		}
	}
	rss := string(docs[RSSPath])
	if strings.Index(rss, "<description>a ") > strings.Index(rss, "<content:encoded>") {
		t.Error("RSS: content stands before the description")
	}
	for _, s := range []string{"&#x3C;b&#x3E; &#x26; AT&#x26;T", "<ttl>60</ttl>", "<generator>Threadmill</generator>", "a &amp;lt; b"} {
		if !strings.Contains(rss, s) {
			t.Errorf("RSS lacks %s", s)
		}
	}
}

func TestJSONFeedMembers(t *testing.T) {
	for name, items := range map[string][]Item{"sample": sample(), "empty": nil} {
		var doc struct {
			Version, Title string
			Items          []map[string]any
		}
		if err := json.Unmarshal(build(t, publication, items)[JSONPath], &doc); err != nil {
			t.Fatal(err)
		}
		if doc.Version != "https://jsonfeed.org/version/1.1" || doc.Title == "" || doc.Items == nil {
			t.Errorf("%s: version %q, title %q, items %v", name, doc.Version, doc.Title, doc.Items)
		}
		for i, it := range doc.Items {
			id, _ := it["id"].(string)
			if _, ok := it["content_html"].(string); !ok || id == "" {
				t.Errorf("%s: item %d has id %q, content_html %v", name, i, id, it["content_html"])
			}
		}
	}
}

func TestEmptyPublication(t *testing.T) {
	for path, doc := range build(t, newsletter.Publication{URL: "https://example.org"}, sample()) {
		if feed, _ := read(t, path, doc); feed.Title != "example.org" {
			t.Errorf("%s: title = %q, want the host", path, feed.Title)
		}
	}
}

func TestWellFormed(t *testing.T) {
	for _, path := range []string{RSSPath, AtomPath} {
		for name, items := range map[string][]Item{"sample": sample(), "empty": nil} {
			if err := wellFormed(build(t, publication, items)[path]); err != nil {
				t.Errorf("%s of %s: %v", path, name, err)
			}
		}
	}
}

func wellFormed(doc []byte) error {
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestXMLLint(t *testing.T) {
	lint, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not there; it is in the package libxml2-utils")
	}
	docs := build(t, publication, sample())
	for _, path := range []string{RSSPath, AtomPath} {
		cmd := exec.CommandContext(t.Context(), lint, "--noout", "-")
		cmd.Stdin = bytes.NewReader(docs[path])
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", path, err, out)
		}
	}
}

func FuzzBuild(f *testing.F) {
	for _, it := range sample() {
		f.Add(it.GUID, it.Title, it.Excerpt, it.HTML, it.Lang)
	}
	f.Add("id]]>", "\xff\xfe", "&#0;", "<![CDATA[", "\"><")
	f.Fuzz(func(t *testing.T, guid, title, excerpt, html, lang string) {
		it := item("x", 1, newsletter.Thread{Title: title, Excerpt: excerpt, Lang: lang, Tags: []string{title}, Author: excerpt}, html)
		it.GUID = "tag:example.org,2026:" + url.PathEscape(guid) // Atom wants an IRI, and readers normalise others
		docs := build(t, publication, []Item{it})
		for _, path := range []string{RSSPath, AtomPath} {
			if err := wellFormed(docs[path]); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		for path, doc := range docs {
			if _, got := read(t, path, doc); len(got) != 1 || got[0].ID != it.GUID {
				t.Errorf("%s: items = %+v, want the id %q", path, got, it.GUID)
			}
		}
	})
}
