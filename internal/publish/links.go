package publish

import (
	"path"
	"slices"

	"threadmill/internal/newsletter"
)

// link leads the links between threads to the pages of those that are out.
func (c *Catalogue) link(label string) {
	if !slices.ContainsFunc(c.Threads, links) {
		return
	}
	known := newsletter.NewLinks(c.Threads)
	for i := range c.Threads {
		t := &c.Threads[i]
		linked, problems := known.Resolve(t, nil)
		t.Linked = linked
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
	if !slices.ContainsFunc(chosen, links) {
		return
	}
	known := newsletter.NewLinks(c.Threads)
	among := func(t newsletter.Listed) bool {
		return slices.ContainsFunc(chosen, func(o newsletter.Listed) bool { return o.ID == t.ID })
	}
	for i := range chosen {
		chosen[i].Linked, _ = known.Resolve(&chosen[i], among)
	}
}

// links tells whether a thread links to others.
func links(t newsletter.Listed) bool { return len(t.Links) > 0 }
