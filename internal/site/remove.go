package site

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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
	// Nearly all of them are of threads that wait, and were never there.
	there := make(map[string]map[string]bool)
	for _, name := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		dir, base := path.Split(path.Clean(name))
		if there[dir] == nil {
			if there[dir], err = namesIn(root, path.Clean(dir)); err != nil {
				return fmt.Errorf("look for what to remove from %s: %w", s.opt.Dir, err)
			}
		}
		if !there[dir][base] {
			continue
		}
		if err := root.RemoveAll(name); err != nil {
			return fmt.Errorf("remove %s from %s: %w", name, s.opt.Dir, err)
		}
	}
	return nil
}

// namesIn are the names in a folder, none where there is no such folder.
func namesIn(root *os.Root, dir string) (map[string]bool, error) {
	names := make(map[string]bool)
	list, err := fs.ReadDir(root.FS(), dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, entry := range list {
		names[entry.Name()] = true
	}
	return names, nil
}
