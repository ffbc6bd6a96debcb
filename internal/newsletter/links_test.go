package newsletter

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestResolve(t *testing.T) {
	posts := []Post{{Text: "One."}, {Text: "# The *second* part\n\nTwo."}}
	out := func(id, slug, title, file string) Listed {
		return Listed{Thread: Thread{ID: id, Slug: slug, Title: title, File: file, Posts: posts}, Issue: 1}
	}
	waiting := out("2024-02-02-later", "later", "Later", "2024-02-02-later.md")
	waiting.Issue = 0
	byMail := out("letter", "letter", "A letter", "letter.md")
	byMail.Channels = []Channel{ChannelMail}
	withdrawn := out("taken-back", "taken-back", "Taken back", "taken-back.md")
	withdrawn.Withdrawn = true
	gone := out("gone", "gone", "Gone", "")
	gone.Stood = "deep/gone.md"
	usurped := out("old-shed", "old-shed", "Old shed", "")
	usurped.Stood = "2024-03-04-shed.md"
	from := out("here", "here", "Here", "here/index.md")
	from.Issue = 0
	threads := []Listed{
		from, waiting, byMail, withdrawn, gone,
		out("2024-03-04-shed", "shed", "Moving a shed", "2024-03-04-shed.md"),
		out("far", "far-off", "Far off", "a/long/way/shed.md"),
		out("near", "near", "Near", "b/shed.md"),
		usurped,
	}
	links := NewLinks(threads)
	for target, want := range map[string]string{
		"../2024-03-04-shed.md":                 "../shed/",
		"/2024-03-04-shed.md":                   "../shed/",
		"2024-03-04-shed.md#post-2":             "../shed/#post-2",
		"../2024-03-04-shed.md#post-3":          "../shed/",
		"../2024-03-04-shed.md#the-second-part": "../shed/#post-2",
		"index.md":                              "../here/",
		"../deep/gone.md":                       "../gone/",
		"[[2024-03-04-shed":                     "../shed/",
		"[[shed":                                "../near/", // the shortest path
		"[[way/Shed":                            "../far-off/",
		"[[moving a SHED#The second part":       "../shed/#post-2",
		"[[far":                                 "../far-off/",
		"[[#The second part":                    "../here/#post-2",
		"[[here/index":                          "../here/",
		"../2024-02-02-later.md":                "not published yet: plain text until then",
		"[[letter":                              "that thread goes out by mail only: plain text",
		"[[Taken back":                          "that thread is withdrawn: plain text",
		"../../../etc/passwd.md":                "there is no such thread: the link is left out",
		"[[..":                                  "there is no such thread: the link is left out",
	} {
		from.Links = []Link{{Target: target, Line: 7}}
		linked, problems := links.Resolve(&from, nil)
		got := linked[target]
		for _, p := range problems {
			_, got, _ = cutLast(p.Text, "\": ")
			if p.Line != 7 || p.Severity != Warning {
				t.Errorf("%s: %+v", target, p)
			}
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
	from.Links = []Link{{Target: "[[later"}}
	linked, problems := links.Resolve(&from, func(t Listed) bool { return t.ID == waiting.ID })
	if diff := cmp.Diff(map[string]string{"[[later": "../later/"}, linked); diff != "" || len(problems) > 0 {
		t.Errorf("one that goes out along: %s %v", diff, problems)
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	for i := len(s) - len(sep); i >= 0; i-- {
		if s[i:i+len(sep)] == sep {
			return s[:i], s[i+len(sep):], true
		}
	}
	return s, "", false
}

func FuzzResolve(f *testing.F) {
	for _, seed := range []string{"[[a#b", "../a.md#post-1", "[[/", "[[../../a", "%zz.md", "//a.md", "[[index"} {
		f.Add(seed)
	}
	links := NewLinks([]Listed{{Thread: Thread{ID: "a", Slug: "a", File: "b/a.md", Posts: []Post{{Text: "# b"}}}, Issue: 1, OutAt: time.Unix(1, 0)}})
	f.Fuzz(func(t *testing.T, target string) {
		from := Listed{Thread: Thread{ID: "x", Slug: "x", File: "x.md", Links: []Link{{Target: target}}}}
		linked, problems := links.Resolve(&from, nil)
		_ = ThreadLink(target)
		if len(linked)+len(problems) != 1 {
			t.Errorf("%q leads to %v, with %v", target, linked, problems)
		}
	})
}
