package site

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

// told gives entries the digests of what they say, as those from a database
// have them.
func told(list []newsletter.Entry) []newsletter.Entry {
	for i := range list {
		list[i].Digest = newsletter.DigestOf(fmt.Sprint(list[i].Posts, list[i].Tags))
	}
	return list
}

// What a Write leaves out gives the same site as one from nothing, whatever
// happened to the content between.
func TestWriteLeavesOut(t *testing.T) {
	f := newFolder(t)
	f.pictures["a.png"] = "png"
	random := rand.New(rand.NewPCG(1, 2))
	all := numbered(60) // several pages and archived feeds
	for round := range 15 {
		list := slices.Clone(all[random.IntN(4):])
		for range random.IntN(3) { // what an author does
			i := random.IntN(len(list))
			e := &list[i]
			switch random.IntN(5) {
			case 0:
				e.Posts = []newsletter.Post{{Text: fmt.Sprint("Edited in round ", round)}}
				e.UpdatedAt = e.UpdatedAt.Add(time.Duration(round) * time.Hour)
			case 1:
				e.Slug = fmt.Sprint("moved-", round, "-", i)
			case 2:
				e.Title = fmt.Sprint("Title of round ", round)
			case 3:
				e.Tags = []string{fmt.Sprint("tag-", round)}
			case 4:
				list = slices.Delete(list, i, i+1)
			}
		}
		var digests []newsletter.Issue
		if random.IntN(2) == 0 {
			last := len(list) - 1
			digests = []newsletter.Issue{{Number: list[last].Issue, Title: "Two", Threads: []newsletter.Thread{list[last].Thread}}}
		}
		f.write(t, told(list), digests...)
		fresh := newFolder(t)
		fresh.pictures = f.pictures
		fresh.write(t, told(list), digests...)
		got := f.tree(t)
		want := fresh.tree(t)
		maps.DeleteFunc(got, func(name, _ string) bool { return want[name] == "" }) // pages that nothing points to any more
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d (-from nothing +in steps):\n%s", round, diff)
		}
	}
}

// A page that is as it was is not even made.
func TestWriteMakesNothingTwice(t *testing.T) {
	f := newFolder(t)
	f.write(t, told(entries(3)))
	list := entries(3)
	told(list)
	for i := range list {
		list[i].Posts = nil // a page made of these would be another
	}
	if report := f.write(t, list); report.Written != 3 { // the current feeds
		t.Errorf("report %+v, want 3 files written", report)
	}
	if page := f.tree(t)["threads/thread-2/index.html"]; !strings.Contains(page, "First.") {
		t.Error("the page was made again")
	}
	f.opt.Publication.Title = "Another"
	f.write(t, told(entries(3)))
	if page := f.tree(t)["threads/thread-2/index.html"]; !strings.Contains(page, "Another") {
		t.Error("the page was not made again for another title of the publication")
	}
}

// What somebody did to the folder is undone, with the index and without.
func TestWriteMends(t *testing.T) {
	const page = "threads/thread-2/index.html"
	tests := map[string]func(dir string) error{
		"gone":          func(dir string) error { return os.Remove(filepath.Join(dir, page)) },
		"folder gone":   func(dir string) error { return os.RemoveAll(filepath.Join(dir, "threads")) },
		"edited":        func(dir string) error { return os.WriteFile(filepath.Join(dir, page), []byte("mine"), 0o644) },
		"index gone":    func(dir string) error { return os.Remove(filepath.Join(dir, indexFile)) },
		"index cut":     func(dir string) error { return os.Truncate(filepath.Join(dir, indexFile), 300) },
		"index changed": func(dir string) error { return swap(filepath.Join(dir, indexFile), "thread-2", "thread-3") },
	}
	for name, harm := range tests {
		t.Run(name, func(t *testing.T) {
			f := newFolder(t)
			f.pictures["a.png"] = "png"
			f.write(t, told(entries(3)))
			want := f.tree(t)
			if err := harm(f.dir); err != nil {
				t.Fatal(err)
			}
			f.write(t, told(entries(3)))
			got := f.tree(t)
			maps.DeleteFunc(got, func(name, _ string) bool { return want[name] == "" })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func swap(file, old, text string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strings.ReplaceAll(string(b), old, text)), 0o644)
}

func FuzzIndex(f *testing.F) {
	x := index{"a/b.html": {of: sum{1}, text: sum{2}, look: look{3, 4}}, "index.html": {look: look{-1, -5}}}
	f.Add(x.encode())
	f.Add([]byte(indexHead))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := text
		whole := sumOf(lines)
		for _, form := range [][]byte{text, fmt.Appendf(nil, "%s%x\n%s", indexHead, whole[:], lines)} {
			got, ok := decodeIndex(form)
			if !ok {
				continue
			}
			again, ok := decodeIndex(got.encode())
			if diff := cmp.Diff(got, again, cmp.AllowUnexported(made{}, look{})); !ok || diff != "" {
				t.Errorf("read again: %v (-first +second)\n%s", ok, diff)
			}
		}
	})
}
