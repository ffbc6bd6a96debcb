package importer

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var november = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func TestFormats(t *testing.T) {
	all := Formats()
	if !slices.IsSortedFunc(all, func(a, b Format) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("not sorted by name")
	}
	for _, f := range all {
		if got, ok := Find(f.Name); !ok || got.Name != f.Name || f.Summary == "" || f.Read == nil {
			t.Errorf("format %q is not whole", f.Name)
		}
	}
	if _, ok := Find("punch cards"); ok {
		t.Error("found a format that is not there")
	}
}

// report writes a result as people would read it.
func report(r Result) string {
	var b strings.Builder
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	for _, s := range r.Skipped {
		fmt.Fprintf(&b, "skipped: %s: %s\n", s.Where, s.Why)
	}
	for _, f := range r.Files {
		fmt.Fprintf(&b, "\n== %s: %q, %s, %d posts\n%s", f.Name, f.Title, f.Date.Format(time.DateOnly), f.Posts, f.Content)
	}
	return b.String()
}

func TestThreadReader(t *testing.T) {
	f, _ := Find("threadreader")
	r, err := f.Read(t.Context(), "testdata/profile.txt", Options{Now: november})
	if err != nil {
		t.Fatal(err)
	}
	got := report(r)
	const golden = "testdata/profile.golden"
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
		t.Errorf("result (-want +got):\n%s", diff)
	}
}

func TestThreadReaderOptions(t *testing.T) {
	zone := time.FixedZone("", 2*3600)
	r := parseThreadReader("p.txt", "Dec 18 • 14 tweets • 3 min read\nText.\n", Options{Year: 2024, Ready: true, Zone: zone})
	want := `---
title: "Text."
date: 2024-12-18T00:00:00+02:00
params:
  id: threadreader:2024-12-18-text
  expected_posts: 14
  incomplete: true
---

Text.
`
	if diff := cmp.Diff(want, string(r.Files[0].Content)); diff != "" {
		t.Errorf("file (-want +got):\n%s", diff)
	}
	if !r.Files[0].Date.Equal(time.Date(2024, 12, 18, 0, 0, 0, 0, zone)) {
		t.Errorf("date %v", r.Files[0].Date)
	}
}

func TestDateWithoutMidnight(t *testing.T) {
	zone, err := time.LoadLocation("Africa/Cairo")
	if err != nil {
		t.Fatal(err)
	}
	r := parseThreadReader("p.txt", "Apr 24 • 2 tweets • 1 min read\nText.\n", Options{Year: 2026, Zone: zone})
	if want := time.Date(2026, 4, 24, 1, 0, 0, 0, zone); !r.Files[0].Date.Equal(want) || r.Files[0].Name != "2026-04-24-text.md" {
		t.Errorf("%s of %v, want %v", r.Files[0].Name, r.Files[0].Date, want)
	}
}

func TestYears(t *testing.T) {
	for _, tt := range []struct {
		name    string
		headers string
		year    int
		want    string
	}{
		{"given", "Dec 18, Jun 13, Jan 1, Dec 31, Mar 3, Mar 3, Apr 4", 2024, "2024 2024 2024 2023 2023 2023 2022"},
		{"before today", "Nov 22, Jan 1, Dec 1", 0, "2026 2026 2025"},
		{"after today", "Nov 23, Nov 22", 0, "2025 2025"},
		{"leap day", "Feb 29, Jan 1", 0, "2024 2024"},
		{"in the text", "Feb 2, Dec 31, Dec 1 2019, Dec 25, Jan 1", 0, "2020 2019 2019 2018 2018"},
		{"text over option", "Feb 2 2021, Jan 1", 2015, "2021 2021"},
	} {
		var page strings.Builder
		for h := range strings.SplitSeq(tt.headers, ", ") {
			words := strings.Fields(h)
			if len(words) == 3 {
				h = fmt.Sprintf("%s %s, %s", words[0], words[1], words[2])
			}
			fmt.Fprintf(&page, "%s • 2 tweets • 1 min read\nText.\n", h)
		}
		r := parseThreadReader("p.txt", page.String(), Options{Year: tt.year, Now: november})
		var got []string
		for _, f := range r.Files {
			got = append(got, f.Date.Format("2006"))
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s: years %s, want %s; skipped %v", tt.name, got, tt.want, r.Skipped)
		}
	}
}

func TestThreadReaderFails(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	big := write("big.txt", "")
	if err := os.Truncate(big, archiveLimit+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		filepath.Join(dir, "gone.txt"):      "no such file",
		dir:                                 "is a directory",
		big:                                 "longer than 16 MB",
		write("none.txt", "Just a letter."): "no thread in it: expected",
		write("empty.txt", ""):              "no thread in it: expected",
	} {
		_, err := readThreadReader(t.Context(), path, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "read ") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readThreadReader(ctx, "testdata/profile.txt", Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

func TestPack(t *testing.T) {
	for _, tt := range []struct{ lines, want []string }{
		{nil, nil},
		{[]string{"aaaa", "bbbb", "c"}, []string{"aaaa\nbbbb", "c"}},
		{[]string{"aaaaaaaaaaaa", "b", "c"}, []string{"aaaaaaaaaaaa", "b\nc"}},
		{[]string{"ääää", "öööö", "ü"}, []string{"ääää\nöööö", "ü"}},
	} {
		if diff := cmp.Diff(tt.want, pack(tt.lines, 9)); diff != "" {
			t.Errorf("pack(%q) (-want +got):\n%s", tt.lines, diff)
		}
	}
}

func FuzzThreadReader(f *testing.F) {
	page, err := os.ReadFile("testdata/profile.txt")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(page), 2024)
	f.Add("Feb 29, 1900 • 1 tweet • 1 min read\r\n\x00\xff\n: \"\\\n", 0)
	f.Add("Jan 1, 0000 • 1 tweets • 1 min read\nx\nJan 2 • 1 tweets • 1 min read\ny", -1)
	f.Fuzz(func(t *testing.T, page string, year int) {
		r := parseThreadReader("p", page, Options{Year: year, Now: november})
		names := map[string]bool{}
		for _, f := range r.Files {
			if names[f.Name] || f.Name != filepath.Base(f.Name) || len(f.Name) > 100 {
				t.Errorf("name %q", f.Name)
			}
			names[f.Name] = true
			if !utf8.Valid(f.Content) || bytes.ContainsFunc(f.Content, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }) {
				t.Errorf("content %q", f.Content)
			}
			front, _, ok := strings.Cut(strings.TrimPrefix(string(f.Content), "---\n"), "\n---\n")
			var matter struct {
				Title  string
				Params struct{ ID string }
			}
			if err := yaml.Unmarshal([]byte(front), &matter); !ok || err != nil || matter.Title != f.Title || matter.Params.ID != "threadreader:"+strings.TrimSuffix(f.Name, ".md") {
				t.Errorf("front matter %q: %+v, %v", front, matter, err)
			}
			if id := matterID(f.Content); id != matter.Params.ID {
				t.Errorf("id %q, want %q", id, matter.Params.ID)
			}
		}
	})
}
