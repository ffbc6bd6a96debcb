package render

import (
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"

	"threadmill/internal/newsletter"
)

// mailColumn is how wide the posts of a mail are, in pixels: mail.html's 600
// without the margin of their numbers. Outlook knows no other bound.
const mailColumn = 552

// tallest is how high a page shows a picture, in rem: a whole screenshot of a
// phone is to be seen at once.
const tallest = 48

// column is how wide pages are, in rem; see base.html.
const column = 38

// pageSizes tells browsers how wide base.html shows a picture: a column of 38
// rem, or a narrow screen without its edges.
const pageSizes = "(min-width: 42rem) 38rem, calc(100vw - 4rem)"

// contentID is an attribute of pictures that no renderer writes; see prepare.
const contentID = "contentid"

// pictures gives those of a post that are the thread's own the names and sizes
// of their files. shown counts the pictures of the thread.
func (f form) pictures(doc ast.Node, t newsletter.Thread, shown *int) {
	for _, n := range descendants(doc) {
		image, ok := n.(*ast.Image)
		if !ok {
			continue
		}
		if p, ok := ownPicture(t, plainAddress(image.Destination)); ok {
			f.own(image, p)
			if f.style != nil && p.ContentID != "" {
				image.SetAttributeString(contentID, p.ContentID)
			}
		}
		// What is seen first is fetched at once; the other pages list threads.
		if f.page && (*shown > 0 || f.base != nil) {
			image.SetAttributeString("loading", []byte("lazy"))
			image.SetAttributeString("decoding", []byte("async"))
		}
		*shown++
	}
}

// describe makes one line of text of what describes a picture. The renderer would
// leave out what looks like a tag, and write one for each line break.
func describe(n *ast.Image, source []byte) {
	alt := ast.NewString([]byte(strings.Join(strings.Fields(wordsOf(n, source)), " ")))
	alt.SetRaw(true)
	n.RemoveChildren(n)
	n.AppendChild(n, alt)
}

// wordsOf is the text below n without its marks.
func wordsOf(n ast.Node, source []byte) string {
	var b strings.Builder
	for _, c := range descendants(n) {
		switch c := c.(type) {
		case *ast.Text:
			b.WriteString(unescape(c.Segment.Value(source), c.IsRaw() || c.Parent().Kind() == ast.KindCodeSpan))
			if c.SoftLineBreak() || c.HardLineBreak() {
				b.WriteByte(' ')
			}
		case *ast.String:
			b.Write(c.Value)
		case *ast.RawHTML:
			b.Write(rawHTML(source, c))
		case *ast.AutoLink:
			b.Write(c.Label(source))
		}
	}
	return b.String()
}

// ownPicture finds the picture of the thread at an address in its file.
func ownPicture(t newsletter.Thread, address string) (newsletter.Picture, bool) {
	if len(t.Pictures) == 0 {
		return newsletter.Picture{}, false
	}
	u, err := url.Parse(address)
	name := address
	if err == nil {
		if u.Scheme != "" || u.Host != "" {
			return newsletter.Picture{}, false
		}
		name = u.Path
	}
	p, ok := t.Pictures[path.Clean(name)]
	return p, ok && len(p.Files) > 0
}

// own shows a picture of the thread. Pages are written anew, and name a file
// that browsers keep for ever; what is written once goes by the lasting name.
func (f form) own(n *ast.Image, p newsletter.Picture) {
	big := p.Files[0]
	name := p.Lasting
	if f.page {
		name = big.Name
	}
	n.Destination = []byte(newsletter.FileAddress(name))
	if big.Width == 0 {
		return
	}
	if f.style != nil {
		width := min(big.Width, mailColumn)
		n.SetAttributeString("width", []byte(strconv.Itoa(width)))
		if big.Height > 0 { // its room is kept where pictures come late, or never
			n.SetAttributeString("height", []byte(strconv.Itoa(max(1, big.Height*width/big.Width))))
		}
		return
	}
	n.SetAttributeString("width", []byte(strconv.Itoa(big.Width)))
	n.SetAttributeString("height", []byte(strconv.Itoa(big.Height)))
	if f.page && big.Height*column > tallest*big.Width {
		n.SetAttributeString("style", fmt.Appendf(nil, "max-width:min(100%%,%.1frem)", max(1, tallest*float64(big.Width)/float64(big.Height))))
	}
	if !f.page || len(p.Files) < 2 {
		return
	}
	var set []string
	for _, file := range p.Files {
		address, _ := target(newsletter.FileAddress(file.Name), f.base)
		set = append(set, fmt.Sprintf("%s %dw", address, file.Width))
	}
	n.SetAttributeString("srcset", []byte(strings.Join(set, ", ")))
	n.SetAttributeString("sizes", []byte(pageSizes))
}
