package thread

import (
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// notes adds footnotes to a Markdown parser, and keeps those that nothing refers
// to, which the parser throws away, under lostNotes.
type notes struct{}

// lostNotes is the key in a document's metadata.
const lostNotes = "lost notes"

// Extend implements goldmark.Extender.
func (n notes) Extend(m goldmark.Markdown) {
	extension.Footnote.Extend(m)
	m.Parser().AddOptions(parser.WithASTTransformers(util.Prioritized(n, 998))) // one before the footnotes' own
}

// Transform implements parser.ASTTransformer.
func (notes) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var lost []*extast.Footnote
	for n := range nodes(doc) {
		if f, ok := n.(*extast.Footnote); ok && f.Index < 0 {
			lost = append(lost, f)
		}
	}
	if lost != nil {
		doc.AddMeta(lostNotes, lost)
	}
}

// notes returns the definitions of the footnotes that are referred to, as they
// stand in the file. One inside of a quotation or a list holds in its post alone.
func (b *body) notes(faults *lint) string {
	var defs []string
	seen := map[string]bool{}
	for n := range nodes(b.doc) {
		f, ok := n.(*extast.Footnote)
		if !ok {
			continue
		}
		seen[string(f.Ref)] = true
		if start := b.row(f.Pos()); strings.HasPrefix(strings.TrimLeft(b.rowText(start), " "), "[^") {
			defs = append(defs, b.rows(start, b.lastRow(f)))
		}
	}
	lost, _ := b.doc.OwnerDocument().Meta()[lostNotes].([]*extast.Footnote)
	for _, f := range lost {
		why := "nothing refers to it, so nobody sees it"
		if seen[string(f.Ref)] {
			why = "defined a second time; the first one is shown everywhere"
		}
		faults.warnf(b.fileLine(f.Pos()), "", "footnote [^%s]: %s", f.Ref, why)
	}
	return strings.Join(defs, "\n\n")
}

// lastRow is the last row of a footnote: of its text, or of what is indented
// below it.
func (b *body) lastRow(f *extast.Footnote) int {
	last := b.row(f.Pos())
	for n := range nodes(f) {
		if n.Type() == ast.TypeBlock && n.Lines().Len() > 0 {
			last = max(last, b.row(n.Lines().At(n.Lines().Len()-1).Start))
		}
	}
	for row := last + 1; row < len(b.lines); row++ {
		switch line := b.rowText(row); {
		case strings.TrimSpace(line) == "":
		case strings.HasPrefix(line, "    "), strings.HasPrefix(line, "\t"):
			last = row
		default:
			return last
		}
	}
	return last
}

// rows is the text of some rows.
func (b *body) rows(first, last int) string {
	var text strings.Builder
	for row := first; row <= last; row++ {
		text.WriteString(b.rowText(row) + "\n")
	}
	return strings.TrimRight(text.String(), "\n")
}
