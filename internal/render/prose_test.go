package render

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

// parsed is a post as the parser and its renderer write it.
func (f form) parsed(t testing.TB, text string) string {
	t.Helper()
	md := markdown()
	doc, source := parse(md, newsletter.Thread{Posts: []newsletter.Post{{Text: text}}}, 0)
	f.prepare(doc, source)
	var b bytes.Buffer
	if err := md.Renderer().Render(&b, source, doc); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(clean(b.Bytes())))
}

func TestProse(t *testing.T) {
	for text, easy := range map[string]bool{
		"Plain words, and no more: 1 + 1 (is) 2!": true,
		"He said \"no\"\nand \"\" went.":          true,
		"Ærlig talt – naïve 日本語\nwords":           false, // begins beyond ASCII
		"Some naïve 日本語 – words…":                 true,
		"Line \nwith a space at its end":          false,
		"Line\n- and a list":                      false,
		"See www.example.org":                     false,
		"See https://example.org":                 false,
		"me@example.org":                          false,
		"a\n\nb":                                  false,
		"a\rb":                                    false,
		"1. one":                                  false,
		"a\x85\u00a0b\ufffec":                     false,
		"":                                        false,
	} {
		got, ok := form{auto: true}.prose(newsletter.Thread{Posts: []newsletter.Post{{Text: text}}}, 0)
		if ok != easy {
			t.Errorf("prose(%q) = %q, %v; want %v", text, got, ok, easy)
		}
	}
}

// FuzzProse compares what is written by hand with what the parser makes of it.
func FuzzProse(f *testing.F) {
	for _, p := range shed().Posts {
		f.Add(p.Text)
	}
	for _, text := range []string{
		"Plain words: 1 + 1 (is) 2; \"no\"!\nAnd 'on' it - goes, by 50% or $3.", "a\u00a0b \u2028c\u0085d\ufeff", "mailto:x http:x ftp:// (www.x.y",
		"a  b\n(c) d: e\n\"f\" ^g {h} /i/ --- ...", "a\ufffe\uffff\u0091b\u3000", "a:\n(b)", "A! b\u3000",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		thread := newsletter.Thread{Posts: []newsletter.Post{{Text: text}}}
		for _, f := range []form{{shift: 1}, {shift: 1, auto: true, page: true}} {
			got, ok := f.prose(thread, 0)
			if !ok {
				continue
			}
			if diff := cmp.Diff(f.parsed(t, text), got); diff != "" {
				t.Errorf("%q (-parser +prose):\n%s", text, diff)
			}
		}
	})
}
