package render

import (
	"bytes"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/util"
)

// plainNodes renders what goldmark's own renderer gives a class, a form
// field, or a comment in the reader's mail.
type plainNodes struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (plainNodes) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindCodeBlock, renderCode)
	r.Register(ast.KindFencedCodeBlock, renderCode)
	r.Register(ast.KindHTMLBlock, renderHTMLBlock)
	r.Register(ast.KindRawHTML, renderRawHTML)
	r.Register(extast.KindTaskCheckBox, renderCheckBox)
}

func renderCode(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	// Code runs from left to right in any language.
	n.SetAttributeString("dir", []byte("ltr"))
	open(w, "pre", n)
	_, _ = w.WriteString("<code>")
	_, _ = w.Write(util.EscapeHTML(n.Lines().Value(source)))
	_, _ = w.WriteString("</code></pre>\n")
	return ast.WalkSkipChildren, nil
}

// renderHTMLBlock shows HTML as the author typed it: what they wrote is not
// lost, and nothing of it acts. Comments are left out.
func renderHTMLBlock(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	lines := htmlBlock(source, n.(*ast.HTMLBlock))
	if !entering || len(lines) == 0 {
		return ast.WalkContinue, nil
	}
	open(w, "p", n)
	_, _ = w.Write(bytes.ReplaceAll(util.EscapeHTML(lines), []byte("\n"), []byte("<br>\n")))
	_, _ = w.WriteString("</p>\n")
	return ast.WalkContinue, nil
}

// htmlBlock returns the text of a block of HTML without line break at its
// end, empty for a comment.
func htmlBlock(source []byte, n *ast.HTMLBlock) []byte {
	lines := bytes.Clone(n.Lines().Value(source))
	if n.HasClosure() {
		lines = append(lines, n.ClosureLine.Value(source)...)
	}
	if n.HTMLBlockType == ast.HTMLBlockType2 {
		_, lines, _ = bytes.Cut(lines, []byte("-->"))
	}
	return bytes.TrimSpace(lines)
}

func renderRawHTML(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.Write(util.EscapeHTML(rawHTML(source, n.(*ast.RawHTML))))
	}
	return ast.WalkSkipChildren, nil
}

// rawHTML returns the text of an inline tag, empty for a comment.
func rawHTML(source []byte, n *ast.RawHTML) []byte {
	tag := n.Segments.Value(source)
	if bytes.HasPrefix(tag, []byte("<!--")) {
		return nil
	}
	return tag
}

func renderCheckBox(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		_, _ = w.WriteString(checkBox(n.(*extast.TaskCheckBox)))
	}
	return ast.WalkContinue, nil
}

func checkBox(n *extast.TaskCheckBox) string {
	if n.IsChecked {
		return "☑ "
	}
	return "☐ "
}

// open writes the start tag of n with the attributes that were set on it.
func open(w util.BufWriter, tag string, n ast.Node) {
	_ = w.WriteByte('<')
	_, _ = w.WriteString(tag)
	html.RenderAttributes(w, n, html.GlobalAttributeFilter)
	_ = w.WriteByte('>')
}
