package publish

import (
	"context"
	"slices"
	"sync"

	"threadmill/internal/newsletter"
)

// tags remember the tags of a revision.
type tags struct {
	sync.Mutex
	revision int64
	known    bool
	names    []string
}

// Tags are the tags of the threads that are out, as they are spelled most often,
// those first that most threads bear. They are asked for by readers, and read
// anew only where the publication has another revision.
func (p *Publisher) Tags(ctx context.Context) ([]string, error) {
	p.tags.Lock()
	defer p.tags.Unlock()
	revision, err := p.o.Store.Revision(ctx)
	if err != nil || p.tags.known && revision == p.tags.revision {
		return p.tags.names, err
	}
	c, err := p.stored(ctx, nil)
	if err != nil {
		return nil, err
	}
	var out []newsletter.Entry
	for _, t := range c.Threads {
		if t.Out() && !t.Withdrawn {
			out = append(out, t.Entry())
		}
	}
	list := newsletter.TagsOf(out)
	slices.SortStableFunc(list, func(a, b newsletter.Tag) int { return len(b.Entries) - len(a.Entries) })
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.Name
	}
	p.tags.revision, p.tags.known, p.tags.names = revision, true, names
	return names, nil
}
