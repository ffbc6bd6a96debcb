package publish

import (
	"path"
	"slices"

	"threadmill/internal/newsletter"
)

// link leads the links between threads to the pages of those that are out.
func (c *Catalogue) link(label string) {
	if !slices.ContainsFunc(c.Threads, func(t newsletter.Listed) bool { return len(t.Links) > 0 }) {
		return
	}
	links := newsletter.NewLinks(c.Threads)
	for i, t := range c.Threads {
		linked, problems := links.Resolve(t, nil)
		c.Threads[i].Linked = linked
		if t.File == "" { // the author cannot mend it any more
			continue
		}
		for _, p := range problems {
			p.File = path.Join(label, t.File)
			c.Unlinked = append(c.Unlinked, p)
		}
	}
}

// together links the threads of one issue as they will be when it is out: to
// each other too.
func (c Catalogue) together(chosen []newsletter.Listed) {
	links := newsletter.NewLinks(c.Threads)
	among := func(t newsletter.Listed) bool {
		return slices.ContainsFunc(chosen, func(o newsletter.Listed) bool { return o.ID == t.ID })
	}
	for i, t := range chosen {
		chosen[i].Linked, _ = links.Resolve(t, among)
	}
}
