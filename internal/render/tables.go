package render

import (
	"strings"

	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// mailColumns is how many columns of a table a telephone has room for. A mail
// cannot scroll sideways: many programs make the whole of it smaller instead.
const mailColumns = 6

// records makes lists of the tables below doc that are too wide for a mail: an
// item a row, a line a cell, with the heading of its column in front.
func records(doc ast.Node, source []byte) {
	for _, n := range descendants(doc) {
		table, ok := n.(*extast.Table)
		if !ok || table.FirstChild() == nil || table.FirstChild().ChildCount() <= mailColumns || table.ChildCount() < 2 {
			continue
		}
		heads := headings(table, source)
		list := ast.NewList('-')
		list.IsTight = true
		for row := table.FirstChild().NextSibling(); row != nil; row = row.NextSibling() {
			list.AppendChild(list, record(row, heads))
		}
		table.Parent().ReplaceChild(table.Parent(), table, list)
	}
}

// headings are the words above the columns of a table.
func headings(table *extast.Table, source []byte) []string {
	var heads []string
	for cell := table.FirstChild().FirstChild(); cell != nil; cell = cell.NextSibling() {
		heads = append(heads, strings.Join(strings.Fields(wordsOf(cell, source)), " "))
	}
	return heads
}

// record moves the cells of a row into an item of a list.
func record(row ast.Node, heads []string) *ast.ListItem {
	item, lines := ast.NewListItem(0), ast.NewTextBlock()
	item.AppendChild(item, lines)
	for i, cell := 0, row.FirstChild(); cell != nil; i, cell = i+1, cell.NextSibling() {
		if i >= len(heads) || cell.FirstChild() == nil {
			continue
		}
		if lines.ChildCount() > 0 {
			end := ast.NewTextSegment(text.NewSegment(0, 0))
			end.SetHardLineBreak(true)
			lines.AppendChild(lines, end)
		}
		if heads[i] != "" {
			label := ast.NewString([]byte(heads[i] + ": "))
			label.SetRaw(true)
			lines.AppendChild(lines, label)
		}
		for c := cell.FirstChild(); c != nil; {
			next := c.NextSibling()
			lines.AppendChild(lines, c)
			c = next
		}
	}
	return item
}
