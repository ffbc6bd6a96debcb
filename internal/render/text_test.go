package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

// plain renders one post as a text mail shows it.
func plain(t testing.TB, text string) string {
	t.Helper()
	thread := newsletter.Thread{Slug: "x", Posts: []newsletter.Post{{Text: text}}}
	base, err := threadBase(publication(), thread)
	if err != nil {
		t.Fatal(err)
	}
	w := textWriter{image: "Image"}
	return w.posts(thread, base)[0]
}

func TestText(t *testing.T) {
	word := strings.Repeat("long ", 20)
	tests := []struct {
		name, text, want string
	}{
		{"paragraphs", "one\ntwo\n\nthree", "one\ntwo\n\nthree"},
		{"wrapped", word, strings.TrimSpace(strings.Repeat("long ", 14)) + "\n" + strings.TrimSpace(strings.Repeat("long ", 6))},
		{"marks", "*a* **b** ~~c~~ `d` \\*f\\*", "_a_ *b* ~c~ `d` *f*"},
		{"references to characters", "&lt;b&gt; &amp;amp; \\&amp;", "<b> &amp; &amp;"},
		{"links", "[a](https://a.example) and [b](https://b.example/x)", "a [1] and b [2]\n\n[1] https://a.example\n[2] https://b.example/x"},
		{"address with references", "[a](https://a.example/?b&amp;c=\\*)", "a [1]\n\n[1] https://a.example/?b&c=*"},
		{"link that is its own text", "[https://a.example](https://a.example) <me@b.example>", "https://a.example me@b.example"},
		{"link without words", "[](https://a.example)", "https://a.example"},
		{"picture", "![A cat](cat.jpg)", "[Image: A cat] https://bench.example.org/news/threads/x/cat.jpg"},
		{"picture without words", "![](https://a.example/b.png)", "[Image] https://a.example/b.png"},
		{"list", "- a\n- b\n  c\n\n  d\n- e", "- a\n\n- b\n  c\n\n  d\n\n- e"},
		{"nested list", "9. a\n   - b\n10. c", "9. a\n   - b\n10. c"},
		{"empty item", "-\n- a", "-\n- a"},
		{"quote", "> a\n>\n> - b\n> > c", "> a\n>\n> - b\n>\n> > c"},
		{"code", "```\na\n\n  b\n```", "    a\n\n      b"},
		{"indented code", "    a", "    a"},
		{"rule in a quote", "> a\n>\n> ***", "> a\n>\n> * * *"},
		{"heading", "# A *title*\n\ntext", "A _title_\n---------\n\ntext"},
		{"empty heading", "#\n\ntext", "text"},
		{"table", "| a | b |\n|---|---|\n| ccc | d |", "a   | b\nccc | d"},
		{"wide table", "| a | " + word + "|\n|---|---|\n", "a | " + strings.TrimSpace(strings.Repeat("long ", 13)) + "\n" + strings.TrimSpace(strings.Repeat("long ", 7))},
		{
			"table wider than a line", "| Word | Meaning |\n|---|---|\n| ketchup | " + word + "|\n| | b |\n",
			"- Word: ketchup\n  Meaning: " + strings.TrimSpace(strings.Repeat("long ", 12)) + "\n  " + strings.TrimSpace(strings.Repeat("long ", 8)) + "\n- Meaning: b",
		},
		{"HTML", "<b>x</b>\n\n<div>\nx\n</div>\n\n<!-- c -->", "<b>x</b>\n\n<div>\nx\n</div>"},
		{"control characters", "a\x01\x07b\ufffe", "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, plain(t, tt.text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// The footnotes of a mail are numbered through and stand under their post.
func TestFootnotes(t *testing.T) {
	thread := newsletter.Thread{Posts: []newsletter.Post{{Text: "[a](https://a.example)"}, {Text: "none"}, {Text: "[b](https://b.example)"}}}
	w := textWriter{image: "Image"}
	want := []string{"a [1]\n\n[1] https://a.example", "none", "b [2]\n\n[2] https://b.example"}
	if diff := cmp.Diff(want, w.posts(thread, nil)); diff != "" {
		t.Errorf("posts (-want +got):\n%s", diff)
	}
}

func TestWrap(t *testing.T) {
	tests := []struct {
		name, text string
		width      int
		want       []string
	}{
		{"empty", "", 10, []string{""}},
		{"spaces", "  a   b  ", 10, []string{"a b"}},
		{"just fits", "12345 7890", 10, []string{"12345 7890"}},
		{"one too many", "12345 78901", 10, []string{"12345", "78901"}},
		{"long word", "ab 123456789012", 10, []string{"ab 1234567", "89012"}},
		{"address", "see https://example.com/a-b/c now", 10, []string{"see", "https://example.com/a-b/c", "now"}},
		{"hyphen", "well-known thing", 12, []string{"well-known", "thing"}},
		{"wide letters", "まず地面をよく見る。", 10, []string{"まず地面を", "よく見る。"}},
		{"mixed", "ab 地面を見る", 8, []string{"ab 地面", "を見る"}},
		{"emoji of many runes", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 4, []string{"👩‍👩‍👧‍👦👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"}},
		{"combining marks", "éé éé", 2, []string{"éé", "éé"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, wrap(tt.text, tt.width)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Any post becomes legal text, and wrapping loses no letter.
func FuzzText(f *testing.F) {
	for _, p := range shed().Posts {
		f.Add(p.Text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := plain(t, text); strings.ContainsFunc(got, illegal) {
			t.Errorf("text holds a character that XML forbids: %q", got)
		}
		want := strings.Join(strings.Fields(text), "")
		if got := strings.Join(strings.Fields(strings.Join(wrap(text, 20), "\n")), ""); got != want {
			t.Errorf("wrap turned %q into %q", want, got)
		}
	})
}

// A picture is called by the word of the thread's language.
func TestTextPictureWord(t *testing.T) {
	issue := single()
	issue.Threads[0].Lang = "de"
	mail, err := builtin(t).Mail(publication(), issue, reader())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(mail.Text, "[Bild: Fence posts") || strings.Contains(mail.Text, "[Image: ") {
		t.Error("the picture of a German thread is not called Bild")
	}
}
