package site_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mmcdole/gofeed"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/site"
	"threadmill/internal/thread"
	"threadmill/internal/web"
	"threadmill/templates"
)

// The tests of this file read the feeds with programs that others wrote, from
// the real server.

// published is a site that is served where its links lead.
type published struct {
	*httptest.Server
	pub  newsletter.Publication
	dir  string
	open *site.Site
}

func serve(t *testing.T) *published {
	t.Helper()
	tmpl, err := render.Load(nil, templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	p := &published{Server: httptest.NewUnstartedServer(nil), dir: filepath.Join(t.TempDir(), "public")}
	p.pub = newsletter.Publication{
		Title: "Small & <quiet> repairs", Description: "About what is < 100 years old.",
		URL: "http://" + p.Listener.Addr().String() + "/letters", Language: "en-GB", Zone: time.UTC,
		Author: newsletter.Person{Name: "Ada Example", URL: "https://example.org/ada"},
	}
	p.Config.Handler = web.New(web.Options{Dir: p.dir, Publication: p.pub, Templates: func() *render.Templates { return tmpl }, Log: slog.New(slog.DiscardHandler)})
	p.Start()
	t.Cleanup(p.Close)
	p.open = site.New(site.Options{Dir: p.dir, Publication: p.pub, Templates: tmpl, Hubs: []string{"https://hub.example.org/"}})
	return p
}

func (p *published) write(t *testing.T, entries []newsletter.Entry) {
	t.Helper()
	if _, err := p.open.Write(t.Context(), site.Content{Entries: entries}); err != nil {
		t.Fatal(err)
	}
}

// files are the names of the files below the site that match a pattern.
func (p *published) files(t *testing.T, match func(name string) bool) []string {
	t.Helper()
	var list []string
	err := fs.WalkDir(os.DirFS(p.dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && match(name) {
			list = append(list, filepath.Join(p.dir, name))
		}
		return err
	})
	if err != nil || len(list) == 0 {
		t.Fatalf("no such files: %v", err)
	}
	return list
}

// kinds are threads of every kind, newest first.
func kinds() []newsletter.Entry {
	sources := []string{
		"No title key here, only a first post.\n",
		"---\ntitle: \"" + strings.Repeat("A very long title ", 30) + "\"\n---\nShort.\n",
		"---\ntitle: 'Use <b> & AT&T, not ]]> or \"quotes\"'\ntags: [C++, 'R&D', Go]\n---\nMarkup in *titles* & <i>text</i>. ]]>\n",
		"---\ntitle: 日本語の題\nlang: ja\ntags: [日本語]\n---\n最初の投稿です。\n\n---\n\n二番目の投稿です。\n",
		"---\ntitle: مرحبا بالعالم\nlang: ar\ntags: [عربي]\n---\nنص قصير مع English inside.\n",
		"---\ntitle: Code and tables\n---\n```go\nif a < b && c > d {\n\treturn \"]]>\"\n}\n```\n\n| a | b |\n|---|--:|\n| 1 < 2 | `x & y` |\n",
		"---\ntitle: Images\nimages: [https://pictures.example.org/cover.jpg]\n---\n![A <shed> & a tree](https://pictures.example.org/a.png)\n\n![](b.jpg)\n",
		"---\ntitle: One post\n---\nOnly one 🧵 👩‍🔧.\n",
		"---\ntitle: Two hundred posts\n---\n" + strings.TrimSuffix(strings.Repeat("A post of a long thread, with [a link](../other/).\n\n---\n\n", 200), "\n---\n\n"),
	}
	var list []newsletter.Entry
	for i, source := range sources {
		th, problems := thread.Parse(fmt.Sprintf("2026-03-%02d-kind-%d.md", 28-i, i), []byte(source), time.UTC)
		for _, p := range problems {
			if p.Severity == newsletter.Error {
				panic(p.String()) // the sources stand above
			}
		}
		at := time.Date(2026, time.March, 28-i, 9, 0, 0, 0, time.UTC)
		th.ID, th.GUID = th.Slug, "tag:example.org,2026:"+th.Slug
		list = append(list, newsletter.Entry{Thread: th, PublishedAt: at, UpdatedAt: at, Issue: int64(len(sources) - i), OutNumber: int64(len(sources) - i)})
	}
	return list
}

func many(n int) []newsletter.Entry {
	list := make([]newsletter.Entry, n)
	for i := range list {
		at := time.Date(2026, time.March, 1, 9, 0, 0, 0, time.UTC).Add(-time.Duration(i) * time.Hour)
		id := fmt.Sprint("thread-", n-i)
		list[i] = newsletter.Entry{
			Thread: newsletter.Thread{
				ID: id, Slug: id, GUID: "tag:example.org,2026:" + id, Title: "Thread " + id, Excerpt: "A post.", Minutes: 1,
				Posts: []newsletter.Post{{Text: "A post & more."}},
			},
			PublishedAt: at, UpdatedAt: at, OutNumber: int64(n - i),
		}
	}
	return list
}

// peer finds a program that a test needs.
func peer(t *testing.T, program, debian string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("%s is not there; it is in the package %s", program, debian)
	}
	return path
}

func run(t *testing.T, env []string, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%.4000s", program, err, out)
	}
	return out
}

func TestFeedsAreValid(t *testing.T) {
	t.Parallel()
	p := serve(t)
	newest := kinds()
	for i := range newest {
		newest[i].OutNumber += 60
	}
	p.write(t, append(newest, many(60)...))
	xml := p.files(t, func(name string) bool {
		return strings.HasSuffix(name, ".xml") || strings.HasSuffix(name, ".opml") || strings.HasSuffix(name, "/feeds")
	})
	atom := p.files(t, func(name string) bool { return strings.HasSuffix(name, "atom.xml") })
	t.Run("xmllint", func(t *testing.T) {
		run(t, nil, peer(t, "xmllint", "libxml2-utils"), append([]string{"--noout"}, xml...)...)
	})
	t.Run("jing", func(t *testing.T) {
		if len(atom) < 6 {
			t.Errorf("only %d Atom documents", len(atom))
		}
		run(t, nil, peer(t, "jing", "jing"), append([]string{"-c", "testdata/atom.rnc"}, atom...)...)
	})
}

// python is the system's own: Debian's packages are for that one.
func python(t *testing.T, module, debian string) string {
	t.Helper()
	const path = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), path, "-c", "import "+module).Run(); err != nil {
		t.Skipf("the module %s of Python is not there; it is in the package %s", module, debian)
	}
	return path
}

// read is a feed as feedparser reads it.
type read struct {
	URL, Bozo, Version string
	Status, Again      int
	Items              []struct {
		ID, Title, Link, Published, Updated, Content string
		Tags                                         []string
	}
}

func (p *published) feedparser(t *testing.T, names ...string) []read {
	t.Helper()
	args := []string{"testdata/read.py"}
	for _, n := range names {
		args = append(args, p.pub.Link(n))
	}
	out := run(t, []string{"no_proxy=*", "PYTHONWARNINGS=ignore"}, python(t, "feedparser", "python3-feedparser"), args...)
	var list []read
	for line := range bytes.Lines(out) {
		var r read
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v: %.200s", err, line)
		}
		list = append(list, r)
	}
	return list
}

func TestFeedparser(t *testing.T) {
	t.Parallel()
	p := serve(t)
	all := kinds()
	p.write(t, all)
	feeds := p.feedparser(t, "feed.xml", "atom.xml", "archive/1.xml", "archive/1.atom.xml", "tags/日本語/feed.xml", "tags/c-plus-plus/atom.xml")
	for i, f := range feeds {
		if f.Bozo != "" || f.Status != http.StatusOK || f.Again != http.StatusNotModified || f.Version != []string{"rss20", "atom10"}[i%2] {
			t.Errorf("%s: bozo %q, %s, status %d and then %d", f.URL, f.Bozo, f.Version, f.Status, f.Again)
		}
		if want := []int{len(all), len(all), len(all), len(all), 1, 1}[i]; len(f.Items) != want {
			t.Fatalf("%s: %d items, want %d", f.URL, len(f.Items), want)
		}
	}
	for i, e := range all {
		rss, atom := feeds[0].Items[i], feeds[1].Items[i]
		if rss.ID != e.GUID || atom.ID != e.GUID || rss.Link != atom.Link || rss.Content != atom.Content || rss.Content == "" {
			t.Errorf("item %d differs: %+v %+v", i, rss, atom)
		}
		if !slices.Equal(rss.Tags, atom.Tags) {
			t.Errorf("tags of item %d: %q and %q", i, rss.Tags, atom.Tags)
		}
	}
	// An edit changes one item, with its time.
	edited := kinds()
	edited[4].Posts[0].Text += " More."
	edited[4].UpdatedAt = edited[4].UpdatedAt.AddDate(0, 0, 7)
	p.write(t, edited)
	after := p.feedparser(t, "feed.xml", "atom.xml")
	for n, f := range after {
		for i := range f.Items {
			same := cmp.Equal(feeds[n].Items[i], f.Items[i])
			if same != (i != 4) || n == 1 && (feeds[n].Items[i].Updated != f.Items[i].Updated) != (i == 4) {
				t.Errorf("%s: item %d after an edit of number 4: %s", f.URL, i, cmp.Diff(feeds[n].Items[i], f.Items[i]))
			}
		}
	}
}

// TestNewsboat: what newsboat has kept stays one item a thread, from RSS and
// Atom together, after edits, other names and a rebuild.
func TestNewsboat(t *testing.T) {
	t.Parallel()
	newsboat, py := peer(t, "newsboat", "newsboat"), python(t, "sqlite3", "python3")
	p := serve(t)
	all := kinds()
	p.write(t, all)
	home := t.TempDir()
	urls, cache, config := filepath.Join(home, "urls"), filepath.Join(home, "cache.db"), filepath.Join(home, "config")
	for name, text := range map[string]string{
		urls:   p.pub.Link("feed.xml") + "\n" + p.pub.Link("atom.xml") + "\n",
		config: "browser true\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	reload := func() []string {
		t.Helper()
		run(t, []string{"TERM=dumb", "HOME=" + home, "no_proxy=*"}, newsboat, "-C", config, "-u", urls, "-c", cache, "-x", "reload")
		return strings.Fields(string(run(t, nil, py, "testdata/newsboat.py", cache)))
	}
	want := reload()
	if len(want) != len(all) {
		t.Errorf("newsboat keeps %d items of %d threads: %q", len(want), len(all), want)
	}
	edited := kinds()
	for i := range edited {
		edited[i].Title += " (edited)"
		edited[i].Slug += "-elsewhere"
		edited[i].File = "other.md"
		edited[i].UpdatedAt = edited[i].UpdatedAt.AddDate(0, 0, 1)
	}
	p.write(t, edited)
	if diff := cmp.Diff(want, reload()); diff != "" {
		t.Error("after edits and other names:", diff)
	}
	if err := os.RemoveAll(p.dir); err != nil {
		t.Fatal(err)
	}
	p.write(t, edited)
	if diff := cmp.Diff(want, reload()); diff != "" {
		t.Error("after a rebuild:", diff)
	}
}

// TestGofeed reads 3,000 threads in all formats, by the links of the served
// documents into the archive: each thread is there exactly once.
func TestGofeed(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 3,000 pages twice")
	}
	t.Parallel()
	const n = 3000
	p := serve(t)
	all := many(n + 1)
	p.write(t, all[1:])
	for _, first := range []string{"feed.xml", "atom.xml", "feed.json"} {
		seen := map[string]int{}
		documents := 0
		for address := p.pub.Link(first); address != ""; documents++ {
			body := p.get(t, address)
			f, err := gofeed.NewParser().ParseString(body)
			if err != nil {
				t.Fatalf("%s: %v", address, err)
			}
			for _, it := range f.Items {
				if documents > 0 { // the current one repeats what is newest
					seen[it.GUID]++
				} else if it.GUID == "" || it.Content == "" {
					t.Errorf("%s: an item without id or content", address)
				}
			}
			address = older(body)
		}
		// The 50 newest are those of the two documents that it does not lead to.
		if len(seen) != n-50 || documents != 1+(n-50)/25 {
			t.Errorf("%s: %d threads in %d documents", first, len(seen), documents)
		}
		for id, times := range seen {
			if times != 1 {
				t.Errorf("%s: %s is there %d times", first, id, times)
			}
		}
	}
	before := map[string]string{}
	for _, name := range p.files(t, func(name string) bool { return strings.HasPrefix(name, "archive/") }) {
		text, _ := os.ReadFile(name)
		before[name] = string(text)
	}
	p.write(t, all)
	changed := 0
	for name, text := range before {
		if now, err := os.ReadFile(name); err != nil || string(now) != text {
			changed++
		}
	}
	if changed != 3 { // the one that is being filled
		t.Errorf("one more thread changed %d documents of the archive", changed)
	}
}

func (p *published) get(t *testing.T, address string) string {
	t.Helper()
	res, err := p.Client().Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", address, res.Status, err)
	}
	return b.String()
}

// older is the document that a feed names as the one before it.
func older(text string) string {
	if _, rest, ok := strings.Cut(text, `"next_url": "`); ok {
		address, _, _ := strings.Cut(rest, `"`)
		return address
	}
	before, _, ok := strings.Cut(text, `" rel="prev-archive"`)
	if !ok {
		return ""
	}
	return before[strings.LastIndexByte(before, '"')+1:]
}
