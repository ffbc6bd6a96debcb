package wikilink_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"threadmill/internal/wikilink"
)

// parsed lists the links and pictures of a text, each with its words.
func parsed(source string) string {
	b := []byte(source)
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM, wikilink.Extension{})).Parser().Parse(text.NewReader(b))
	var found []string
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			found = append(found, fmt.Sprintf("%d:%s=%s", n.Pos(), n.Destination, n.Text(b))) //nolint:staticcheck // the words are all that is wanted
		case *ast.Image:
			name, _ := wikilink.Embedded(n)
			found = append(found, fmt.Sprintf("%d:!%s(%s)=%s", n.Pos(), name, n.Destination, n.Text(b))) //nolint:staticcheck // as above
		}
		return ast.WalkContinue, nil
	})
	return strings.Join(found, "; ")
}

func TestParse(t *testing.T) {
	for source, want := range map[string]string{
		"See [[other]].":                        "4:[[other=other",
		"[[folder/other|that *one*]] and [[b]]": "0:[[folder/other=that *one*; 32:[[b=b",
		"[[other#A heading]]":                   "0:[[other#A heading=other > A heading",
		"[[other#^block]]":                      "0:[[other#^block=other",
		"[[#A heading]]":                        "0:[[#A heading=A heading",
		"> - [[other]]":                         "4:[[other=other",
		"a ![[my shed.PNG|A shed]]":             "2:!my shed.PNG(my%20shed.PNG)=A shed",
		"![[shed.png|300x200]]":                 "0:!shed.png(shed.png)=",
		"![[note]]":                             "0:![[note=note",
		"| a |\n|---|\n| [[other\\|words]] |":   "14:[[other=words",
		"Über [[Ünder]]":                        "6:[[Ünder=Ünder",

		"`[[other]]`":                     "",
		"    [[other]]":                   "",
		"```\n[[other]]\n```":             "",
		"\\[[other]]":                     "",
		"[[ -f file ]]":                   "",
		"[[]] [[|a]] [[#]] [[a]":          "",
		"[[a\nb]]":                        "",
		"[[1]](https://a.example)":        "0:https://a.example=[1]",
		"[[1]]\n\n[1]: https://a.example": "1:https://a.example=1",
	} {
		if got := parsed(source); got != want {
			t.Errorf("%q:\n got %s\nwant %s", source, got, want)
		}
	}
}

// FuzzParse proves that whatever stands in brackets is parsed, and shown, with
// no mark of ours.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"[[a]]", "![[a b.png|3]]", "[[a#b|c]]", "[[[[a]]]]", "> [[a|b\\|c]]", "|a|\n|-|\n|[[a\\|b]]|", "\t[[\x00]]", "*[[a*]]", "[x [[a]] y](z)"} {
		f.Add(seed)
	}
	md := goldmark.New(goldmark.WithExtensions(extension.GFM, wikilink.Extension{}))
	f.Fuzz(func(t *testing.T, source string) {
		if len(source) > 10_000 {
			return
		}
		_ = parsed(source)
		var b bytes.Buffer
		if err := md.Convert([]byte(source), &b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), ` wikilink="`) {
			t.Errorf("an attribute of ours is shown: %s", b.String())
		}
	})
}
