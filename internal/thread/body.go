package thread

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"threadmill/internal/newsletter"
	"threadmill/internal/wikilink"
)

// body is the Markdown of a file and its parsed form.
type body struct {
	source []byte
	doc    ast.Node
	lines  []int // offset of the beginning of each line
	before int   // lines of the file before the body
}

// parseBody returns false when it refuses the text.
func parseBody(s section, faults *lint) (*body, bool) {
	source := clean(s.text)
	if at, fault := excess(source); fault != "" {
		faults.errorf(s.line+strings.Count(source[:at], "\n"), "", "%s", fault)
		return nil, false
	}
	b := &body{source: []byte(source), lines: []int{0}, before: s.line - 1}
	b.doc = markdown(b.source)
	for i, c := range b.source {
		if c == '\n' {
			b.lines = append(b.lines, i+1)
		}
	}
	return b, true
}

// The limits of what goldmark is given. Its time grows with the square of each
// of them, so that a file of 1 MB could take it many minutes.
const (
	linkLimit  = 2000     // links, pictures, footnotes and definitions of links
	blockLimit = 32 << 10 // bytes between two empty lines
)

var deepNesting = regexp.MustCompile(`^[ \t]*(?:(?:>|[-+*]|\d{1,9}[.)])[ \t]*){50}`)

// excess returns what of source is too much, and its offset.
func excess(source string) (at int, fault string) {
	begin := 0
	for row := range strings.Lines(source) {
		// The expression is slow, and few lines begin as it wants.
		if rest := strings.TrimLeft(row, " \t"); rest != "" && strings.IndexByte(">-+*0123456789", rest[0]) >= 0 && deepNesting.MatchString(row) {
			return begin, "quotations or lists nested more than 50 deep"
		}
		begin += len(row)
	}
	if n := strings.Count(source, "](") + strings.Count(source, "]:") + strings.Count(source, "[[") + strings.Count(source, "[^"); n > linkLimit {
		return 0, fmt.Sprintf("%d links in one file; the limit is %d", n, linkLimit)
	}
	for block := range strings.SplitSeq(source, "\n\n") {
		if len(block) > blockLimit {
			return at, fmt.Sprintf("paragraph longer than %d KB: put empty lines into it", blockLimit>>10)
		}
		at += len(block) + len("\n\n")
	}
	return 0, ""
}

// markdown parses source as rendering does: what divides posts here is what
// readers would see as a rule.
func markdown(source []byte) ast.Node { return markdownParser().Parse(text.NewReader(source)) }

// withoutNotes parses source as if there were no footnotes. Fingerprints are made
// so: they must stay as they are.
func withoutNotes(source []byte) ast.Node { return bareParser().Parse(text.NewReader(source)) }

// A parser takes longer to make than a thread to read; goroutines may share it.
var (
	markdownParser = sync.OnceValue(func() parser.Parser { return newParser(notes{}) })
	bareParser     = sync.OnceValue(func() parser.Parser { return newParser() })
)

func newParser(more ...goldmark.Extender) parser.Parser {
	all := append([]goldmark.Extender{extension.GFM, wikilink.Extension{}}, more...)
	return goldmark.New(goldmark.WithExtensions(all...)).Parser()
}

// row is the index of the line that holds offset.
func (b *body) row(offset int) int {
	i, found := slices.BinarySearch(b.lines, offset)
	if !found {
		i--
	}
	return i
}

// fileLine is the line of the file that holds offset.
func (b *body) fileLine(offset int) int { return b.before + b.row(offset) + 1 }

// rowText is the line at index row, without its end.
func (b *body) rowText(row int) string {
	end := len(b.source)
	if row+1 < len(b.lines) {
		end = b.lines[row+1] - 1
	}
	return string(b.source[b.lines[row]:end])
}

// piece is the text between two breaks.
type piece struct {
	start, end int  // rows; end is the row of the break
	shown      bool // whether a reader sees anything of it
}

// posts divides the body at its breaks. A break as the first or the last
// thing is no fault, and neither is a piece of link definitions or comments.
func (b *body) posts(faults *lint) []newsletter.Post {
	var posts []newsletter.Post
	pieces := b.pieces(faults)
	for i, p := range pieces {
		start, end := p.start, p.end
		for start < end && strings.TrimSpace(b.rowText(start)) == "" {
			start++
		}
		if start == end {
			if i > 0 && i < len(pieces)-1 {
				faults.errorf(b.before+p.end+1, "", "empty post: nothing stands between this break and the one on line %d", b.before+p.start)
			}
			continue
		}
		if !p.shown {
			continue
		}
		var text strings.Builder
		for row := start; row < end; row++ {
			text.WriteString(b.rowText(row) + "\n")
		}
		posts = append(posts, newsletter.Post{Text: strings.TrimRight(text.String(), " \t\n"), Line: b.before + start + 1})
	}
	if len(posts) == 0 {
		faults.errorf(max(1, b.before), "", "no post: write text below the front matter")
	}
	return posts
}

func (b *body) pieces(faults *lint) []piece {
	var pieces []piece
	var p piece
	for n := b.doc.FirstChild(); n != nil; n = n.NextSibling() {
		var rule int
		if n.Kind() == ast.KindThematicBreak {
			rule = b.row(n.Pos())
		} else {
			p.shown = p.shown || shows(n)
			if rule = b.underline(n); rule >= 0 {
				faults.warnf(b.before+rule+1, "", "text directly above ---: taken as the end of the post, but other programs see a heading; put an empty line between")
			}
		}
		if rule >= 0 {
			p.end = rule
			pieces = append(pieces, p)
			p = piece{start: rule + 1}
		}
	}
	p.end = len(b.lines)
	return append(pieces, p)
}

// underline returns the row of the --- that makes n a heading, and -1 when n
// is none or is one by other marks.
func (b *body) underline(n ast.Node) int {
	h, ok := n.(*ast.Heading)
	if !ok || h.Level != 2 || h.Lines().Len() == 0 {
		return -1
	}
	row := b.row(h.Lines().At(h.Lines().Len()-1).Start) + 1
	if row >= len(b.lines) || strings.TrimSpace(b.rowText(row)) != "---" {
		return -1
	}
	// Below a heading that begins with ## stands a break of its own.
	if next := n.NextSibling(); next != nil && next.Kind() == ast.KindThematicBreak && b.row(next.Pos()) == row {
		return -1
	}
	return row
}

// shows tells whether a block is more than a definition or a comment.
func shows(n ast.Node) bool {
	if h, ok := n.(*ast.HTMLBlock); ok {
		return h.HTMLBlockType != ast.HTMLBlockType2
	}
	return n.Kind() != ast.KindLinkReferenceDefinition && n.Kind() != extast.KindFootnoteList
}

// references returns the link definitions of the whole body.
func (b *body) references() string {
	var refs []string
	for n := range nodes(b.doc) {
		if d, ok := n.(*ast.LinkReferenceDefinition); ok {
			refs = append(refs, strings.TrimSpace(string(d.Lines().Value(b.source))))
		}
	}
	return strings.Join(refs, "\n")
}

// nodes walks the tree below root, parents first.
func nodes(root ast.Node) func(yield func(ast.Node) bool) {
	return func(yield func(ast.Node) bool) {
		_ = ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
			if entering && !yield(n) {
				return ast.WalkStop, nil
			}
			return ast.WalkContinue, nil
		})
	}
}
