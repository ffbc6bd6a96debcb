package site

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mmcdole/gofeed"

	"threadmill/internal/feed"
	"threadmill/internal/newsletter"
)

// numbered are n threads that went out one after the other.
func numbered(n int) []newsletter.Entry {
	all := entries(n)
	for i := range all {
		all[i].OutNumber = int64(n - i)
		all[i].Tags = []string{[]string{"Even", "Odd"}[(n-i)%2]}
	}
	return all
}

// walk reads a feed and all that its links into the archive lead to, and
// returns the ids of each document.
func walk(t *testing.T, tree map[string]string, first string) (docs []string, ids map[string][]string) {
	t.Helper()
	ids = map[string][]string{}
	for name := first; name != ""; {
		f, err := gofeed.NewParser().ParseString(tree[name])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		docs = append(docs, name)
		for _, it := range f.Items {
			ids[name] = append(ids[name], it.GUID)
		}
		name = olderOf(t, f, tree[name])
	}
	return docs, ids
}

// olderOf is the document that a feed names as the one before it.
func olderOf(t *testing.T, f *gofeed.Feed, text string) string {
	t.Helper()
	const site = "https://example.org/news/"
	if f.FeedType == "json" {
		_, rest, _ := strings.Cut(text, `"next_url": "`+site)
		name, _, _ := strings.Cut(rest, `"`)
		return name
	}
	before, _, found := strings.Cut(text, `" rel="prev-archive"`)
	if !found {
		return ""
	}
	return before[strings.LastIndex(before, site)+len(site):]
}

// TestArchive follows the links from the current document: each thread is
// found, in the archive once, whatever the sizes, and one more changes no
// document that is complete.
func TestArchive(t *testing.T) {
	t.Parallel()
	for _, n := range []int{2, 25, 26, 77} {
		f := newFolder(t)
		f.write(t, numbered(n))
		before := f.tree(t)
		for _, first := range []string{feed.RSSPath, feed.AtomPath, feed.JSONPath} {
			docs, ids := walk(t, before, first)
			if len(ids[first]) != min(n, 2) {
				t.Errorf("%d threads: %s holds %d", n, first, len(ids[first]))
			}
			all := map[string]bool{}
			archived := 0
			for _, doc := range docs {
				for _, id := range ids[doc] {
					all[id] = true
				}
				if doc != first {
					archived += len(ids[doc])
				}
			}
			if len(all) != n || archived > n {
				t.Errorf("%d threads: %s leads to %d, %d in archives, by %v", n, first, len(all), archived, docs)
			}
		}
		f.write(t, numbered(n+1))
		after := f.tree(t)
		for name, text := range before {
			complete := strings.Contains(text, "<fh:archive>") || strings.HasSuffix(name, ".json") && strings.Contains(before[strings.TrimSuffix(name, ".json")+".xml"], "<fh:archive>")
			if complete && text != after[name] {
				t.Errorf("%d threads: one more changed %s:\n%s", n, name, cmp.Diff(text, after[name]))
			}
		}
		if want := n / bucketSize; strings.Count(strings.Join(slices.Collect(maps.Values(before)), ""), "<fh:archive>") != 2*want {
			t.Errorf("%d threads: not %d complete documents", n, want)
		}
	}
}

// TestArchiveKeepsItsMembers: an edit, a withdrawal, an older date and a change
// of channel rewrite one document of the archive each.
func TestArchiveKeepsItsMembers(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func([]newsletter.Entry) []newsletter.Entry{
		"edit": func(all []newsletter.Entry) []newsletter.Entry {
			all[60].Posts = []newsletter.Post{{Text: "Changed."}}
			all[60].UpdatedAt = all[0].UpdatedAt.AddDate(1, 0, 0)
			return all
		},
		"date":       func(all []newsletter.Entry) []newsletter.Entry { all[60].PublishedAt = time.Unix(0, 0); return all },
		"withdrawal": func(all []newsletter.Entry) []newsletter.Entry { return slices.Delete(all, 60, 61) },
	} {
		f := newFolder(t)
		all := numbered(77) // the first 25 of them are 52 to 76
		f.write(t, all)
		before := f.tree(t)
		f.write(t, change(numbered(77)))
		after := f.tree(t)
		var changed []string
		for path, text := range after {
			if strings.HasPrefix(path, "archive/") && text != before[path] {
				changed = append(changed, path)
			}
		}
		slices.Sort(changed)
		if want := []string{"archive/1.atom.xml", "archive/1.json", "archive/1.xml"}; !slices.Equal(changed, want) {
			t.Errorf("%s changed %v, want %v", name, changed, want)
		}
		if text := after[feed.RSSPath]; text != before[feed.RSSPath] {
			t.Errorf("%s of an old thread changed the current document", name)
		}
	}
}

// TestLateArrival: a thread that is archived under an old date comes last in
// the order of the archive, and readers of the current document get it.
func TestLateArrival(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	all := numbered(30)
	f.write(t, all)
	before := f.tree(t)
	late := entries(31)[0]
	late.OutNumber, late.PublishedAt, late.Slug = 31, time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC), "late"
	f.write(t, append(all, late))
	after := f.tree(t)
	if !strings.Contains(after[feed.RSSPath], late.GUID) || before["archive/1.xml"] != after["archive/1.xml"] {
		t.Error("the late thread is not in the current document, or changed the archive")
	}
}

// TestFeedSize: a feed that would be too long has fewer threads, each of them
// whole, and those that are left out are found in the archive.
func TestFeedSize(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.opt.FeedItems, f.opt.FeedBytes = 50, 100_000
	all := numbered(20)
	for i := range all {
		all[i].Posts = []newsletter.Post{{Text: strings.Repeat("Words & more. ", 1000) + "End."}}
	}
	all[19].Posts = []newsletter.Post{{Text: strings.Repeat("Words. ", 20_000) + "End."}} // alone too long
	f.write(t, all)
	tree := f.tree(t)
	for _, first := range []string{feed.RSSPath, feed.AtomPath, feed.JSONPath} {
		docs, ids := walk(t, tree, first)
		n := len(ids[first])
		if size := len(tree[first]); size > 100_000 || n < 4 || n != len(ids[feed.RSSPath]) && first == feed.RSSPath {
			t.Errorf("%s: %d threads in %d bytes", first, n, size)
		}
		if strings.Count(tree[first], "End.</p>") != n {
			t.Errorf("%s: a thread is not whole", first)
		}
		if len(docs) != 2 || len(ids[docs[1]]) != 20 {
			t.Errorf("%s leads to %v", first, docs)
		}
	}
	f.write(t, all[19:])
	if text := f.tree(t)[feed.RSSPath]; !strings.Contains(text, "End.</p>") {
		t.Error("a thread that is longer than the feed may be is not in it")
	}
}

func TestTagFeeds(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	all := numbered(30)
	all[0].Tags = []string{"Über uns", "even", "🧵"}
	f.write(t, all)
	tree := f.tree(t)
	for name, want := range map[string]string{
		"tags/über-uns/feed.xml": `<atom:link href="https://example.org/news/tags/%C3%BCber-uns/feed.xml" rel="self"`,
		"tags/even/atom.xml":     "<title>Even – Bench</title>",
		"tags/odd/feed.json":     `"home_page_url": "https://example.org/news/tags/odd/"`,
		"feeds.opml":             `xmlUrl="https://example.org/news/tags/odd/feed.xml"`,
		"feed.xml":               `<?xml-stylesheet type="text/css" href="feed.css"?>`,
		"tags/odd/feed.xml":      `<?xml-stylesheet type="text/css" href="../../feed.css"?>`,
		"archive/1.xml":          `<?xml-stylesheet type="text/css" href="../feed.css"?>`,
	} {
		if !strings.Contains(tree[name], want) {
			t.Errorf("%s lacks %s:\n%.2000s", name, want, tree[name])
		}
	}
	if tree[feed.OPMLPath] != tree[feed.WellKnownPath] {
		t.Error("the two lists differ")
	}
	if strings.Contains(tree["tags/odd/feed.xml"], "prev-archive") {
		t.Error("the feed of a tag has an archive")
	}
}

// TestStaleFeeds: what shows threads that are gone does not stay.
func TestStaleFeeds(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write(t, numbered(60))
	all := numbered(60)[40:] // the last 40 were withdrawn
	for i := range all {
		all[i].Tags = []string{"Rest"}
	}
	f.write(t, all)
	var feeds []string
	for name, text := range f.tree(t) {
		if strings.HasPrefix(name, "archive/") || strings.HasPrefix(name, "tags/") && strings.HasSuffix(name, ".xml") {
			feeds = append(feeds, name)
		}
		if strings.Contains(text, "tag:example.org,2026:21<") {
			t.Errorf("%s shows what is gone", name)
		}
	}
	slices.Sort(feeds)
	want := []string{"archive/1.atom.xml", "archive/1.json", "archive/1.xml", "tags/rest/atom.xml", "tags/rest/feed.xml"}
	if diff := cmp.Diff(want, feeds); diff != "" {
		t.Error(diff)
	}
}

func TestHubs(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.opt.Hubs = []string{"https://hub.example/a?b&c", "https://push.example/"}
	f.write(t, numbered(1))
	tree := f.tree(t)
	for name, want := range map[string]string{
		feed.RSSPath:  `<atom:link href="https://hub.example/a?b&amp;c" rel="hub"></atom:link>`,
		feed.AtomPath: `<link href="https://push.example/" rel="hub"></link>`,
		feed.JSONPath: `"url": "https://hub.example/a?b&c"`,
	} {
		if !strings.Contains(tree[name], want) {
			t.Errorf("%s lacks %s", name, want)
		}
	}
	if strings.Contains(tree["archive/1.xml"], "hub.example") {
		t.Error("a document of the archive names a hub that is not told of it")
	}
}

// TestIcons: they show the accent, and are drawn alike each time.
func TestIcons(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	f.write(t, nil)
	first := f.tree(t)
	if !bytes.HasPrefix([]byte(first[feed.IconPath]), []byte("\x89PNG")) {
		t.Error("the icon is no PNG")
	}
	again, err := icon("#b4532a", "#fdfcfa", iconSize)
	if err != nil || string(again) != first[feed.IconPath] {
		t.Errorf("another icon: %v", err)
	}
	if _, err := icon("red", "#fdfcfa", iconSize); err == nil {
		t.Error("red is a colour")
	}
	t.Log(fmt.Sprint(len(first[feed.IconPath]), " and ", len(first[feed.FaviconPath]), " bytes"))
}
