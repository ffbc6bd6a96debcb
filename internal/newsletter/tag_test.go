package newsletter

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
)

func TestTagPath(t *testing.T) {
	for tag, want := range map[string]string{
		"Go":                      "tags/go/",
		"go":                      "tags/go/",
		" Small  Repairs ":        "tags/small-repairs/",
		"C":                       "tags/c/",
		"C++":                     "tags/c-plus-plus/",
		"C#":                      "tags/c-sharp/",
		"#golang":                 "tags/golang/",
		".NET":                    "tags/net/",
		"go/no-go":                "tags/go-no-go/",
		"../../etc":               "tags/etc/",
		`a\b:c*d?`:                "tags/a-b-c-d/",
		"50 %":                    "tags/50/",
		"Über uns":                "tags/über-uns/",
		"ΟΔΟΣ":                    "tags/οδοσ/",
		"οδος":                    "tags/οδοσ/",
		"日本語":                     "tags/日本語/",
		"عربي":                    "tags/عربي/",
		"हिन्दी":                  "tags/हिन्दी/",
		"می\u200cخواهم":           "tags/میخواهم/",
		"":                        "",
		"🧵\ufe0f":                 "",
		"...":                     "",
		"\xff\xfe":                "",
		strings.Repeat("ab ", 99): "tags/" + strings.Repeat("ab-", 19) + "ab/",
	} {
		if got := TagPath(tag); got != want {
			t.Errorf("TagPath(%q) = %q, want %q", tag, got, want)
		}
	}
}

func TestLinkOfATag(t *testing.T) {
	pub := Publication{URL: "https://example.org/letters"}
	if got, want := pub.Link(TagPath("Über")), "https://example.org/letters/tags/%C3%BCber/"; got != want {
		t.Errorf("Link = %q, want %q", got, want)
	}
}

func TestTagsOf(t *testing.T) {
	entry := func(id string, tags ...string) Entry { return Entry{Thread: Thread{ID: id, Tags: tags}} }
	var got []string
	for _, tag := range TagsOf([]Entry{
		entry("1", "Go", "go", "C++", "🧵"), entry("2", "go", "home  repairs"), entry("3", "Go"), entry("4", "c++"),
	}) {
		s := tag.Path + " " + tag.Name + ":"
		for _, e := range tag.Entries {
			s += " " + e.ID
		}
		got = append(got, s)
	}
	want := []string{"tags/c-plus-plus/ C++: 1 4", "tags/go/ Go: 1 2 3", "tags/home-repairs/ home repairs: 2"}
	if !slices.Equal(got, want) {
		t.Errorf("TagsOf = %q, want %q", got, want)
	}
	if TagsOf(nil) != nil {
		t.Error("there are tags of nothing")
	}
}

func FuzzTagPath(f *testing.F) {
	for _, s := range []string{"Go", "C++", "../..", "\x00", "İ", "ǅ", "e\u0301", strings.Repeat("𝔘", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, tag string) {
		path := TagPath(tag)
		if path == "" {
			return
		}
		slug := strings.TrimSuffix(strings.TrimPrefix(path, "tags/"), "/")
		if !fs.ValidPath("tags/"+slug) || strings.Count(path, "/") != 2 || len(slug) > 255 || strings.ContainsAny(slug, ". %?#\\") {
			t.Errorf("TagPath(%q) = %q", tag, path)
		}
		if again := TagPath(slug); again != path {
			t.Errorf("TagPath(%q) = %q, and of that %q", tag, path, again)
		}
	})
}
