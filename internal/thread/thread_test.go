package thread

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// folder writes files into a new folder and returns a reader of it.
func folder(t *testing.T, files map[string]string) Reader {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Reader{Dir: dir, Label: "threads"}
}

func read(t *testing.T, r Reader) newsletter.Folder {
	t.Helper()
	f, err := r.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What would be mailed wrongly is left out and named.
func TestLeftOut(t *testing.T) {
	f := read(t, folder(t, map[string]string{
		"latin.md": "---\ntitle: fine\n---\n\nCaf\xe9\n",
		"to.md":    "---\nparams:\n  to: !supporters\n---\n\nFor a few.\n",
		"all.md":   "---\nparams:\n  to: [\"*\", london]\n---\n\nFor all or a few.\n",
	}))
	want := "threads/all.md:3: params.to: \"*\" stands for everybody; write it alone\n" +
		"threads/latin.md:5: not read: the text is not UTF-8: save it as UTF-8\n" +
		"threads/to.md:3: params.to: put quotes around a tag that begins with an exclamation mark\n"
	if diff := cmp.Diff(want, report(f)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// report is a folder as a few lines: its files, then its problems.
func report(f newsletter.Folder) string {
	var b strings.Builder
	for _, th := range f.Threads {
		fmt.Fprintln(&b, th.File)
	}
	for _, p := range f.Problems {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

func TestProblems(t *testing.T) {
	f := read(t, Reader{Dir: "testdata/broken", Label: "threads"})
	got := report(f)
	const golden = "testdata/broken.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2026-01-05-values", "bundle"}, f.Queue); diff != "" {
		t.Errorf("queue (-want +got):\n%s", diff)
	}
}

func TestSampleThreads(t *testing.T) {
	r := Reader{Dir: "../../threads", Label: "threads"}
	f := read(t, r)
	for _, p := range f.Problems {
		t.Error(p)
	}
	if len(f.Threads) < 9 {
		t.Errorf("%d sample threads, want at least 9", len(f.Threads))
	}
	for _, th := range f.Threads {
		if n := len(th.Posts); n < 4 || n > 9 {
			t.Errorf("%s: %d posts, want 4 to 9", th.File, n)
		}
		for _, name := range th.Assets {
			file, err := r.OpenAsset(th, name)
			if err != nil {
				t.Error(err)
				continue
			}
			file.Close()
		}
	}
}

func TestReadOrderAndIgnored(t *testing.T) {
	f := read(t, folder(t, map[string]string{
		"b.md":               "b",
		"a.markdown":         "a",
		"C.MD":               "c",
		"bundle/index.md":    "bundle",
		"bundle/other.md":    "not a thread",
		"folder/notes.md":    "not a thread",
		"_drafts/index.md":   "ignored",
		".obsidian/index.md": "ignored",
		"_x.md":              "ignored",
		".x.md":              "ignored",
		"README.md":          "ignored",
		"readme.markdown":    "ignored",
		"threads.go":         "package threads",
		"notes.txt":          "ignored",
	}))
	want := "C.MD\na.markdown\nb.md\nbundle/index.md\n"
	if diff := cmp.Diff(want, report(f)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestReadOddFiles(t *testing.T) {
	r := folder(t, map[string]string{
		"fine.md":      "Fine.",
		"big.md":       strings.Repeat("word\n\n", sizeLimit/6+1),
		"new\nline.md": "x",
		"dir.md/x.png": "x",
	})
	outside := filepath.Join(t.TempDir(), "outside.md")
	if err := os.WriteFile(outside, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		"inside.md": "fine.md", "outside.md": outside, "dangling.md": "nowhere.md", "loop.md": "loop.md", "linked": ".",
	} {
		if err := os.Symlink(target, filepath.Join(r.Dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := mkfifo(filepath.Join(r.Dir, "pipe.md")); err != nil {
		t.Fatal(err)
	}
	want := `fine.md
inside.md
threads/big.md: not read: longer than 1 MB
threads/dangling.md: not read: file does not exist
threads/loop.md: not read: too many levels of symbolic links
threads/new line.md: not read: the name holds characters that do not print: rename it
threads/outside.md: not read: path escapes from parent
threads/pipe.md: not read: not a file
`
	got := report(read(t, r))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestReadFails(t *testing.T) {
	_, err := Reader{Dir: filepath.Join(t.TempDir(), "gone"), Label: "threads"}.Read(t.Context())
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "read threads: the folder does not exist: create it") {
		t.Errorf("missing folder: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := folder(t, map[string]string{"a.md": "a"}).Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	if f := read(t, folder(t, nil)); len(f.Threads)+len(f.Problems) > 0 {
		t.Errorf("empty folder: %v", f)
	}
}

func TestOpenAsset(t *testing.T) {
	r := folder(t, map[string]string{
		"a.md": "![a](img/x.png)", "img/x.png": "flat",
		"bundle/index.md": "![b](<my pic.png>)", "bundle/my pic.png": "bundled",
	})
	f := read(t, r)
	if len(f.Problems) > 0 {
		t.Fatal(f.Problems)
	}
	for i, want := range []string{"flat", "bundled"} {
		file, err := r.OpenAsset(f.Threads[i], f.Threads[i].Assets[0])
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(file)
		if err != nil || string(got) != want {
			t.Errorf("read %q, %v; want %q", got, err, want)
		}
		file.Close()
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(r.Dir, "bundle", "leak.png")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../a.md", "/etc/passwd", "leak.png", "gone.png", "..", "."} {
		if file, err := r.OpenAsset(f.Threads[1], name); err == nil {
			file.Close()
			t.Errorf("opened %q", name)
		}
	}
	if _, err := r.OpenAsset(f.Threads[1], "gone.png"); !errors.Is(err, fs.ErrNotExist) || err.Error() != "open threads/bundle/gone.png: file does not exist" {
		t.Errorf("missing asset: %v", err)
	}
}

func TestParseEveryKey(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	source := "\ufeff---\r\n" + strings.ReplaceAll(`title: "Moving:  a\tshed"
date: 2024-03-04T09:00:00Z
publishDate: 2026-12-07
expiryDate: 2027-01-01 12:30
lastmod: 2024-05-06 07:08:09 +0100
draft: True
slug: 0123
summary: |
  Not used: there
  is a description.
description: >-
  What three neighbours
  can do.
tags: [home, 7, home, "two words", ~]
image: "cover%20one.png"
images:
  - https://example.com/a.png
  - ./b.jpg
weight: -3
lang: pt-BR
layout: post
params:
  id: moving-a-shed
  guid: https://old.example/1
  source: https://example.com/status/1
  subject: Sheds move
  author: 'Ann O''Neill'
  published: 2024-03-05
  formerly: [https://old.example/1, "x:99"]
  channels: Web, mail
---
First post,
the hook.

---

Second post.
`, "\n", "\r\n")
	got, problems := Parse("2024-03-01-moving-a-shed.md", []byte(source), zone)
	if len(problems) > 0 {
		t.Error(problems)
	}
	want := newsletter.Thread{
		Slug: "0123", Slugged: true, GUID: "https://old.example/1", PinnedID: "moving-a-shed",
		File: "2024-03-01-moving-a-shed.md", Source: source, Digest: newsletter.DigestOf(source),
		Title: "Moving: a shed", Titled: true,
		Description: "What three neighbours can do.", Excerpt: "What three neighbours can do.",
		Subject: "Sheds move", Author: "Ann O'Neill", Origin: "https://example.com/status/1",
		Lang: "pt-BR", Tags: []string{"home", "7", "two words"},
		Images:      []string{"https://example.com/a.png", "b.jpg", "cover one.png"},
		Date:        time.Date(2024, 3, 4, 9, 0, 0, 0, time.UTC),
		PublishDate: time.Date(2026, 12, 7, 0, 0, 0, 0, zone),
		ExpiryDate:  time.Date(2027, 1, 1, 12, 30, 0, 0, zone),
		Lastmod:     time.Date(2024, 5, 6, 6, 8, 9, 0, time.UTC),
		Published:   time.Date(2024, 3, 5, 0, 0, 0, 0, zone),
		Draft:       true, Weight: -3,
		Formerly: []string{"https://old.example/1", "x:99"},
		Channels: []newsletter.Channel{newsletter.ChannelWeb, newsletter.ChannelMail},
		Posts:    []newsletter.Post{{Text: "First post,\nthe hook.", Line: 33}, {Text: "Second post.", Line: 38}},
		Words:    6, Minutes: 1,
		Assets: []string{"b.jpg", "cover one.png"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
}

func TestParseBareFile(t *testing.T) {
	got, problems := Parse("2025-07-01-a-plain-file.md", []byte("Just *one* post. And more.\n"), nil)
	if len(problems) > 0 {
		t.Error(problems)
	}
	want := newsletter.Thread{
		Slug: "a-plain-file", File: "2025-07-01-a-plain-file.md", Source: "Just *one* post. And more.\n", Digest: newsletter.DigestOf("Just *one* post. And more.\n"),
		Title: "Just one post.", Excerpt: "Just one post. And more.",
		Date:  time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC),
		Posts: []newsletter.Post{{Text: "Just *one* post. And more.", Line: 1}},
		Words: 5, Minutes: 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("thread (-want +got):\n%s", diff)
	}
}

func TestNames(t *testing.T) {
	for _, tt := range []struct{ file, key, slug, date string }{
		{"2024-03-04-moving-a-shed.md", "", "moving-a-shed", "2024-03-04"},
		{"2024-03-04-moving-a-shed/index.md", "", "moving-a-shed", "2024-03-04"},
		{"2024-03-04.md", "", "2024-03-04", "2024-03-04"},
		{"2024-03-04-.md", "", "2024-03-04", "2024-03-04"},
		{"2024-13-04-thirteen.md", "", "2024-13-04-thirteen", ""},
		{"2024-03-044.md", "", "2024-03-044", ""},
		{"Straße & Café.md", "", "strasse-and-cafe", ""},
		{"日本.md", "", "ri-ben", ""},
		{"🧵.md", "", "thread", ""},
		{"index.md", "", "index", ""},
		{"x.md", "Über uns!", "uber-uns", ""},
		{"x.md", "🧵", "x", ""},
		{"x.md", strings.Repeat("long-", 30), strings.TrimSuffix(strings.Repeat("long-", 20), "-"), ""},
		{"x.md", strings.Repeat("long", 30), strings.Repeat("long", 25), ""},
	} {
		got, _ := Parse(tt.file, []byte("---\nslug: "+tt.key+"\n---\nText."), nil)
		date := ""
		if !got.Date.IsZero() {
			date = got.Date.Format(time.DateOnly)
		}
		if got.Slug != tt.slug || date != tt.date {
			t.Errorf("%q with slug %q: slug %q and date %q; want %q and %q", tt.file, tt.key, got.Slug, date, tt.slug, tt.date)
		}
	}
}
