package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"threadmill/internal/newsletter"
)

// pictures stages those of a thread.
func (s *Site) pictures(ctx context.Context, st *stage, e newsletter.Entry) error {
	for _, name := range e.Assets {
		if err := s.copy(ctx, st, e.Thread, strings.TrimSuffix(e.Path(), "/"), name); err != nil {
			return fmt.Errorf("picture %s: %w", name, err)
		}
	}
	return nil
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
