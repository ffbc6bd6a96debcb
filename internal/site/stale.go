package site

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"threadmill/internal/feed"
	"threadmill/internal/render"
)

// removeStale takes off the site what an earlier Write made of content that is
// gone: pages and feeds of tags that no thread bears any more, pages behind the
// last one, documents of the archive that begin after the last thread, and the
// page about a publication that tells nothing more of itself. They would go on
// to show what was withdrawn. Files that are not the site's stay.
func removeStale(root *os.Root, current func(name string) bool) error {
	if err := removeArchives(root, current); err != nil {
		return err
	}
	for _, folder := range []string{"page", "tags", path.Clean(render.AboutPath)} {
		if err := removeLists(root, folder, current); err != nil {
			return err
		}
	}
	return nil
}

// removeLists removes the pages and feeds below a folder, with their compressed
// forms, and the folders that are empty then.
func removeLists(root *os.Root, folder string, current func(name string) bool) error {
	var folders []string
	err := fs.WalkDir(root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return ignoreMissing(err)
		case d.IsDir():
			folders = append(folders, name)
			return nil
		case !isListFile(path.Base(name)) || current(plain(name)) || !d.Type().IsRegular():
			return nil
		}
		return ignoreMissing(root.Remove(name))
	})
	for _, name := range slices.Backward(folders) {
		_ = root.Remove(name) // one that holds something stays
	}
	return err
}

// isListFile tells whether a file has a name that the site gives in the folders
// of lists.
func isListFile(base string) bool {
	p := feed.PathsOf("")
	return slices.Contains([]string{"index.html", p.RSS, p.Atom, p.JSON}, plain(base))
}

// plain is the name without the ending of a compressed form.
func plain(name string) string {
	for _, coding := range Codings {
		if cut, ok := strings.CutSuffix(name, coding.Ending); ok {
			return cut
		}
	}
	return name
}

// removeArchives removes documents of the archive.
func removeArchives(root *os.Root, current func(name string) bool) error {
	for n := int64(1); ; n++ {
		p := feed.ArchivePaths(n)
		if current(p.RSS) {
			continue
		}
		gone, err := removeFeeds(root, p)
		if err != nil || !gone {
			return err
		}
	}
}

// removeFeeds removes the documents of a feed and the compressed ones beside
// them, and tells whether there were any.
func removeFeeds(root *os.Root, p feed.Paths) (found bool, err error) {
	for _, name := range []string{p.RSS, p.Atom, p.JSON} {
		names := []string{name}
		for _, coding := range Codings {
			names = append(names, name+coding.Ending)
		}
		for _, name := range names {
			switch err := root.Remove(name); {
			case err == nil:
				found = true
			case !errors.Is(err, fs.ErrNotExist):
				return found, fmt.Errorf("remove %s: %w", name, err)
			}
		}
	}
	return found, nil
}
