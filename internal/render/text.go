package render

import (
	"bufio"
	"bytes"
	"fmt"
	stdhtml "html"
	"net/url"
	"strings"
	texttemplate "text/template"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer/html"

	"threadmill/internal/newsletter"
)

// textFuncs are the functions of text templates.
func textFuncs() texttemplate.FuncMap {
	return texttemplate.FuncMap{
		"wrap":      func(s string) string { return strings.Join(wrap(s, columns), "\n") },
		"underline": underline,
	}
}

// textWriter writes posts as plain text. Links become footnotes, which with those
// of the author are numbered through the whole mail and listed under their post.
type textWriter struct {
	source []byte
	image  string      // the word for a picture
	notes  int         // footnotes so far
	open   []string    // addresses and notes of the post at work
	noted  map[int]int // the author's footnotes of the post: index to place in open
}

// posts returns the text of every post of the thread.
func (w *textWriter) posts(t newsletter.Thread, base *url.URL) []string {
	md := markdown()
	posts := make([]string, len(t.Posts))
	for i := range t.Posts {
		doc, source := parse(md, t, i)
		resolve(doc, source, base)
		w.source, w.open, w.noted = source, nil, map[int]int{}
		lines := w.blocks(doc, columns, true)
		w.footnotes(doc)
		if len(w.open) > 0 {
			lines = append(lines, "")
		}
		for j, note := range w.open {
			mark := fmt.Sprintf("[%d] ", w.notes-len(w.open)+j+1)
			lines = append(lines, prefix(strings.Split(note, "\n"), mark, strings.Repeat(" ", len(mark)))...)
		}
		posts[i] = string(clean([]byte(strings.Join(lines, "\n"))))
	}
	return posts
}

// footnotes writes the author's notes of a post.
func (w *textWriter) footnotes(doc ast.Node) {
	const mark = 5 // columns of "[12] "
	list, _ := doc.LastChild().(*extast.FootnoteList)
	if list == nil {
		return
	}
	for n := list.FirstChild(); n != nil; n = n.NextSibling() {
		place := w.note(n.(*extast.Footnote).Index)
		w.open[place] = strings.Join(w.blocks(n, columns-mark, true), "\n")
	}
}

// note is the place of a footnote of the author among those of the post.
func (w *textWriter) note(index int) int {
	place, ok := w.noted[index]
	if !ok {
		place = len(w.open)
		w.noted[index] = place
		w.open = append(w.open, "")
		w.notes++
	}
	return place
}

// minWidth keeps deeply nested blocks legible, in columns.
const minWidth = 24

// blocks returns the lines of the blocks below n, with an empty line between
// them where they are loose.
func (w *textWriter) blocks(n ast.Node, width int, loose bool) []string {
	width = max(width, minWidth)
	var lines []string
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		block := w.block(c, width)
		if len(block) == 0 {
			continue
		}
		if loose && len(lines) > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, block...)
	}
	return lines
}

func (w *textWriter) block(n ast.Node, width int) []string {
	switch n := n.(type) {
	case *ast.Paragraph, *ast.TextBlock:
		return w.paragraph(n, width)
	case *ast.Heading:
		lines := w.paragraph(n, width)
		if len(lines) == 0 {
			return nil
		}
		return append(lines, strings.Repeat("-", min(textWidth(lines[len(lines)-1]), width)))
	case *ast.Blockquote:
		return prefix(w.blocks(n, width-2, true), "> ", "> ")
	case *ast.List:
		return w.list(n, width)
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		code := strings.TrimRight(string(n.Lines().Value(w.source)), "\n")
		return prefix(strings.Split(code, "\n"), "    ", "    ")
	case *ast.HTMLBlock:
		if raw := htmlBlock(w.source, n); len(raw) > 0 {
			return wrap(string(raw), width)
		}
		return nil
	case *ast.ThematicBreak:
		return []string{"* * *"}
	case *extast.Table:
		return w.table(n, width)
	case *extast.FootnoteList:
		return nil // they stand with the addresses
	}
	return w.blocks(n, width, true)
}

func (w *textWriter) paragraph(n ast.Node, width int) []string {
	text := strings.TrimSpace(w.inline(n))
	if text == "" {
		return nil
	}
	return wrap(text, width)
}

func (w *textWriter) list(n *ast.List, width int) []string {
	var lines []string
	number := n.Start
	for item := n.FirstChild(); item != nil; item = item.NextSibling() {
		mark := "- "
		if n.IsOrdered() {
			mark = fmt.Sprintf("%d. ", number)
			number++
		}
		block := w.blocks(item, width-len(mark), !n.IsTight)
		if !n.IsTight && len(lines) > 0 {
			lines = append(lines, "")
		}
		if len(block) == 0 {
			block = []string{""}
		}
		lines = append(lines, prefix(block, mark, strings.Repeat(" ", len(mark)))...)
	}
	return lines
}

// table writes a row a line, its columns below each other, where that fits.
func (w *textWriter) table(n *extast.Table, width int) []string {
	var rows [][]string
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var cells []string
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, strings.Join(strings.Fields(w.inline(cell)), " "))
		}
		rows = append(rows, cells)
	}
	widths := widthsOf(rows)
	total := 3 * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	switch {
	case total <= width:
		return align(rows, widths)
	case len(rows) > 1:
		return written(rows, width)
	}
	return wrap(strings.Join(rows[0], " | "), width)
}

// written is a table whose rows are wider than a line: a line a cell, with the
// heading of its column in front, so that it can be read aloud.
func written(rows [][]string, width int) []string {
	var lines []string
	for _, row := range rows[1:] {
		var cells []string
		for i, cell := range row {
			if cell != "" && i < len(rows[0]) {
				cells = append(cells, wrap(strings.TrimPrefix(rows[0][i]+": "+cell, ": "), width-2)...)
			}
		}
		lines = append(lines, prefix(cells, "- ", "  ")...)
	}
	return lines
}

// widthsOf are the widths of the columns of a table.
func widthsOf(rows [][]string) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], textWidth(cell))
		}
	}
	return widths
}

// align writes a line a row, its cells below each other.
func align(rows [][]string, widths []int) []string {
	var lines []string
	for _, row := range rows {
		for i, cell := range row {
			row[i] += strings.Repeat(" ", widths[i]-textWidth(cell))
		}
		lines = append(lines, strings.TrimRight(strings.Join(row, " | "), " "))
	}
	return lines
}

// prefix puts first before the first line and rest before the others, without
// spaces at the end of an empty line.
func prefix(lines []string, first, rest string) []string {
	for i := range lines {
		lines[i] = strings.TrimRight(first+lines[i], " ")
		first = rest
	}
	return lines
}

// inline returns the text of what stands in the block n.
func (w *textWriter) inline(n ast.Node) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		w.span(&b, c)
	}
	return b.String()
}

func (w *textWriter) span(b *strings.Builder, n ast.Node) {
	switch n := n.(type) {
	case *ast.Text:
		b.WriteString(unescape(n.Segment.Value(w.source), n.IsRaw()))
		if n.SoftLineBreak() || n.HardLineBreak() {
			b.WriteByte('\n')
		}
	case *ast.String:
		b.Write(n.Value)
	case *ast.CodeSpan:
		b.WriteString("`" + strings.ReplaceAll(w.raw(n), "\n", " ") + "`")
	case *ast.Emphasis:
		mark := "_*"[n.Level-1 : n.Level]
		b.WriteString(mark + w.inline(n) + mark)
	case *extast.Strikethrough:
		b.WriteString("~" + w.inline(n) + "~")
	case *ast.Link:
		w.link(b, n)
	case *ast.AutoLink:
		b.Write(n.Label(w.source))
	case *ast.Image:
		b.WriteString("[" + strings.TrimSuffix(w.image+": "+strings.TrimSpace(w.inline(n)), ": ") + "] ")
		b.Write(n.Destination)
	case *ast.RawHTML:
		b.Write(rawHTML(w.source, n))
	case *extast.FootnoteLink:
		place := w.note(n.Index)
		fmt.Fprintf(b, "[%d]", w.notes-len(w.open)+place+1)
	case *extast.TaskCheckBox:
		b.WriteString(checkBox(n))
	default:
		b.WriteString(w.inline(n))
	}
}

// raw returns the text of a code span, as it was typed.
func (w *textWriter) raw(n ast.Node) string {
	var b bytes.Buffer
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if t, ok := c.(*ast.Text); ok {
			b.Write(t.Segment.Value(w.source))
		}
	}
	return b.String()
}

func (w *textWriter) link(b *strings.Builder, n *ast.Link) {
	label := strings.TrimSpace(w.inline(n))
	dest := string(n.Destination)
	b.WriteString(label)
	switch {
	case label == "":
		b.WriteString(dest)
	case label == dest || "mailto:"+label == dest:
	default:
		w.open = append(w.open, dest)
		w.notes++
		fmt.Fprintf(b, " [%d]", w.notes)
	}
}

// unescape undoes backslashes and character references.
func unescape(s []byte, raw bool) string {
	if raw {
		return string(s)
	}
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	html.DefaultWriter.Write(w, s)
	_ = w.Flush()
	return stdhtml.UnescapeString(b.String())
}
