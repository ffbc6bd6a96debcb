package site

import (
	"context"
	"fmt"
	"strings"
)

// Remove takes the pages below these paths off the site, such as
// "threads/first/"; those that are not there are no error.
func (s *Site) Remove(ctx context.Context, paths []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	root, err := s.open()
	if err != nil {
		return err
	}
	defer root.Close()
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := root.RemoveAll(path); err != nil {
			return fmt.Errorf("remove %s from %s: %w", path, s.opt.Dir, err)
		}
		for _, ending := range codingEndings {
			if err := ignoreMissing(root.Remove(strings.TrimSuffix(path, "/") + ending)); err != nil {
				return fmt.Errorf("remove %s from %s: %w", path+ending, s.opt.Dir, err)
			}
		}
	}
	return nil
}
