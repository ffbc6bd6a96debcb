package importer

import (
	"bytes"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	xhtml "golang.org/x/net/html"
)

func TestHeadline(t *testing.T) {
	for text, want := range map[string]string{
		"One. Two.":                 "One.",
		"1. Be bright. Be gone.":    "1. Be bright.",
		"Here is how:":              "Here is how",
		"42":                        "42",
		strings.Repeat("word ", 20): strings.TrimSpace(strings.Repeat("word ", 16)) + "…",
		strings.Repeat("字", 100):    strings.Repeat("字", 79) + "…",
	} {
		if got := headline(text); got != want {
			t.Errorf("headline(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestMakeSlug(t *testing.T) {
	for title, want := range map[string]string{
		"Bees & Übel!": "bees-and-ubel", "🐝": "thread", "": "thread",
		strings.Repeat("word ", 20): strings.TrimSuffix(strings.Repeat("word-", 12), "-"),
	} {
		if got := makeSlug(title); got != want {
			t.Errorf("makeSlug(%q) = %q, want %q", title, got, want)
		}
	}
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"1. x":                          `1\. x`,
		"2) x":                          `2\) x`,
		"3.5 is a number":               "3.5 is a number",
		"# head":                        `\# head`,
		"#tag stays":                    "#tag stays",
		"- item":                        `\- item`,
		"-5 degrees":                    "-5 degrees",
		"---":                           `\---`,
		"===":                           `\===`,
		"> said":                        `\> said`,
		"*soup* and 2 * 3":              `\*soup\* and 2 * 3`,
		"_x_ some_name_here":            `\_x\_ some_name_here`,
		"a `b` <3 <b>":                  "a \\`b\\` <3 \\<b>",
		"[a](b) [c]":                    `[a\](b) [c]`,
		"~~a~~ ~5":                      `\~\~a\~\~ ~5`,
		"AT&T &amp;":                    `AT&T \&amp;`,
		`C:\dir \* \`:                   `C:\dir \\\* \\`,
		"https://a.example/x_y_*z, ok_": `<https://a.example/x_y_*z>, ok\_`,
		"(https://a.example/x_(y))":     `(<https://a.example/x_(y))>`,
		"(https://a.example/x_y)":       "(https://a.example/x_y)",
		"www.a.example/_x":              `www.a.example/\_x`,
		"| a | b |":                     `\| a | b |`,
		"~~~":                           `\~\~\~`,
	} {
		if got := escape(text); got != want {
			t.Errorf("escape(%q) = %q, want %q", text, got, want)
		}
	}
}

// rendered is what a reader sees of Markdown, line by line.
func rendered(t *testing.T, markdown string) string {
	t.Helper()
	var b bytes.Buffer
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithHardWraps()))
	if err := md.Convert([]byte(markdown), &b); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for z := xhtml.NewTokenizer(&b); ; {
		switch z.Next() {
		case xhtml.ErrorToken:
			return strings.TrimSpace(out.String())
		case xhtml.TextToken:
			out.WriteString(xhtml.UnescapeString(string(z.Raw())))
		}
	}
}

// FuzzEscape checks that escaped text is one paragraph that reads as before.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{
		"1. x\n2. y", "- a\n---\n===", "a | b\n--- | ---", "*a _b_ **c**", "[a][b] ![c](d) [e]: f", "<a@b.c> <https://x.y> <?x",
		"&#65; \\& \\\\", "~a~ ~~b~~ ```", "https://a.b/c_d*e*~f~ www.a.b_ x_y_", "> a\n\\", "# a\n#", "a  \nb", ":-: | :-:\n:--", "[\n](x)", "+\n*\n-",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, page string) {
		var lines []string
		for _, l := range pageLines(page) {
			if l != "" {
				lines = append(lines, l)
			}
		}
		if len(lines) == 0 {
			return
		}
		want := strings.Join(lines, "\n")
		markdown := escape(want)
		if got := rendered(t, markdown); got != want {
			t.Errorf("%q became %q and reads %q", want, markdown, got)
		}
		doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader([]byte(markdown)))
		if doc.ChildCount() != 1 || doc.FirstChild().Kind() != ast.KindParagraph {
			t.Errorf("%q became %q and is no single paragraph", want, markdown)
		}
	})
}
