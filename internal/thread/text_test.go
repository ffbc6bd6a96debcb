package thread

import (
	"strings"
	"testing"

	"github.com/rivo/uniseg"

	"threadmill/internal/newsletter"
)

func TestPlain(t *testing.T) {
	for _, tt := range []struct{ markdown, want string }{
		{"", ""},
		{"a  *b* **c** ~~d~~ `e  *f*`", "a b c d e *f*"},
		{"one\ntwo  \nthree\\\nfour", "one two three four"},
		{"# Head\n\n- a\n- [x] b\n\n1. c", "Head a b c"},
		{"> quoted\n\n---\n\n| a | b |\n|---|---|\n| c | d |", "quoted a b c d"},
		{"[link](https://example.com) <https://a.example> www.b.example", "link https://a.example www.b.example"},
		{"![alt text](x.png) caption", "caption"},
		{"```go\nx := 1\n```\n\n    y", "x := 1 y"},
		{`\*not\* 1\. &amp; &copy; \&amp; &#x41; C:\dir`, `*not* 1. & © &amp; A C:\dir`},
		{"a <b>c</b> <!-- d -->", "a c"},
		{"<div>\nhidden\n</div>\n\nshown", "shown"},
		{"a\u00a0b \u202bשלום\u202c", "a\u00a0b \u202bשלום\u202c"},
		{"a\x00\x1b\r\nb\xff", "a b\ufffd"},
	} {
		if got := Plain(tt.markdown); got != tt.want {
			t.Errorf("Plain(%q) = %q, want %q", tt.markdown, got, tt.want)
		}
	}
}

func TestTitleFromText(t *testing.T) {
	for _, tt := range []struct{ body, want string }{
		{"The first sentence. The second.", "The first sentence."},
		{"Is it? Yes.", "Is it?"},
		{"A line of its own\nand another", "A line of its own"},
		{"**Bold** & [linked](x): here is how:", "Bold & linked: here is how"},
		{"🧵 A thread:\nHow sheds move.", "How sheds move."},
		{"Thread: how sheds move", "how sheds move"},
		{"I moved a shed. A thread 🧵👇", "I moved a shed."},
		{"I moved a shed 🧵", "I moved a shed"},
		{"I moved a shed – a short thread", "I moved a shed"},
		{"I moved a shed (thread)", "I moved a shed"},
		{"👇🏽⬇️ Down here", "🏽 Down here"},
		{"How to pull a thread", "How to pull a thread"},
		{"1/ Sheds move", "Sheds move"},
		{"1/14 Sheds move", "Sheds move"},
		{"(1/14) Sheds move", "Sheds move"},
		{"Sheds move 1/14", "Sheds move"},
		{"Sheds move [1/14] 🧵", "Sheds move"},
		{"1/4 cup of sugar", "1/4 cup of sugar"},
		{"24/7 is too much", "24/7 is too much"},
		{"1. Sheds move", "Sheds move"},
		{"1\\. Sheds move", "1. Sheds move"},
		{"Dr. Snow met J. Bach at St. James. He left.", "Dr. Snow met J. Bach at St. James."},
		{"It was me. It was I. We left.", "It was me."},
		{"木は木である。林は森ではない。", "木は木である。"},
		{"قال: نعم. ثم ذهب.", "قال: نعم."},
		{"![only a picture](https://example.com/a.png)\n\n---\n\nThe second post.", "The second post."},
		{"![only a picture](https://example.com/a.png)", "the file"},
		{"🧵", "the file"},
		{
			"In 2015, I went from leading a global team of 800 to an individual contributor role.",
			"In 2015, I went from leading a global team of 800 to an individual contributor…",
		},
	} {
		th, problems := Parse("2024-01-01-the file.md", []byte(tt.body), nil)
		if th.Title != tt.want || th.Titled {
			t.Errorf("title of %q is %q, want %q; %v", tt.body, th.Title, tt.want, problems)
		}
	}
}

func TestExcerpt(t *testing.T) {
	sentence := "This sentence has exactly fifty characters in it. "
	for _, tt := range []struct{ text, want string }{
		{"Short.", "Short."},
		{strings.Repeat(sentence, 8), strings.TrimSpace(strings.Repeat(sentence, 6))},
		{strings.Repeat("word ", 100), strings.TrimSpace(strings.Repeat("word ", 60)) + "…"},
		{strings.Repeat("字", 400), strings.Repeat("字", 299) + "…"},
		{strings.Repeat("👩‍🚀", 300), strings.Repeat("👩‍🚀", 300)},
		{"First block\n\nsecond block.", "First block second block."},
	} {
		th, _ := Parse("x.md", []byte(tt.text), nil)
		if th.Excerpt != tt.want {
			t.Errorf("excerpt of %.30q is\n%q, want\n%q", tt.text, th.Excerpt, tt.want)
		}
		if n := uniseg.GraphemeClusterCount(th.Excerpt); n > excerptLength {
			t.Errorf("excerpt of %.30q has %d characters", tt.text, n)
		}
	}
}

func TestCounts(t *testing.T) {
	for _, tt := range []struct {
		body           string
		words, minutes int
	}{
		{"one two, three – four\n\n---\n\n**five**-six 7", 6, 1},
		{"https://example.com www.example.com [text](https://example.com) <https://a.example> x", 2, 1},
		{"日本語 and 한국어", 7, 1},
		{strings.Repeat("word ", 230), 230, 1},
		{strings.Repeat("word ", 231), 231, 2},
		{strings.Repeat("字", 500), 500, 1},
		{strings.Repeat("字", 501), 501, 2},
		{strings.Repeat("![a](https://example.com/a.png) ", 6), 0, 1},
		{strings.Repeat("![a](https://example.com/a.png) ", 7), 0, 2},
		{"`code` counts\n\n```\nand so does this\n```", 6, 1},
	} {
		th, _ := Parse("x.md", []byte(tt.body), nil)
		if th.Words != tt.words || th.Minutes != tt.minutes {
			t.Errorf("%.40q: %d words, %d minutes; want %d, %d", tt.body, th.Words, th.Minutes, tt.words, tt.minutes)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		text  string
		limit int
		want  string
	}{
		{"one two", 7, "one two"},
		{"one two three", 8, "one two…"},
		{"one, two three", 8, "one…"},
		{"unbreakable", 5, "unbr…"},
		{"a unbreakable", 8, "a unbre…"},
		{"👩‍🚀👩‍🚀👩‍🚀", 2, "👩‍🚀…"},
	} {
		if got := cut(tt.text, tt.limit); got != tt.want {
			t.Errorf("cut(%q, %d) = %q, want %q", tt.text, tt.limit, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("2024-03-04-a.md", "---\ntitle: \"\\uD83D\"\ndate: 2024-01-01\nparams:\n  id: a\n---\nOne ![x](a.png) [l]\n---\n\n---\ntwo\n\n[l]: b\n")
	f.Add("a/index.md", "\ufeff---\r\ntags: [a, &b c, *b]\nimages: [%zz]\n---\r\n> ---\n\n```\n")
	f.Add("", "+++\n")
	f.Add("x", "🧵 1/ A thread:\x00\xff\n***\n| a |\n|---|\n")
	f.Fuzz(func(t *testing.T, file, source string) {
		th, problems := Parse(file, []byte(source), nil)
		broken := false
		for _, p := range problems {
			broken = broken || p.Severity == newsletter.Error
			legal(t, p.Field, p.Text)
		}
		legal(t, th.Slug, th.GUID, th.PinnedID, th.Title, th.Description, th.Excerpt, th.Subject,
			th.Author, th.Origin, th.Lang, th.References, Plain(source))
		for _, list := range [][]string{th.Tags, th.Images, th.Formerly, th.To, th.Assets} {
			legal(t, list...)
		}
		for _, p := range th.Posts {
			legal(t, p.Text)
			if strings.TrimSpace(p.Text) == "" || p.Line < 1 {
				t.Errorf("post %+v", p)
			}
		}
		if broken {
			return
		}
		if len(th.Posts) == 0 || th.Title == "" || th.Slug == "" || th.Minutes < 1 {
			t.Errorf("no problem, but posts %d, title %q, slug %q, minutes %d", len(th.Posts), th.Title, th.Slug, th.Minutes)
		}
	})
}

// legal fails the test when a text holds what XML 1.0, section 2.2 forbids.
func legal(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if clean(s) != s {
			t.Errorf("%q holds characters that XML forbids", s)
		}
	}
}
