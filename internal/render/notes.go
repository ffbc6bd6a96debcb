package render

import (
	"strconv"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// notes fits the footnotes of a post to the form: they are numbered through the
// thread, of which so many came before, and only on a page of its own do numbers
// lead to notes and back. It returns how many notes the post has.
func (f form) notes(doc ast.Node, before int) int {
	count := 0
	linked := f.page && f.base == nil
	for _, n := range descendants(doc) {
		switch n := n.(type) {
		case *extast.FootnoteLink:
			n.Index += before
			if linked {
				n.SetAttributeString("id", []byte(noteRef(n.Index, n.RefIndex)))
			}
		case *extast.FootnoteBacklink:
			n.SetAttributeString("aria-label", []byte(f.noteBack(n.Index+before)))
			if n.Index += before; !linked {
				n.Parent().RemoveChild(n.Parent(), n)
			}
		case *extast.Footnote:
			if n.Index += before; linked {
				n.SetAttributeString("id", []byte("note-"+strconv.Itoa(n.Index)))
			}
			tighten(n)
		case *extast.FootnoteList:
			count += n.ChildCount()
			if f.page {
				n.SetAttributeString("class", []byte("notes"))
			}
		}
	}
	return count
}

// noteBack says where the link at the end of a note leads.
func (f form) noteBack(number int) string {
	if f.words.tongue == nil {
		return "Back to the text of note " + strconv.Itoa(number)
	}
	return f.words.say("note_back", "n", number)
}

// tighten takes the paragraph, not its words, from a note that is one.
func tighten(n *extast.Footnote) {
	p, ok := n.FirstChild().(*ast.Paragraph)
	if !ok || n.ChildCount() > 1 {
		return
	}
	block := ast.NewTextBlock()
	for c := p.FirstChild(); c != nil; {
		next := c.NextSibling()
		block.AppendChild(block, c)
		c = next
	}
	n.ReplaceChild(n, p, block)
}

// noteRef is the id of the place that refers to a note, the nth of those.
func noteRef(index, nth int) string {
	id := "noteref-" + strconv.Itoa(index)
	if nth > 0 {
		id += "-" + strconv.Itoa(nth+1)
	}
	return id
}

// noteNodes renders footnotes.
type noteNodes struct{}

// RegisterFuncs implements renderer.NodeRenderer.
func (noteNodes) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(extast.KindFootnoteLink, renderNoteLink)
	r.Register(extast.KindFootnoteBacklink, renderNoteBacklink)
	r.Register(extast.KindFootnote, renderNote)
	r.Register(extast.KindFootnoteList, renderNotes)
}

func renderNoteLink(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	n := node.(*extast.FootnoteLink)
	number := strconv.Itoa(n.Index)
	if n.Attributes() != nil {
		open(w, "sup", n)
		number = `<a href="#note-` + number + `" role="doc-noteref">` + number + `</a>`
	} else {
		_, _ = w.WriteString("<sup>")
	}
	_, _ = w.WriteString(number + "</sup>")
	return ast.WalkContinue, nil
}

func renderNoteBacklink(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		n := node.(*extast.FootnoteBacklink)
		label, _ := n.AttributeString("aria-label")
		text, _ := label.([]byte)
		_, _ = w.WriteString(` <a href="#` + noteRef(n.Index, n.RefIndex) + `" role="doc-backlink" aria-label="`)
		_, _ = w.Write(util.EscapeHTML(text))
		_, _ = w.WriteString(`">↩︎</a>`)
	}
	return ast.WalkContinue, nil
}

func renderNote(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		open(w, "li", n)
	} else {
		_, _ = w.WriteString("</li>\n")
	}
	return ast.WalkContinue, nil
}

func renderNotes(w util.BufWriter, _ []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		_, _ = w.WriteString("</ol>\n")
		return ast.WalkContinue, nil
	}
	tag := "ol"
	if first := n.FirstChild().(*extast.Footnote).Index; first > 1 {
		tag += ` start="` + strconv.Itoa(first) + `"`
	}
	open(w, tag, n)
	_ = w.WriteByte('\n')
	return ast.WalkContinue, nil
}
