package site

import (
	"bytes"
	"context"
	"fmt"
	"slices"
)

// GoneFile is the name of the hidden list of what was withdrawn, by which the
// web server answers 410; one path a line, such as "threads/first/".
const GoneFile = ".gone"

// Gone brings the list of withdrawn paths up to date.
func (s *Site) Gone(ctx context.Context, paths []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	root, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	if len(paths) == 0 {
		return ignoreMissing(root.Remove(GoneFile))
	}
	var text bytes.Buffer
	for _, p := range slices.Sorted(slices.Values(paths)) {
		fmt.Fprintln(&text, p)
	}
	st := &stage{root: root, seen: make(map[string]bool)}
	defer st.discard()
	if same, err := st.holds(GoneFile, text.Bytes()); same && err == nil {
		return nil
	}
	if err := st.put(ctx, GoneFile, &text); err != nil {
		return fmt.Errorf("list what is withdrawn in %s: %w", s.opt.Dir, err)
	}
	return st.commit(ctx)
}
