package render

import (
	"strings"

	"github.com/yuin/goldmark/ast"

	"threadmill/internal/newsletter"
	"threadmill/internal/wikilink"
)

// relink leads the links between threads to their pages, and takes the link, not
// its words, from those that lead to none. A picture of ![[name]] that is not to
// be had becomes its name.
func relink(doc ast.Node, t newsletter.Thread) {
	for _, n := range descendants(doc) {
		switch n := n.(type) {
		case *ast.Link:
			address := plainAddress(n.Destination)
			if to, ok := t.Linked[address]; ok {
				n.Destination = markdownAddress([]byte(to))
			} else if newsletter.ThreadLink(address) || strings.HasPrefix(address, newsletter.Wikiembed) {
				unwrap(n)
			}
		case *ast.Image:
			name, ok := wikilink.Embedded(n)
			if _, own := ownPicture(t, plainAddress(n.Destination)); ok && !own {
				n.Parent().ReplaceChild(n.Parent(), n, ast.NewString([]byte(name)))
			}
		}
	}
}
