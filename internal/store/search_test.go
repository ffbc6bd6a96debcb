package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/search"
	"threadmill/internal/store"
	files "threadmill/internal/thread"
)

// searchable keeps threads that went out elsewhere, a day apart, and what the
// search knows of them.
func searchable(t *testing.T, s *store.Store, sources map[string]string, order ...string) {
	t.Helper()
	known := got(s.Threads(t.Context()))(t)
	day := time.Date(2026, time.November, 1, 9, 0, 0, 0, time.UTC)
	var updates []newsletter.ThreadUpdate
	for i, slug := range order {
		updates = append(updates, newsletter.ThreadUpdate{
			Thread: newsletter.Thread{ID: slug, Slug: slug, GUID: slug, File: slug + ".md", Source: sources[slug], Published: day.AddDate(0, 0, i), Digest: fmt.Sprint(len(sources[slug]))},
			New:    true, Archive: true,
		})
	}
	must(t, s.UpdateThreads(t.Context(), time.Now(), known.Stamp, updates))
	got(index(s).Update(t.Context()))(t)
}

func index(s *store.Store) search.Index {
	return search.Index{Store: s, Parse: files.Reader{Zone: time.UTC}.Parse, Plain: files.Plain, Log: quiet()}
}

// find returns the slugs of what a query finds.
func find(t *testing.T, s *store.Store, query string) []string {
	t.Helper()
	list, total, err := s.Search(t.Context(), search.Parse(query), 0, 20)
	must(t, err)
	if total != len(list) {
		t.Errorf("%q: %d of %d threads", query, len(list), total)
	}
	slugs := []string{}
	for _, f := range list {
		slugs = append(slugs, f.Slug)
	}
	return slugs
}

func TestSearch(t *testing.T) {
	t.Parallel()
	sources := map[string]string{
		"shed":    "---\ntitle: Moving a shed\ntags: [home, tools]\n---\nThree neighbours and a rope.\n\n---\n\nThe café NEAR the old mill, and not a bolt was lost.\n",
		"rope":    "---\ntitle: All about rope\n---\nKnots *mostly*. The mill made it in the old days: `rope.Splice()`.\n",
		"tokyo":   "---\ntitle: 東京の夜\nlang: ja\n---\n東京タワーを見に行きました。ガラスの階段。\n",
		"seoul":   "---\ntitle: 서울\nlang: ko\n---\n서울에서 부산까지 기차를 탔다.\n",
		"strasse": "---\ntitle: Die Straße\nlang: de\n---\nÜber den Fluß: 100 % schöner, C++ & \"Ruhe\".\n",
		"secret":  "---\ntitle: By mail only\nparams:\n  channels: [mail]\n---\nThe rope again.\n",
	}
	order := []string{"shed", "rope", "tokyo", "seoul", "strasse", "secret"}
	onEach(t, func(t *testing.T, s *store.Store) {
		searchable(t, s, sources, order...)
		for query, want := range map[string][]string{
			"rope":                                  {"rope", "shed"}, // the title counts more than the text
			"old":                                   {"rope", "shed"}, // else the newest first
			"ROPE Mill":                             {"rope", "shed"},
			"rop":                                   {"rope", "shed"},
			"rop mill":                              {}, // only the last word may go on
			"mill rop":                              {"rope", "shed"},
			"tools":                                 {"shed"},
			"cafe":                                  {"shed"},
			"CAFÉ":                                  {"shed"},
			`"old mill"`:                            {"shed"},
			`"mill old"`:                            {},
			`"the old mil`:                          {"shed"},
			`"the old mil"`:                         {},
			"near":                                  {"shed"},
			"rope AND neighbours":                   {"shed"},
			"rope OR nothing":                       {},
			"NEAR(rope shed)":                       {}, // "near rope" in a row
			"rope.splice":                           {"rope"},
			"title:rope":                            {},
			"rope*":                                 {"rope", "shed"},
			"-rope":                                 {"rope", "shed"},
			"strasse":                               {"strasse"},
			"STRASSE":                               {"strasse"},
			"uber fluss":                            {"strasse"},
			"c++":                                   {"strasse"},
			"100%":                                  {"strasse"},
			"東京":                                    {"tokyo"},
			"京タ":                                    {"tokyo"},
			"東":                                     {"tokyo"},
			"夜":                                     {"tokyo"},
			"京東":                                    {},
			"行きました":                                 {"tokyo"},
			"ガラス 東京":                                {"tokyo"},
			"カラス":                                   {},
			"서울":                                    {"seoul"},
			"부산까지":                                  {"seoul"},
			"'":                                     {},
			"''; DROP TABLE x; --":                  {},
			`\`:                                     {},
			`"`:                                     {},
			"":                                      {},
			"%":                                     {},
			"_":                                     {},
			"<script>rope</script>":                 {},
			"rope\x00mill":                          {"rope", "shed"},
			"rope \xff\xfe mill":                    {"rope", "shed"},
			"mail only":                             {},
			"NOT":                                   {"shed"},
			"( rope ) ^ {mill} + -":                 {"rope", "shed"},
			"mill " + strings.Repeat("rope ", 4000): {"rope", "shed"},
			strings.Repeat("x", 10_000):             {},
		} {
			if diff := cmp.Diff(want, find(t, s, query)); diff != "" {
				t.Errorf("%.60q (-want +got):\n%s", query, diff)
			}
		}
	})
}

func TestSearchPages(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store) {
		sources, order := map[string]string{}, []string{}
		for i := range 45 {
			slug := fmt.Sprintf("t%02d", i)
			sources[slug], order = "Words about stone "+strings.Repeat("x", i)+".\n", append(order, slug)
		}
		searchable(t, s, sources, order...)
		var seen []string
		for page := range 4 {
			list, total, err := s.Search(t.Context(), search.Parse("stone"), page*20, 20)
			must(t, err)
			if want := min(20, max(0, 45-page*20)); len(list) != want || want > 0 && total != 45 {
				t.Errorf("page %d has %d of %d", page, len(list), total)
			}
			for _, f := range list {
				seen = append([]string{f.Slug}, seen...)
			}
		}
		if diff := cmp.Diff(order, seen); diff != "" {
			t.Error(diff)
		}
	})
}

// TestSearchFollows edits and withdraws a thread, and adds one that is not out.
func TestSearchFollows(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, s *store.Store) {
		k := thread("a", "Lions.")
		addThreads(t, s, k)
		got(s.Publish(t.Context(), issueOf(1, k), nil, snap, 1))(t)
		edit := func(source string) {
			t.Helper()
			k.Source, k.Digest = source, source
			waits := thread("w"+source, "A zebra waits.")
			must(t, update(t, s, at(1), newsletter.ThreadUpdate{Thread: k, Edited: true}, newsletter.ThreadUpdate{Thread: waits, New: true}))
			got(index(s).Update(t.Context()))(t)
		}
		edit("zebra")
		if diff := cmp.Diff([]string{k.Slug}, find(t, s, "zebra")); diff != "" {
			t.Error(diff)
		}
		edit("giraffe")
		if found := find(t, s, "zebra"); len(found) > 0 {
			t.Errorf("found by what it does not hold any more: %v", found)
		}
		if diff := cmp.Diff([]string{k.Slug}, find(t, s, "giraffe")); diff != "" {
			t.Error(diff)
		}
		if n := got(index(s).Update(t.Context()))(t); n != 0 {
			t.Errorf("%d texts were kept again", n)
		}
		got(s.WithdrawIssue(t.Context(), 1))(t)
		if found := find(t, s, "giraffe"); len(found) > 0 {
			t.Errorf("found after it was withdrawn: %v", found)
		}
	})
}
