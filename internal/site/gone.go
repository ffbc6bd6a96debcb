package site

import (
	"bytes"
	"fmt"
	"slices"
)

// GoneFile is the name of the hidden list of what was withdrawn, by which the
// web server answers 410; one path a line, such as "threads/first/".
const GoneFile = ".gone"

// Gone brings the list of withdrawn paths up to date. The next Write does so
// again, so that nothing hangs on a crash.
func (s *Site) Gone(paths []string) error {
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
	if old, err := root.ReadFile(GoneFile); err == nil && bytes.Equal(old, text.Bytes()) {
		return nil
	}
	temp := tempPrefix + "gone" + tempSuffix
	err = root.WriteFile(temp, text.Bytes(), 0o644)
	if err == nil {
		err = root.Rename(temp, GoneFile)
	}
	if err != nil {
		return fmt.Errorf("list what is withdrawn in %s: %w", s.opt.Dir, err)
	}
	return nil
}
