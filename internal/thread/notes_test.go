package thread

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

// The definitions of footnotes hold in all posts, are no post of their own, and
// stand in no title and no excerpt.
func TestNotes(t *testing.T) {
	const file = `A hook.[^1] More.[^far]

[^1]: word
[^lost]: Nobody refers to it.
[^1]: Once more.

---

Second.

---

[^far]: Far away,
and lazy.

    ` + "```" + `
    code
    ` + "```" + `
`
	th, problems := Parse("x.md", []byte(file), time.UTC)
	want := []newsletter.Problem{
		{File: "x.md", Line: 4, Severity: newsletter.Warning, Text: "footnote [^lost]: nothing refers to it, so nobody sees it"},
		{File: "x.md", Line: 5, Severity: newsletter.Warning, Text: "footnote [^1]: defined a second time; the first one is shown everywhere"},
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if len(th.Posts) != 2 || th.References != "" || th.Title != "A hook." || th.Excerpt != "A hook. More." {
		t.Errorf("%d posts, references %q, title %q, excerpt %q", len(th.Posts), th.References, th.Title, th.Excerpt)
	}
	const notes = "[^1]: word\n\n[^far]: Far away,\nand lazy.\n\n    ```\n    code\n    ```"
	if diff := cmp.Diff(notes, th.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}
