package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"threadmill/internal/feed"
)

// removeStale takes off the site what an earlier Write made of content that is
// gone: feeds of tags that no thread bears any more, and documents of the
// archive that begin after the last thread. They would go on to show what was
// withdrawn.
func removeStale(root *os.Root, current func(name string) bool) error {
	for n := int64(1); ; n++ {
		p := feed.ArchivePaths(n)
		if current(p.RSS) {
			continue
		}
		gone, err := removeFeeds(root, p)
		if err != nil {
			return err
		}
		if !gone {
			break
		}
	}
	tags, err := fs.ReadDir(root.FS(), "tags")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the folder of the tags: %w", err)
	}
	for _, t := range tags {
		p := feed.PathsOf(path.Join("tags", t.Name()) + "/")
		if !t.IsDir() || current(p.RSS) {
			continue
		}
		if _, err := removeFeeds(root, p); err != nil {
			return err
		}
	}
	return nil
}

// removeFeeds removes the documents of a feed and the compressed ones beside
// them, and tells whether there were any.
func removeFeeds(root *os.Root, p feed.Paths) (found bool, err error) {
	for _, name := range []string{p.RSS, p.Atom, p.JSON} {
		for _, suffix := range []string{"", ".gz", ".br", ".zst"} {
			switch err := root.Remove(name + suffix); {
			case err == nil:
				found = true
			case !errors.Is(err, fs.ErrNotExist):
				return found, fmt.Errorf("remove %s: %w", name+suffix, err)
			}
		}
	}
	return found, nil
}
