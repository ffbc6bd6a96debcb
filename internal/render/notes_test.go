package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

// Footnotes are numbered through the thread and stand under their post, wherever
// the file defines them. Only a page of their own has ids and links for them,
// since whatever else may stand beside another thread.
func TestNotes(t *testing.T) {
	thread := newsletter.Thread{
		Slug:  "x",
		Notes: "[^a]: A *note*, see [it](https://example.com/n).\n\n[^b]: One.\n\n    Two.",
		Posts: []newsletter.Post{{Text: "One.[^a] Again.[^a]"}, {Text: "Two[^b] [^none]\n\n[^b]: One.\n\n    Two."}, {Text: "Three."}},
	}
	base, err := threadBase(publication(), thread)
	if err != nil {
		t.Fatal(err)
	}
	const link = `<a href="https://example.com/n">it</a>.`
	const back = ` <a href="#noteref-`
	tests := []struct {
		name string
		form form
		want []string
	}{
		{"page", form{page: true}, []string{
			`<p>One.<sup id="noteref-1"><a href="#note-1" role="doc-noteref">1</a></sup> Again.<sup id="noteref-1-2"><a href="#note-1" role="doc-noteref">1</a></sup></p>
<ol class="notes">
<li id="note-1">A <em>note</em>, see ` + link + back + `1" role="doc-backlink" aria-label="Back to the text of note 1">↩︎</a>` +
				back + `1-2" role="doc-backlink" aria-label="Back to the text of note 1">↩︎</a></li>
</ol>`,
			`<p>Two<sup id="noteref-2"><a href="#note-2" role="doc-noteref">2</a></sup> [^none]</p>
<ol start="2" class="notes">
<li id="note-2"><p>One.</p>
<p>Two.` + back + `2" role="doc-backlink" aria-label="Back to the text of note 2">↩︎</a></p>
</li>
</ol>`,
			"<p>Three.</p>",
		}},
		{"list", form{page: true, base: base}, []string{"<p>One.<sup>1</sup> Again.<sup>1</sup></p>\n<ol class=\"notes\">\n<li>A <em>note</em>, see " + link + "</li>\n</ol>"}},
		{"feed", form{base: base}, []string{
			"<p>One.<sup>1</sup> Again.<sup>1</sup></p>\n<ol>\n<li>A <em>note</em>, see " + link + "</li>\n</ol>",
			"<p>Two<sup>2</sup> [^none]</p>\n<ol start=\"2\">\n<li><p>One.</p>\n<p>Two.</p>\n</li>\n</ol>",
		}},
		{"mail", form{base: base, style: map[string]string{"ol": "x:y", "li": "z:z"}}, []string{
			"<p>One.<sup>1</sup> Again.<sup>1</sup></p>\n<ol style=\"x:y\">\n<li style=\"z:z\">A <em>note</em>, see " + link + "</li>\n</ol>",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			posts, err := tt.form.posts(thread)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, posts[:len(tt.want)]); diff != "" {
				t.Errorf("posts (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("text", func(t *testing.T) {
		w := textWriter{image: "Image"}
		got := strings.Join(w.posts(thread, base), "\n--\n")
		const want = `One.[1] Again.[1]

[1] A _note_, see it [2].
[2] https://example.com/n
--
Two[3] [^none]

[3] One.

    Two.
--
Three.`
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("text (-want +got):\n%s", diff)
		}
	})
}
