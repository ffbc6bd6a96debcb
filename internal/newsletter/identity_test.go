package newsletter

import (
	"hash/fnv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// file makes a thread as its file would, from posts divided by "|".
func file(name, text string, with ...func(*Thread)) Thread {
	t := Thread{File: name, Source: text, Slug: strings.TrimLeft(DefaultID(name), "0123456789-"), Title: strings.Split(text, "|")[0]}
	for post := range strings.SplitSeq(text, "|") {
		t.Posts = append(t.Posts, Post{Text: post})
	}
	for _, f := range with {
		f(&t)
	}
	return t
}

func pinned(id string) func(*Thread) { return func(t *Thread) { t.PinnedID = id } }
func slugged(s string) func(*Thread) { return func(t *Thread) { t.Slug, t.Slugged = s, true } }

func titled(s string) func(*Thread)         { return func(t *Thread) { t.Title, t.Titled = s, true } }
func drafted(t *Thread)                     { t.Draft = true }
func out(k *KnownThread)                    { k.Issue, k.Sent = 1, k.Prints }
func unsent(*KnownThread)                   {}
func pinnedAs(id string) func(*KnownThread) { return func(k *KnownThread) { k.PinnedID = id } }

// known is what is remembered of a thread after it was seen.
func known(id string, t Thread, with ...func(*KnownThread)) KnownThread {
	k := KnownThread{ID: id, Slug: t.Slug, File: t.File, Prints: t.Prints(), Text: &t}
	for _, f := range with {
		f(&k)
	}
	return k
}

const (
	shed   = "Three lessons from moving a garden shed.|Measure twice, move once.|Rollers beat muscles."
	bread  = "Bread rises because yeast eats sugar and breathes.|Salt slows it down.|Patience does the rest."
	edited = "Three lessons from moving a garden shed.|Measure thrice, move once.|Rollers beat muscles, always."
	// every post touched by one letter or word
	retyped = "Three lessons from moving the garden shed.|Measure twice and move once.|Rollers do beat muscles."
	single  = "Pencils are hexagonal so that they do not roll off the desk, and because nine fit where eight round ones would."
	single2 = "Pencils are hexagonal so that they do not roll off a desk, and because nine fit where eight round ones would."
)

func TestIdentify(t *testing.T) {
	type result struct{ File, ID, Slug, DuplicateOf string }
	tests := []struct {
		name   string
		folder []Thread
		broken []string
		known  []KnownThread
		want   []result
	}{
		{
			name:   "first sight",
			folder: []Thread{file("2026-01-05-links.md", shed), file("2026-01-12-links.md", bread), file("moving/index.md", single)},
			want: []result{
				{"2026-01-05-links.md", "2026-01-05-links", "links", ""},
				{"2026-01-12-links.md", "2026-01-12-links", "links-2", ""},
				{"moving/index.md", "moving", "moving", ""},
			},
		},
		{
			name:   "a short opening does not make two columns one",
			folder: []Thread{file("2026-01-05-links.md", "Links of the week|"+shed), file("2026-01-12-links.md", "Links of the week|"+bread)},
			want: []result{
				{"2026-01-05-links.md", "2026-01-05-links", "links", ""},
				{"2026-01-12-links.md", "2026-01-12-links", "links-2", ""},
			},
		},
		{
			name:   "renamed",
			folder: []Thread{file("new-name.md", shed)},
			known:  []KnownThread{known("shed", file("shed.md", shed), out)},
			want:   []result{{"new-name.md", "shed", "shed", ""}},
		},
		{
			name:   "renamed and edited",
			folder: []Thread{file("new-name.md", edited)},
			known:  []KnownThread{known("shed", file("shed.md", "Three lessons from moving a garden shed.|Measure twice, move once.|Rollers beat muscles, always."), out)},
			want:   []result{{"new-name.md", "shed", "shed", ""}},
		},
		{
			name:   "renamed and touched, of one post",
			folder: []Thread{file("new-name.md", single2)},
			known:  []KnownThread{known("pencils", file("pencils.md", single), out)},
			want:   []result{{"new-name.md", "pencils", "pencils", ""}},
		},
		{
			name:   "edited",
			folder: []Thread{file("shed.md", edited)},
			known:  []KnownThread{known("shed", file("shed.md", shed), out)},
			want:   []result{{"shed.md", "shed", "shed", ""}},
		},
		{
			name:   "every post edited under the same title",
			folder: []Thread{file("shed.md", retyped, titled("Sheds"))},
			known:  []KnownThread{known("shed", file("shed.md", shed, titled("Sheds")), out)},
			want:   []result{{"shed.md", "shed", "shed", ""}},
		},
		{
			name:   "edited, of one post",
			folder: []Thread{file("pencils.md", single2)},
			known:  []KnownThread{known("pencils", file("pencils.md", single), out)},
			want:   []result{{"pencils.md", "pencils", "pencils", ""}},
		},
		{
			name:   "another slug",
			folder: []Thread{file("shed.md", shed, slugged("sheds"))},
			known:  []KnownThread{known("shed", file("shed.md", shed), out)},
			want:   []result{{"shed.md", "shed", "sheds", ""}},
		},
		{
			name:   "a slug that was made unique stays",
			folder: []Thread{file("shed.md", shed, slugged("links"))},
			known:  []KnownThread{known("shed", file("shed.md", shed, slugged("links-2")), out), known("links", file("links.md", bread), out)},
			want:   []result{{"shed.md", "shed", "links-2", ""}},
		},
		{
			name:   "a new text under an old name",
			folder: []Thread{file("shed.md", bread)},
			known:  []KnownThread{known("shed", file("shed.md", shed), out)},
			want:   []result{{"shed.md", "shed-2", "shed-2", ""}},
		},
		{
			name:   "a new text for a thread that never went out",
			folder: []Thread{file("shed.md", bread)},
			known:  []KnownThread{known("shed", file("shed.md", shed), unsent)},
			want:   []result{{"shed.md", "shed", "shed", ""}},
		},
		{
			name:   "names swapped",
			folder: []Thread{file("a.md", bread), file("b.md", shed)},
			known:  []KnownThread{known("a", file("a.md", shed), out), known("b", file("b.md", bread), out)},
			want:   []result{{"a.md", "b", "b", ""}, {"b.md", "a", "a", ""}},
		},
		{
			name:   "a sent thread moved to the name of one that waits",
			folder: []Thread{file("b.md", shed), file("c.md", bread)},
			known:  []KnownThread{known("a", file("a.md", shed), out), known("b", file("b.md", bread))},
			want:   []result{{"b.md", "a", "a", ""}, {"c.md", "b", "b", ""}},
		},
		{
			name:   "by params.id, whatever the name and the text",
			folder: []Thread{file("new-name.md", bread, pinned("shed"))},
			known:  []KnownThread{known("shed", file("shed.md", shed), out)},
			want:   []result{{"new-name.md", "shed", "shed", ""}},
		},
		{
			name:   "params.id given after it went out, and the file renamed later",
			folder: []Thread{file("new-name.md", bread, pinned("my-shed"))},
			known:  []KnownThread{known("shed", file("shed.md", shed), out, pinnedAs("my-shed"))},
			want:   []result{{"new-name.md", "shed", "shed", ""}},
		},
		{
			name:   "a params.id that is the name of another file",
			folder: []Thread{file("x.md", shed), file("y.md", bread, pinned("x"))},
			known:  []KnownThread{known("x", file("x.md", shed), out)},
			want:   []result{{"x.md", "x", "x", ""}, {"y.md", "", "y", "x"}},
		},
		{
			name:   "both at first sight",
			folder: []Thread{file("x.md", shed), file("y.md", bread, pinned("x"))},
			want:   []result{{"x.md", "x-2", "x", ""}, {"y.md", "x", "y", ""}},
		},
		{
			name:   "and at the second",
			folder: []Thread{file("x.md", shed), file("y.md", bread, pinned("x"))},
			known:  []KnownThread{known("x-2", file("x.md", shed)), known("x", file("y.md", bread), pinnedAs("x"))},
			want:   []result{{"x.md", "x-2", "x", ""}, {"y.md", "x", "y", ""}},
		},
		{
			name:   "a slug without its number is given when it is free",
			folder: []Thread{file("shed.md", shed, slugged("part"))},
			known:  []KnownThread{known("shed", file("shed.md", shed, slugged("part-2")), out)},
			want:   []result{{"shed.md", "shed", "part", ""}},
		},
		{
			name:   "one params.id in two files: the first seen stays",
			folder: []Thread{file("a-copy.md", shed, pinned("x")), file("shed.md", shed, pinned("x"))},
			known:  []KnownThread{known("x", file("shed.md", shed, pinned("x")))},
			want:   []result{{"a-copy.md", "", "a-copy", "x"}, {"shed.md", "x", "shed", ""}},
		},
		{
			name:   "one params.id in two new files",
			folder: []Thread{file("a.md", shed, pinned("x")), file("b.md", bread, pinned("x"))},
			want:   []result{{"a.md", "x", "a", ""}, {"b.md", "", "b", "x"}},
		},
		{
			name:   "imported a second time under another id",
			folder: []Thread{file("2026-copy.md", shed, pinned("x:17")), file("shed.md", shed)},
			known:  []KnownThread{known("shed", file("shed.md", shed), out)},
			want:   []result{{"2026-copy.md", "x:17", "copy", "shed"}, {"shed.md", "shed", "shed", ""}},
		},
		{
			name:   "the same opening under another id",
			folder: []Thread{file("again.md", "Three lessons from moving a garden shed.|Quite another lesson.")},
			known:  []KnownThread{known("shed", file("shed.md", shed), out)},
			want:   []result{{"again.md", "again", "again", "shed"}},
		},
		{
			name:   "a draft copy holds nothing up",
			folder: []Thread{file("a-draft.md", shed, drafted), file("shed.md", shed)},
			want:   []result{{"a-draft.md", "a-draft", "a-draft", ""}, {"shed.md", "shed", "shed", ""}},
		},
		{
			name:   "the one seen first stands before its copy",
			folder: []Thread{file("a.md", shed), file("b.md", shed)},
			known:  []KnownThread{known("b", file("b.md", shed))},
			want:   []result{{"a.md", "a", "a", "b"}, {"b.md", "b", "b", ""}},
		},
		{
			name:   "a broken file keeps its place",
			folder: []Thread{file("other.md", shed)},
			broken: []string{"shed.md"},
			known:  []KnownThread{known("shed", file("shed.md", shed))},
			want:   []result{{"other.md", "other", "other", ""}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []result
			for _, i := range Identify(tt.folder, tt.broken, tt.known, mint) {
				got = append(got, result{i.File, i.ID, i.Slug, i.DuplicateOf})
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error("identities (-want +got):\n" + d)
			}
		})
	}
}

func mint(slug string) string { return "tag:example.com,2026:" + slug }

// Ids in the feeds are never given twice, whatever became of slugs.
func TestGUIDs(t *testing.T) {
	old := known("shed", file("shed.md", shed, slugged("sheds")), out)
	old.GUID = mint("shed")
	folder := []Thread{
		file("shed.md", shed, slugged("sheds")),
		file("2024-05-05-shed.md", bread),
		file("a.md", single, func(t *Thread) { t.GUID = mint("b") }),
		file("b.md", "Another text that has nothing to do with the others."),
	}
	var got []string
	for _, i := range Identify(folder, nil, []KnownThread{old}, mint) {
		got = append(got, i.GUID)
	}
	want := []string{mint("shed"), mint("shed") + "-2", mint("b"), mint("b") + "-2"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("guids (-want +got):\n" + d)
	}
}

// Texts are only asked for when a file holds something new.
func TestUndecided(t *testing.T) {
	list := []KnownThread{known("a", file("a.md", shed), out), known("gone", file("gone.md", bread), out)}
	if got := Undecided([]Thread{file("a.md", edited)}, nil, list); got != nil {
		t.Errorf("every file holds what it held, but texts %v are wanted", got)
	}
	if got := Undecided([]Thread{file("a.md", edited), file("new.md", single)}, nil, list); !cmp.Equal(got, []int{1}) {
		t.Errorf("beside a new file the texts %v are wanted, want that of the one that is gone", got)
	}
}

func TestPrints(t *testing.T) {
	same := [][2]string{
		{"Measure twice!", "measure   twice"},
		{"**Bold** word", "Bold word"},
		{"don't", "don’t"},
		{"🎉", " 🎉 "},
		{"日本 語", "日本語"},
	}
	for _, s := range same {
		a, b := file("a", s[0]).Prints(), file("b", s[1]).Prints()
		if d := cmp.Diff(a, b); d != "" {
			t.Errorf("%q and %q differ:\n%s", s[0], s[1], d)
		}
	}
	if a, b := file("a", "🎉").Prints(), file("b", "🧵").Prints(); a.shared(b) != 0 {
		t.Error("two pictures are one text")
	}
	for _, text := range []string{shed, single, "", "🎉|🎉"} {
		want := file("x", text).Prints()
		got, err := ParsePrints(want.String())
		if err != nil {
			t.Fatalf("ParsePrints(%q): %v", want, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("read back (-want +got):\n%s", d)
		}
	}
	for _, bad := range []string{"x", "zz:", "0:zz", "00"} {
		if p, err := ParsePrints(bad); err == nil {
			t.Errorf("ParsePrints(%q) = %v, want an error", bad, p)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add(shed, edited, bread, "x")
	f.Add("", "a", "|", "")
	f.Fuzz(func(t *testing.T, a, b, c, id string) {
		folder := []Thread{file("a.md", a), file("b.md", b, pinned(id)), file("sub/index.md", c, slugged(id))}
		known := []KnownThread{known("a", file("a.md", b), out), known("k", file("gone.md", c)), known("b", file("b.md", a, pinned(id)))}
		ids, slugs := map[string]bool{}, map[string]bool{}
		for _, i := range Identify(folder, nil, known, mint) {
			if i.ID == "" && i.DuplicateOf == "" {
				t.Fatalf("%s has no id", i.File)
			}
			if i.ID == "" {
				continue
			}
			if ids[i.ID] || slugs[i.Slug] {
				t.Fatalf("id %q or slug %q is given twice", i.ID, i.Slug)
			}
			ids[i.ID], slugs[i.Slug] = true, true
		}
	})
}

// The fingerprints are kept for years: they are those of the words.
func FuzzPrints(f *testing.F) {
	for _, text := range []string{shed, "Don't — DON’T|Ünïcode Ǆ ﬁ", "日本語 and kanji|カタカナx", "🎉", " | ", "a\xffb|\xff", "e\u0301 ×2 ٣"} {
		f.Add(text)
	}
	sum := func(words []string) uint64 {
		h := fnv.New64a()
		for _, w := range words {
			_, _ = h.Write(append([]byte(w), 0))
		}
		return h.Sum64()
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want Prints
		var opening []string
		for _, post := range file("x.md", text).Posts {
			want.Posts = append(want.Posts, sum(words(post.Text)))
			if len(opening) < openingWords {
				opening = append(opening, words(post.Text)...)
				want.Opening = sum(opening)
			}
		}
		if d := cmp.Diff(want, file("x.md", text).Prints()); d != "" {
			t.Errorf("prints of %q (-want +got):\n%s", text, d)
		}
	})
}

func TestSameText(t *testing.T) {
	a := Thread{Title: "A", Posts: []Post{{Text: "One\ntwo", Line: 3}}, Tags: []string{"x"}, Digest: "1"}
	for name, tt := range map[string]struct {
		b    Thread
		same bool
	}{
		"other tags and lines": {Thread{Title: "A", Posts: []Post{{Text: "One\ntwo", Line: 9}}}, true},
		"white space":          {Thread{Title: "A", Posts: []Post{{Text: "One  \r\ntwo"}}}, true},
		"a comma":              {Thread{Title: "A", Posts: []Post{{Text: "One,\ntwo"}}}, false},
		"title":                {Thread{Title: "B", Posts: a.Posts}, false},
		"another post":         {Thread{Title: "A", Posts: append([]Post{{}}, a.Posts...)}, false},
		"where a link leads":   {Thread{Title: "A", Posts: a.Posts, References: "[a]: b"}, false},
	} {
		if SameText(a, tt.b) != tt.same {
			t.Errorf("%s: the same is %v, want %v", name, !tt.same, tt.same)
		}
	}
}
