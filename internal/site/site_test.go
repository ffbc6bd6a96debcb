package site

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/templates"
)

// folder is a site in a temporary folder with the pictures of its threads.
type folder struct {
	*Site
	dir      string
	pictures map[string]string
	log      strings.Builder
}

func newFolder(t *testing.T) *folder {
	t.Helper()
	tmpl, err := render.Load(nil, templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	f := &folder{dir: filepath.Join(t.TempDir(), "deep", "public"), pictures: make(map[string]string)}
	f.Site = New(Options{
		Dir:         f.dir,
		Publication: newsletter.Publication{Title: "Bench", URL: "https://example.org/news", Language: "en", Zone: time.UTC},
		Templates:   tmpl,
		FeedItems:   2,
		OpenAsset: func(_ context.Context, _ newsletter.Thread, name string) (io.ReadCloser, string, error) {
			text, ok := f.pictures[name]
			if !ok {
				return nil, "", &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
			}
			sum := sha256.Sum256([]byte(text))
			return io.NopCloser(strings.NewReader(text)), hex.EncodeToString(sum[:]), nil
		},
		Log: slog.New(slog.NewTextHandler(&f.log, nil)),
	})
	return f
}

// write brings the folder to the content and fails the test on an error.
func (f *folder) write(t *testing.T, entries []newsletter.Entry, digests ...newsletter.Issue) Report {
	t.Helper()
	report, err := f.Write(t.Context(), Content{Entries: entries, Digests: digests})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// tree returns every file of the folder with its text.
func (f *folder) tree(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(f.dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == indexFile {
			return err
		}
		text, err := os.ReadFile(name)
		rel, _ := filepath.Rel(f.dir, name)
		files[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// entries returns n threads, newest first; the newest is number n.
func entries(n int) []newsletter.Entry {
	var all []newsletter.Entry
	for i := n; i > 0; i-- {
		at := time.Date(2026, time.January, 5, 9, 0, 0, 0, time.UTC).AddDate(0, 0, 7*i)
		all = append(all, newsletter.Entry{
			Thread: newsletter.Thread{
				ID: fmt.Sprint("id-", i), GUID: fmt.Sprint("tag:example.org,2026:", i), Slug: fmt.Sprint("thread-", i),
				Title: fmt.Sprint("Thread ", i), Excerpt: "First.", Minutes: 1,
				Posts: []newsletter.Post{{Text: "First."}, {Text: "![Picture](a.png)"}}, Assets: []string{"a.png"},
			},
			PublishedAt: at, UpdatedAt: at, Issue: int64(i),
		})
	}
	return all
}

func TestWrite(t *testing.T) {
	f := newFolder(t)
	f.pictures["a.png"] = "png"
	in := entries(3)
	in[0].Issue = in[1].Issue
	issue := newsletter.Issue{Number: 2, Title: "Two", PublishedAt: in[1].PublishedAt, Threads: []newsletter.Thread{in[1].Thread, in[0].Thread}}
	report := f.write(t, in, issue)

	tree := f.tree(t)
	var names []string
	const made = "/a-4ab0bfc563f3d33f-asis.png"
	for _, name := range []string{
		".well-known/feeds", "404.html", "410.html", "atom.xml", "favicon.png", "feed.css", "feed.json", "feed.xml", "feeds.opml", "icon.png", "index.html", "issues/2/index.html",
		"privacy/index.html", "_redirects", "sitemap.xml", "subscribe/index.html", "tags/index.html",
		"threads/thread-1/a.png", "threads/thread-1/index.html", "threads/thread-2/a.png", "threads/thread-2/index.html",
		"threads/thread-3/a.png", "threads/thread-3/index.html",
		"threads/thread-1" + made, "threads/thread-2" + made, "threads/thread-3" + made,
	} {
		if tree[name] == "" {
			t.Errorf("%s is missing or empty", name)
		}
		names = append(names, name)
	}
	if len(tree) != len(names) {
		t.Errorf("%d files in the folder, want %d", len(tree), len(names))
	}
	if diff := cmp.Diff(Report{Written: len(names)}, report); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{
		"index.html":                  `href="./threads/thread-3/"`,
		"threads/thread-2/index.html": `href="../../threads/thread-3/" rel="next"`,
		"issues/2/index.html":         `href="../../threads/thread-3/"`,
		"feed.xml":                    "https://example.org/news/threads/thread-2/a.png",
		"404.html":                    `href="https://example.org/news/"`,
		"410.html":                    `This issue was withdrawn.`,
		"sitemap.xml":                 "<loc>https://example.org/news/issues/2/</loc>",
	} {
		if !strings.Contains(tree[name], want) {
			t.Errorf("%s does not hold %s", name, want)
		}
	}
	if strings.Contains(tree["feed.xml"], "thread-1") {
		t.Error("feed.xml holds more than FeedItems threads")
	}
	if strings.Index(tree["issues/2/index.html"], "Thread 2") > strings.Index(tree["issues/2/index.html"], "Thread 3") {
		t.Error("the threads of issue 2 are not in its order")
	}
}

// The same content gives the same bytes, and a file that did not change is
// not touched.
func TestWriteAgain(t *testing.T) {
	f := newFolder(t)
	f.pictures["a.png"] = "png"
	f.write(t, entries(3))
	before := f.tree(t)
	page := filepath.Join(f.dir, "threads", "thread-1", "index.html")
	old := time.Date(2020, time.January, 1, 0, 0, 0, 0, time.UTC)
	if err := os.Chtimes(page, old, old); err != nil {
		t.Fatal(err)
	}
	if report := f.write(t, entries(3)); report.Written != 0 || report.Unchanged != len(before) {
		t.Errorf("second Write reports %+v, want %d unchanged", report, len(before))
	}
	if diff := cmp.Diff(before, f.tree(t)); diff != "" {
		t.Errorf("second Write changed (-first +second):\n%s", diff)
	}
	if stat, err := os.Stat(page); err != nil || !stat.ModTime().Equal(old) {
		t.Errorf("unchanged page was written again: %v, %v", stat.ModTime(), err)
	}
	// One more thread: its page and picture by two names, its neighbour, the
	// archive, the sitemap and three feeds.
	if report := f.write(t, entries(4)); report.Written != 9 {
		t.Errorf("Write of one more thread reports %+v, want 9 written", report)
	}
}

func TestWriteEmpty(t *testing.T) {
	f := newFolder(t)
	f.write(t, nil)
	if tree := f.tree(t); len(tree) != 16 || !strings.Contains(tree["index.html"], "Nothing is published yet") {
		t.Errorf("empty site has %v, want 16 files and an archive that says so", slices.Sorted(maps.Keys(tree)))
	}
}

func TestPictures(t *testing.T) {
	f := newFolder(t)
	f.pictures["a.png"] = "one"
	f.write(t, entries(1))
	f.pictures["a.png"] = "two"
	f.write(t, entries(1))
	const name = "threads/thread-1/a.png"
	if got := f.tree(t)[name]; got != "two" {
		t.Errorf("changed picture is %q, want two", got)
	}
	delete(f.pictures, "a.png")
	f.write(t, entries(1))
	if got := f.tree(t)[name]; got != "two" {
		t.Errorf("picture whose source is gone is %q, want two", got)
	}
	if log := f.log.String(); strings.Count(log, "msg=\"picture is shown as it is\" thread=thread-1 picture=a.png") != 2 || strings.Count(log, "\n") != 2 {
		t.Errorf("logged %s", log)
	}
	in := entries(2)
	f.pictures["../up.png"], f.pictures["./index.html"] = "up", "no page"
	in[1].Assets = []string{"../up.png", "./index.html"}
	f.write(t, in)
	for _, want := range []string{
		`msg="picture is missing" thread=thread-2 picture=a.png`,
		`msg="picture has a name that cannot be used" thread=thread-1 picture=../up.png`,
		`thread=thread-1 picture=./index.html`,
	} {
		if log := f.log.String(); !strings.Contains(log, want) {
			t.Errorf("log lacks %s:\n%s", want, log)
		}
	}
	if tree := f.tree(t); tree["threads/up.png"] != "" || strings.Contains(tree["threads/thread-1/index.html"], "no page") {
		t.Error("a picture went to a place that is not its own")
	}
}

// A crash leaves unfinished files; the next Write clears them and touches
// nothing else that is not the site's.
func TestWriteAfterCrash(t *testing.T) {
	f := newFolder(t)
	f.write(t, entries(1))
	leftovers := []string{".threadmill-writing", ".threadmill-0.tmp", "threads/thread-1/.threadmill-3.tmp", ".threadmill-probe-old"}
	strangers := []string{"CNAME", ".threadmill-probe-now", ".git/.threadmill-0.tmp", "threads/old/index.html"}
	for _, name := range append(leftovers, strangers...) {
		file := filepath.Join(f.dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	yesterday := time.Now().AddDate(0, 0, -1)
	if err := os.Chtimes(filepath.Join(f.dir, ".threadmill-probe-old"), yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	f.write(t, entries(1))
	tree := f.tree(t)
	for _, name := range leftovers {
		if _, ok := tree[name]; ok {
			t.Errorf("%s is still there", name)
		}
	}
	for _, name := range strangers {
		if _, ok := tree[name]; !ok {
			t.Errorf("%s is gone", name)
		}
	}
}

// A failure leaves every old file as it was and no unfinished one.
func TestWriteFails(t *testing.T) {
	broken := entries(3)
	broken[2].Slug = "../../escape"
	twins := entries(3)
	twins[2].Slug = twins[1].Slug
	unreadable := entries(3)
	unreadable[0].Assets = []string{"bad.png"}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name    string
		ctx     context.Context
		entries []newsletter.Entry
		want    string
	}{
		{"slug", t.Context(), broken, `slug "../../escape" cannot be the name of a folder`},
		{"twins", t.Context(), twins, "thread thread-2: another thread has the same slug"},
		{"picture", t.Context(), unreadable, "picture bad.png: disk on fire"},
		{"canceled", canceled, entries(3), "context canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFolder(t)
			f.pictures["a.png"] = "png"
			f.write(t, entries(2))
			before := f.tree(t)
			open := f.opt.OpenAsset
			f.opt.OpenAsset = func(ctx context.Context, t newsletter.Thread, name string) (io.ReadCloser, string, error) {
				if name == "bad.png" {
					return nil, "", errors.New("disk on fire")
				}
				return open(ctx, t, name)
			}
			_, err := f.Write(tt.ctx, Content{Entries: tt.entries})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Write: %v, want %s", err, tt.want)
			}
			if diff := cmp.Diff(before, f.tree(t)); diff != "" {
				t.Errorf("failed Write changed (-before +after):\n%s", diff)
			}
		})
	}
}

// Something that is no file in a file's place stops the Write.
func TestWriteBlocked(t *testing.T) {
	f := newFolder(t)
	if err := os.MkdirAll(filepath.Join(f.dir, "feed.xml", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := f.Write(t.Context(), Content{Entries: entries(1)})
	if err == nil || !strings.Contains(err.Error(), "feed.xml is in the way") {
		t.Errorf("Write: %v, want feed.xml is in the way", err)
	}
	if tree := f.tree(t); len(tree) != 0 {
		t.Errorf("failed Write left %d files", len(tree))
	}
}

// A link in the folder that leads out of it is not followed.
func TestWriteStaysInside(t *testing.T) {
	f := newFolder(t)
	outside := t.TempDir()
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(f.dir, "threads")); err != nil {
		t.Skip("no symbolic links here")
	}
	if _, err := f.Write(t.Context(), Content{Entries: entries(1)}); err == nil {
		t.Error("Write followed a link out of the folder")
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("%d files outside the folder", len(left))
	}
}

func TestProbe(t *testing.T) {
	f := newFolder(t)
	if err := f.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	stat, err := os.Stat(f.dir)
	if err != nil || stat.Mode().Perm() != 0o755 {
		t.Errorf("output folder is %v, %v; want mode 0755", stat, err)
	}
	if tree := f.tree(t); len(tree) != 0 {
		t.Errorf("Probe left %v", tree)
	}
	f.opt.Dir = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(f.opt.Dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	err = f.Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), f.opt.Dir+" cannot be written") || !strings.Contains(err.Error(), "name another folder as output") {
		t.Errorf("Probe of a file: %v", err)
	}
	if _, err := f.Write(t.Context(), Content{}); err == nil {
		t.Error("Write to a file as folder gives no error")
	}
}

func TestSitemap(t *testing.T) {
	text, err := sitemap(newsletter.Publication{URL: "https://example.org/?a&b"}, content{entries: entries(2), digests: []newsletter.Issue{{Number: 7}}})
	if err != nil {
		t.Fatal(err)
	}
	var set urlSet
	if err := xml.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	want := []address{
		{"https://example.org/?a&b/", "2026-01-19T09:00:00Z"},
		{"https://example.org/?a&b/threads/thread-2/", "2026-01-19T09:00:00Z"},
		{"https://example.org/?a&b/threads/thread-1/", "2026-01-12T09:00:00Z"},
		{"https://example.org/?a&b/issues/7/", ""},
		{"https://example.org/?a&b/subscribe/", ""},
		{"https://example.org/?a&b/privacy/", ""},
		{"https://example.org/?a&b/tags/", ""},
	}
	if diff := cmp.Diff(want, set.Addresses); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

func TestRemove(t *testing.T) {
	f := newFolder(t)
	if err := f.Remove(t.Context(), []string{"threads/one/", "issues/1/"}); err != nil {
		t.Errorf("of a folder without pages: %v", err)
	}
	in := entries(3)
	in[0].Slug = "überall"
	f.write(t, in)
	if err := f.Remove(t.Context(), []string{"threads/waits/", "threads/überall/", "issues/1/", "threads/thread-1/"}); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(filepath.Join(f.dir, "threads"))
	if err != nil || len(left) != 1 || left[0].Name() != "thread-2" {
		t.Errorf("left are %v, %v", left, err)
	}
}

func TestRehearse(t *testing.T) {
	f := newFolder(t)
	f.pictures["a.png"] = "png"
	if err := f.Rehearse(t.Context(), Content{Entries: entries(3)}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(f.dir); err == nil {
		t.Error("a rehearsal wrote something")
	}
	twice := append(entries(2), entries(1)...)
	if err := f.Rehearse(t.Context(), Content{Entries: twice}); err == nil || !strings.Contains(err.Error(), "same slug") {
		t.Errorf("two threads of one slug: %v", err)
	}
}
