package site

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"threadmill/internal/feed"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// build stages every file of the site, each before those that point to it:
// pictures, pages, then the archive, then the feeds.
func (s *Site) build(ctx context.Context, st *stage, entries []newsletter.Entry, digests []newsletter.Issue) error {
	for i, e := range entries {
		if err := s.thread(ctx, st, entries, i); err != nil {
			return fmt.Errorf("thread %s: %w", e.Slug, err)
		}
	}
	for _, issue := range digests {
		if err := s.digest(ctx, st, entries, issue); err != nil {
			return fmt.Errorf("issue %d: %w", issue.Number, err)
		}
	}
	return s.front(ctx, st, entries, digests)
}

// thread stages the page of entry i and its pictures.
func (s *Site) thread(ctx context.Context, st *stage, entries []newsletter.Entry, i int) error {
	e := entries[i]
	if e.Slug == "" || strings.ContainsAny(e.Slug, `/\`) || !fs.ValidPath(e.Slug) || e.Slug == "." {
		return fmt.Errorf("slug %q cannot be the name of a folder", e.Slug)
	}
	dir := strings.TrimSuffix(e.Path(), "/")
	file := path.Join(dir, "index.html")
	if st.seen[file] {
		return errors.New("another thread has the same slug")
	}
	for _, name := range e.Assets {
		if err := s.copy(ctx, st, e.Thread, dir, name); err != nil {
			return fmt.Errorf("picture %s: %w", name, err)
		}
	}
	var newer, older *newsletter.Entry
	if i > 0 {
		newer = &entries[i-1]
	}
	if i+1 < len(entries) {
		older = &entries[i+1]
	}
	page, err := s.opt.Templates.ThreadPage(s.opt.Publication, e, newer, older)
	if err != nil {
		return err
	}
	return st.put(ctx, file, bytes.NewReader(page))
}

// copy stages a picture beside its thread's page. One whose source is gone
// keeps the copy that is there; without one the page has a gap, which is no
// reason to hold an issue back.
func (s *Site) copy(ctx context.Context, st *stage, t newsletter.Thread, dir, name string) error {
	target := path.Join(dir, name)
	if !strings.HasPrefix(target, dir+"/") || target == path.Join(dir, "index.html") {
		s.opt.Log.WarnContext(ctx, "picture has a name that cannot be used", "thread", t.Slug, "picture", name)
		return nil
	}
	r, digest, err := s.opt.OpenAsset(ctx, t, name)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := st.root.Stat(target); err != nil {
			s.opt.Log.WarnContext(ctx, "picture is missing", "thread", t.Slug, "picture", name)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer r.Close()
	if same, err := st.keep(target, digest); same || err != nil {
		return err
	}
	return st.put(ctx, target, r)
}

// digest stages the page of an issue of several threads, as they are now.
func (s *Site) digest(ctx context.Context, st *stage, entries []newsletter.Entry, issue newsletter.Issue) error {
	byID := make(map[string]newsletter.Entry)
	for _, e := range entries {
		if e.Issue == issue.Number {
			byID[e.ID] = e
		}
	}
	var in []newsletter.Entry
	for _, t := range issue.Threads {
		if e, ok := byID[t.ID]; ok {
			in = append(in, e)
		}
	}
	page, err := s.opt.Templates.IssuePage(s.opt.Publication, issue, in)
	if err != nil {
		return err
	}
	return st.put(ctx, newsletter.IssuePath(issue.Number)+"index.html", bytes.NewReader(page))
}

// front stages what points to the pages.
func (s *Site) front(ctx context.Context, st *stage, entries []newsletter.Entry, digests []newsletter.Issue) error {
	pub := s.opt.Publication
	archive, err := s.opt.Templates.ArchivePage(pub, entries)
	if err != nil {
		return err
	}
	notFound, err := s.opt.Templates.NotFoundPage(pub)
	if err != nil {
		return err
	}
	feeds, err := s.feeds(entries)
	if err != nil {
		return err
	}
	sitemap, err := sitemap(pub, entries, digests)
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{
		{"404.html", notFound},
		{"index.html", archive},
		{"sitemap.xml", sitemap},
		{"feed.xml", feeds.RSS},
		{"atom.xml", feeds.Atom},
		{"feed.json", feeds.JSON},
	} {
		if err := st.put(ctx, f.name, bytes.NewReader(f.text)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Site) feeds(entries []newsletter.Entry) (feed.Files, error) {
	var items []feed.Item
	for _, e := range entries[:min(len(entries), s.opt.FeedItems)] {
		content, err := render.Content(s.opt.Publication, e.Thread)
		if err != nil {
			return feed.Files{}, err
		}
		items = append(items, feed.Item{Entry: e, HTML: content})
	}
	return feed.Build(s.opt.Publication, items)
}
