package render

import (
	"bytes"
	"fmt"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"threadmill/internal/newsletter"
	"threadmill/internal/wikilink"
)

// A form says how the posts of a thread become HTML in one kind of place.
type form struct {
	// shift pushes headings down by so many levels, below those of the place.
	shift int
	// base resolves relative addresses; nil leaves them as they are.
	base *url.URL
	// flow has a line break within a paragraph be a space, as other programs do.
	flow bool
	// auto marks every block with dir="auto".
	auto bool
	// page lets browsers choose pictures and fetch them late, and allows styles.
	page bool
	// style holds inline styles by element, for mails.
	style map[string]string
	// words are what the program itself says in between.
	words speech
}

// markdown is the one dialect of posts: GitHub's, with line breaks kept. It may
// be used by several goroutines, and takes longer to make than a post to read.
var markdown = sync.OnceValue(func() goldmark.Markdown {
	return goldmark.New(
		goldmark.WithExtensions(
			extension.Linkify, extension.Strikethrough, extension.TaskList, extension.Footnote,
			wikilink.Extension{},
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)),
		),
		goldmark.WithRendererOptions(
			html.WithHardWraps(),
			renderer.WithNodeRenderers(util.Prioritized(plainNodes{}, 1), util.Prioritized(noteNodes{}, 2)),
		),
	)
})

// parse reads post i of a thread. The thread's definitions of links and footnotes
// go in front, where a code fence that the post forgot to close cannot swallow them.
func parse(md goldmark.Markdown, t newsletter.Thread, i int) (ast.Node, []byte) {
	source := t.Posts[i].Text
	if t.References != "" {
		source = t.References + "\n\n" + source
	}
	if t.Notes != "" && strings.Contains(source, "[^") {
		source = t.Notes + "\n\n" + source
	}
	cleaned := clean([]byte(source))
	doc := md.Parser().Parse(text.NewReader(cleaned))
	if len(t.Links) > 0 || bytes.Contains(cleaned, []byte(newsletter.Wikilink)) {
		relink(doc, t)
	}
	return doc, cleaned
}

// posts renders every post of the thread.
func (f form) posts(t newsletter.Thread) ([]string, error) {
	md := markdown()
	posts := make([]string, len(t.Posts))
	docs, sources := make([]ast.Node, len(t.Posts)), make([][]byte, len(t.Posts))
	for i := range t.Posts {
		var easy bool
		if posts[i], easy = f.prose(t, i); !easy {
			docs[i], sources[i] = parse(md, t, i)
		}
	}
	if f.page || f.style != nil { // a feed's reader has levels of its own
		closeRanks(docs)
	}
	shown, notes := 0, 0
	var b output
	for i, doc := range docs {
		if doc == nil {
			continue
		}
		notes += f.notes(doc, notes)
		f.pictures(doc, t, &shown)
		if f.style != nil {
			records(doc, sources[i])
		}
		f.prepare(doc, sources[i])
		b.Reset()
		if err := md.Renderer().Render(&b, sources[i], doc); err != nil {
			return nil, fmt.Errorf("render post %d of thread %s: %w", i+1, t.Slug, err)
		}
		posts[i] = string(bytes.TrimSpace(clean(b.Bytes())))
	}
	return posts, nil
}

// output is a buffer that a renderer writes to without one of its own.
type output struct{ bytes.Buffer }

// Buffered implements util.BufWriter.
func (*output) Buffered() int { return 0 }

// Flush implements util.BufWriter.
func (*output) Flush() error { return nil }

// closeRanks makes the highest headings of a thread the first level, the next
// the second and so on: whoever goes through a page by its headings finds no gap.
func closeRanks(docs []ast.Node) {
	var used [7]int // by level: 1 where it is in use, then its rank
	each := func(do func(*ast.Heading)) {
		for _, doc := range docs {
			if doc == nil {
				continue
			}
			for _, n := range descendants(doc) {
				if h, ok := n.(*ast.Heading); ok {
					do(h)
				}
			}
		}
	}
	each(func(h *ast.Heading) { used[h.Level] = 1 })
	for level := 1; level < len(used); level++ {
		used[level] += used[level-1]
	}
	each(func(h *ast.Heading) { h.Level = used[h.Level] })
}

// prepare fits a parsed post to the form.
func (f form) prepare(doc ast.Node, source []byte) {
	resolve(doc, source, f.base)
	for _, n := range descendants(doc) {
		switch n := n.(type) {
		case *ast.Heading:
			n.Level = min(n.Level+f.shift, 6)
		case *ast.Link:
			n.Destination = markdownAddress(n.Destination)
		case *ast.Image:
			n.Destination = markdownAddress(n.Destination)
			if id, ok := n.AttributeString(contentID); ok {
				n.Destination = fmt.Append(nil, "cid:", id)
			}
			describe(n, source)
		case *ast.Text:
			if f.flow && n.SoftLineBreak() {
				n.SetSoftLineBreak(false)
				n.Parent().InsertAfter(n.Parent(), n, ast.NewString([]byte(" ")))
			}
		case *ast.CodeBlock, *ast.FencedCodeBlock, *extast.Table:
			if f.page { // what is too wide scrolls, for the keyboard too (WCAG 2.2, 2.1.1)
				n.SetAttributeString("tabindex", []byte("0"))
			}
		}
		if style := f.css(n); style != "" {
			n.SetAttributeString("style", []byte(style))
		}
		if f.auto && n.Parent() == doc {
			n.SetAttributeString("dir", []byte("auto"))
		}
	}
}

// css is the inline style of n, empty where it needs none.
func (f form) css(n ast.Node) string {
	style := f.style[element(n)]
	switch n := n.(type) {
	case *extast.TableCell:
		if n.Parent().ChildCount() > mailColumns/2 && style != "" {
			style += ";padding:6px 8px 6px 0"
		}
		if n.Alignment != extast.AlignNone && style != "" {
			style += ";text-align:" + n.Alignment.String()
		}
	case *ast.ListItem:
		if (style != "" || f.page) && isTask(n) {
			style = strings.TrimPrefix(style+";list-style:none", ";")
		}
	}
	return style
}

// isTask tells whether a list item begins with a check box, which stands in
// the place of its bullet.
func isTask(n *ast.ListItem) bool {
	if n.FirstChild() == nil {
		return false
	}
	_, ok := n.FirstChild().FirstChild().(*extast.TaskCheckBox)
	return ok
}

// descendants returns all nodes below n, parents first. It is a list and not
// an iterator so that the tree may be changed while it is read.
func descendants(n ast.Node) []ast.Node {
	var nodes []ast.Node
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering && n.Kind() != ast.KindDocument {
			nodes = append(nodes, n)
		}
		return ast.WalkContinue, nil
	})
	return nodes
}

// resolve makes the addresses of links and pictures absolute and takes the
// link, not its words, from those that lead nowhere a reader should go.
func resolve(doc ast.Node, source []byte, base *url.URL) {
	for _, n := range descendants(doc) {
		switch n := n.(type) {
		case *ast.Link:
			dest, ok := target(plainAddress(n.Destination), base)
			if n.Destination = []byte(dest); !ok {
				unwrap(n)
			}
		case *ast.Image:
			dest, ok := target(plainAddress(n.Destination), base)
			if n.Destination = []byte(dest); !ok || !fetchable(dest) {
				unwrap(n)
			}
		case *ast.AutoLink:
			if n.AutoLinkType != ast.AutoLinkEmail && !followable(scheme(string(n.URL(source)))) {
				n.Parent().ReplaceChild(n.Parent(), n, ast.NewString(n.Label(source)))
			}
		}
	}
}

// plainAddress undoes the backslashes and character references that the
// parser leaves in an address for its renderer.
func plainAddress(dest []byte) string {
	return string(util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(dest))))
}

// markdownAddress is the inverse: the renderer's reading of it gives dest.
func markdownAddress(dest []byte) []byte {
	return bytes.ReplaceAll(dest, []byte("&"), []byte("&amp;"))
}

// target returns where an address leads, seen from base, escaped as an
// address must be. It returns false for one that no reader should follow.
func target(address string, base *url.URL) (string, bool) {
	address = strings.TrimSpace(address)
	s := scheme(address)
	if address == "" || s != "" && !followable(s) {
		return "", false
	}
	if s == "" && base != nil {
		ref, err := url.Parse(address)
		if err != nil {
			return "", false
		}
		address = base.ResolveReference(ref).String()
	}
	return string(util.URLEscape([]byte(address), false)), true
}

func followable(scheme string) bool {
	switch scheme {
	case "http", "https", "mailto", "tel":
		return true
	}
	return false
}

// fetchable tells whether a picture can be had at the address.
func fetchable(address string) bool {
	switch scheme(address) {
	case "", "http", "https":
		return true
	}
	return false
}

// scheme returns the scheme of an address in lower case, "" when it has none
// (RFC 3986, section 3.1). It reads addresses that url.Parse refuses, such as
// those with a stray per cent sign.
func scheme(s string) string {
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return strings.ToLower(s[:i])
		default:
			return ""
		}
	}
	return ""
}

// unwrap puts the children of n in its place.
func unwrap(n ast.Node) {
	parent := n.Parent()
	for c := n.FirstChild(); c != nil; {
		next := c.NextSibling()
		parent.InsertBefore(parent, n, c)
		c = next
	}
	parent.RemoveChild(parent, n)
}

// element names the HTML element that a node becomes, "" where no style
// applies.
func element(n ast.Node) string {
	switch n := n.(type) {
	case *ast.Paragraph, *ast.HTMLBlock:
		return "p"
	case *ast.Heading:
		return "h"
	case *ast.List:
		return listElement(n)
	case *ast.ListItem:
		return "li"
	case *extast.FootnoteList:
		return "ol"
	case *extast.Footnote:
		return "li"
	case *ast.Blockquote:
		return "blockquote"
	case *ast.CodeBlock, *ast.FencedCodeBlock:
		return "pre"
	case *ast.ThematicBreak:
		return "hr"
	case *extast.Table:
		return "table"
	case *extast.TableCell:
		if n.Parent().Kind() == extast.KindTableHeader {
			return "th"
		}
		return "td"
	}
	return inlineElement(n)
}

func listElement(n *ast.List) string {
	switch {
	case n.Parent().Kind() == ast.KindListItem:
		return "sublist"
	case n.IsOrdered():
		return "ol"
	}
	return "ul"
}

func inlineElement(n ast.Node) string {
	switch n.(type) {
	case *ast.Link, *ast.AutoLink:
		return "a"
	case *ast.CodeSpan:
		return "code"
	case *ast.Image:
		return "img"
	}
	return ""
}

// threadBase is what relative addresses in a thread are seen from.
func threadBase(pub newsletter.Publication, t newsletter.Thread) (*url.URL, error) {
	base, err := url.Parse(pub.Link(t.Path()))
	if err != nil {
		return nil, fmt.Errorf("read the publication's address: %w", err)
	}
	base.Path = path.Clean(base.Path) + "/"
	return base, nil
}
