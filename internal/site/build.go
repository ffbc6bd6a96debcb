package site

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"threadmill/internal/newsletter"
)

// content is what a Write makes of a Content.
type content struct {
	entries []newsletter.Entry // newest first
	digests []newsletter.Issue // those that carry several threads
	next    time.Time          // of the next issue; zero where none is in sight
	mark    newsletter.Mark

	tags []newsletter.Tag // of the entries
	sources
}

// sources tell what documents are made of, so that those are left alone that
// are made of the same as before; see madeOf.
type sources struct {
	base sum            // of what all documents are made of
	sums []sum          // of the entries
	at   map[string]int // the indexes of the entries, by slug
	of   map[string]sum
}

func (s *Site) sources(entries []newsletter.Entry) (sources, error) {
	base, err := s.base()
	m := sources{base: base, sums: make([]sum, len(entries)), at: make(map[string]int, len(entries)), of: make(map[string]sum, len(entries))}
	for i := range entries {
		m.at[entries[i].Slug] = i
		m.sums[i] = entrySum(&entries[i])
	}
	return m, err
}

// document is a file of the site that is made of the content. Several may be
// made at a time.
type document struct {
	name string // below the output folder
	make func() ([]byte, error)
	// batch is the same for documents that share work: they stand side by side,
	// and are made one after the other. It is empty where nothing is shared.
	batch string
}

// build stages every file of the site, each before those that point to it:
// pictures, pages, then what lists them.
func (s *Site) build(ctx context.Context, st *stage, c content) error {
	if err := checkSlugs(c.entries); err != nil {
		return err
	}
	var err error
	if c.entries, err = s.pictures(ctx, st, c.entries); err != nil {
		return err
	}
	c.tags = newsletter.TagsOf(c.entries)
	if c.sources, err = s.sources(c.entries); err != nil {
		return err
	}
	return st.documents(ctx, s.documents(c), c.of)
}

// Rehearse makes what a Write would put into the folder, says what is wrong
// with it, and writes nothing. Pictures are looked at and not made.
func (s *Site) Rehearse(ctx context.Context, shown Content) error {
	if err := checkSlugs(shown.Entries); err != nil {
		return fmt.Errorf("write site: %w", err)
	}
	entries := slices.Clone(shown.Entries)
	threads := make([]newsletter.Thread, len(entries))
	for i, e := range entries {
		threads[i] = e.Thread
	}
	threads, err := s.Pictured(ctx, threads)
	if err != nil {
		return fmt.Errorf("write site: %w", err)
	}
	for i, t := range threads {
		entries[i].Thread = t
	}
	list := s.documents(content{entries: entries, digests: shown.Digests, next: shown.Next, tags: newsletter.TagsOf(entries)})
	err = each(ctx, list, func(_ int, d document) error {
		text, err := d.make()
		if err == nil && len(text) > maxFile {
			err = fmt.Errorf("longer than %d MB", maxFile>>20)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("write site: %w", err)
	}
	return nil
}

// documents are all that are made of the content, in the order in which they
// are put in place.
func (s *Site) documents(c content) []document {
	var list []document
	for _, kind := range []func(content) []document{
		s.logo, s.threads, s.issues, s.notFound, s.about, s.tags, s.archive, s.sitemap, s.robots, s.feeds, s.mark,
	} {
		list = append(list, kind(c)...)
	}
	return append(list, s.redirects(c, list))
}

// documents stages those that are not as they should be.
func (s *stage) documents(ctx context.Context, list []document, of map[string]sum) error {
	list = s.unseen(list)
	first := s.order
	s.order += len(list)
	return each(ctx, list, func(i int, d document) error { return s.document(first+i, d, of[d.name]) })
}

// each does something with every document. As many are in work at a time as
// there are processors, so that only so many are in memory.
func each(ctx context.Context, list []document, do func(i int, d document) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for first := 0; first < len(list); {
		batch, begin := batchOf(list[first:]), first
		group.Go(func() error {
			for i, d := range batch {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(begin+i, d); err != nil {
					return fmt.Errorf("%s: %w", d.name, err)
				}
			}
			return nil
		})
		first += len(batch)
	}
	return group.Wait()
}

// batchOf are the documents at the beginning of the list that are made together.
func batchOf(list []document) []document {
	n := 1
	for n < len(list) && list[n].batch != "" && list[n].batch == list[0].batch {
		n++
	}
	return list[:n]
}

// unseen notes the documents as files of the site. Of two with one name the
// first counts.
func (s *stage) unseen(list []document) []document {
	fresh := make([]document, 0, len(list))
	for _, d := range list {
		if !s.seen[d.name] {
			s.seen[d.name] = true
			fresh = append(fresh, d)
		}
	}
	return fresh
}

// document stages one unless the folder holds it as it should be.
func (s *stage) document(order int, d document, of sum) error {
	old, intact := s.asWritten(d.name)
	if intact && of != (sum{}) && of == old.of {
		s.unchanged(d.name, old)
		return nil
	}
	text, err := d.make()
	if err != nil {
		return err
	}
	return s.file(order, d.name, of, text)
}
