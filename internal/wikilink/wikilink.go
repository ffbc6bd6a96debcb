package wikilink

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"threadmill/internal/newsletter"
)

// Extension adds wikilinks to a Markdown parser. A link becomes an [ast.Link]
// whose destination is what stands between the brackets, before the words,
// behind [newsletter.Wikilink]; an embedded picture an [ast.Image] of which
// [Embedded] tells; and any other embed a link behind [newsletter.Wikiembed].
type Extension struct{}

// Extend implements goldmark.Extender.
func (Extension) Extend(m goldmark.Markdown) {
	m.Parser().AddOptions(parser.WithInlineParsers(util.Prioritized(inline{}, priority)))
}

// priority is behind that of code, which nothing breaks up, and before that of
// links.
const priority = 150

// embedded is the attribute that tells the pictures of ![[name]] from others. No
// renderer writes it.
const embedded = "wikilink"

// Embedded is the name of a picture that stands in the text as ![[name]].
func Embedded(n *ast.Image) (name string, ok bool) {
	v, ok := n.AttributeString(embedded)
	if !ok {
		return "", false
	}
	name, ok = v.(string)
	return name, ok
}

type inline struct{}

// Trigger implements parser.InlineParser.
func (inline) Trigger() []byte { return []byte{'!', '['} }

// Parse implements parser.InlineParser. What Markdown reads as a link of its
// own, such as [[1]](address), is left to it.
func (inline) Parse(_ ast.Node, block text.Reader, pc parser.Context) ast.Node {
	line, segment := block.PeekLine()
	w, ok := read(line)
	if !ok {
		return nil
	}
	if _, defined := pc.Reference(util.ToLinkReference(line[w.open:w.close])); defined {
		return nil
	}
	block.Advance(w.size)
	n := w.node(line, segment.Start)
	n.SetPos(segment.Start)
	return n
}

// part is a piece of a line.
type part struct{ start, end int }

func (p part) of(line []byte) string { return string(line[p.start:p.end]) }

func (p part) empty() bool { return p.start == p.end }

// trim takes the white space off.
func (p part) trim(line []byte) part {
	for !p.empty() && (line[p.start] == ' ' || line[p.start] == '\t') {
		p.start++
	}
	for !p.empty() && (line[p.end-1] == ' ' || line[p.end-1] == '\t') {
		p.end--
	}
	return p
}

// link is a wikilink at the beginning of a line.
type link struct {
	embed                   bool
	size                    int // octets that it takes
	open, close             int // of what stands between the brackets
	target, fragment, words part
}

// read reads a wikilink. Brackets with spaces inside are none: a test of a shell
// looks like that.
func read(line []byte) (link, bool) {
	w := link{embed: line[0] == '!'}
	if w.embed {
		w.open = 1
	}
	if !bytes.HasPrefix(line[w.open:], []byte("[[")) {
		return link{}, false
	}
	w.open += len("[[")
	length := bytes.IndexAny(line[w.open:], "[]\n\r")
	if length < 1 || !bytes.HasPrefix(line[w.open+length:], []byte("]]")) {
		return link{}, false
	}
	w.close = w.open + length
	w.size = w.close + len("]]")
	if w.size < len(line) && (line[w.size] == '(' || line[w.size] == '[') {
		return link{}, false
	}
	return w, w.divide(line)
}

// divide tells the parts of target#fragment|words apart.
func (w *link) divide(line []byte) bool {
	w.target, w.words = part{w.open, w.close}, part{w.close, w.close}
	if i := bytes.IndexByte(line[w.open:w.close], '|'); i >= 0 {
		w.target.end, w.words.start = w.open+i, w.open+i+1
		if i > 0 && line[w.target.end-1] == '\\' { // as tables want it
			w.target.end--
		}
	}
	if whole := w.target; whole.empty() || line[whole.start] == ' ' {
		return false
	}
	w.fragment = part{w.target.end, w.target.end}
	if i := strings.IndexByte(w.target.of(line), '#'); i >= 0 {
		w.fragment.start = w.target.start + i + 1
		w.target.end = w.target.start + i
	}
	w.target, w.fragment, w.words = w.target.trim(line), w.fragment.trim(line), w.words.trim(line)
	return !w.target.empty() || !w.fragment.empty()
}

// size is how wide Obsidian is to show a picture: 300, or 300x200.
var size = regexp.MustCompile(`^\d+(x\d+)?$`)

func (w link) node(line []byte, at int) ast.Node {
	n := ast.NewLink()
	target := w.target.of(line)
	if w.embed && slices.Contains(newsletter.PictureTypes, strings.ToLower(path.Ext(target))) {
		n.Destination = []byte(newsletter.FileAddress(target))
		if !size.MatchString(w.words.of(line)) {
			w.write(n, at, w.words)
		}
		image := ast.NewImage(n)
		image.SetAttributeString(embedded, target)
		return image
	}
	mark := newsletter.Wikilink
	if w.embed {
		mark = newsletter.Wikiembed
	}
	n.Destination = []byte(mark + target)
	if !w.fragment.empty() {
		n.Destination = append(n.Destination, "#"+w.fragment.of(line)...)
	}
	switch {
	case !w.words.empty():
		w.write(n, at, w.words)
	case w.target.empty():
		w.write(n, at, w.fragment)
	default:
		w.write(n, at, w.target)
		if !w.fragment.empty() && line[w.fragment.start] != '^' {
			n.AppendChild(n, ast.NewString([]byte(" > ")))
			w.write(n, at, w.fragment)
		}
	}
	return n
}

// write adds a part of the line, which begins at an offset of the source, as
// text.
func (link) write(n ast.Node, at int, p part) {
	if !p.empty() {
		n.AppendChild(n, ast.NewTextSegment(text.NewSegment(at+p.start, at+p.end)))
	}
}
