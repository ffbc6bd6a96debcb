package site

import (
	"bytes"
	"context"
	"fmt"

	"threadmill/internal/newsletter"
)

// content is what a site shows.
type content struct {
	entries []newsletter.Entry // newest first
	digests []newsletter.Issue // those that carry several threads
}

// document is a file of the site that is made of the content.
type document struct {
	name string // below the output folder
	make func() ([]byte, error)
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
	for _, d := range s.documents(c) {
		text, err := d.make()
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		if err := st.put(ctx, d.name, bytes.NewReader(text)); err != nil {
			return err
		}
	}
	return nil
}

// documents are all that are made of the content, in the order in which they
// are put in place.
func (s *Site) documents(c content) []document {
	var list []document
	for _, kind := range []func(content) []document{
		s.threads, s.issues, s.notFound, s.about, s.tags, s.archive, s.sitemap, s.feeds,
	} {
		list = append(list, kind(c)...)
	}
	return list
}
