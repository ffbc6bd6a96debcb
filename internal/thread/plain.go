package thread

import (
	"bufio"
	"bytes"
	stdhtml "html"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer/html"
)

// Plain returns the text a reader sees of a post, without Markdown marks and
// without the descriptions of pictures, with one space between words. It is
// what fingerprints and excerpts are made of, so it must not change for the
// same text from release to release.
func Plain(markdown string) string {
	return collapse(plainLines(tidy([]byte(markdown))))
}

// plainLines is the text of a post, one line for each line or block a reader
// sees.
func plainLines(post string) string {
	source := []byte(clean(post))
	return plain(withoutNotes(source), source, nil)
}

// plain writes the text below root. A node for which leaveOut is true is left
// out with all below it.
func plain(root ast.Node, source []byte, leaveOut func(ast.Node) bool) string {
	var out strings.Builder
	_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			if n.Type() == ast.TypeBlock {
				out.WriteByte('\n')
			}
			return ast.WalkContinue, nil
		}
		if leaveOut != nil && leaveOut(n) {
			return ast.WalkSkipChildren, nil
		}
		switch n := n.(type) {
		case *ast.Image:
			return ast.WalkSkipChildren, nil
		case *ast.AutoLink:
			out.Write(n.Label(source))
		case *ast.String:
			out.WriteString(unescape(n.Value))
		case *ast.Text:
			out.WriteString(inline(n, source))
		case *ast.CodeBlock:
			out.Write(n.Lines().Value(source))
		case *ast.FencedCodeBlock:
			out.Write(n.Lines().Value(source))
		}
		return ast.WalkContinue, nil
	})
	return clean(out.String())
}

// inline is what a reader sees of a text node.
func inline(n *ast.Text, source []byte) string {
	value := n.Segment.Value(source)
	text := string(value)
	if !n.IsRaw() && n.Parent().Kind() != ast.KindCodeSpan {
		text = unescape(value)
	}
	if n.SoftLineBreak() || n.HardLineBreak() {
		text += "\n"
	}
	return text
}

// unescape resolves backslash escapes and entities by CommonMark's rules: it
// has goldmark write the text as HTML, and reads that.
func unescape(markdown []byte) string {
	if !bytes.ContainsAny(markdown, `\&`) {
		return string(markdown)
	}
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	html.DefaultWriter.Write(w, markdown)
	_ = w.Flush() // a bytes.Buffer takes everything
	return stdhtml.UnescapeString(b.String())
}
