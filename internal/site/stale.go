package site

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// listed are the folders that hold pages and feeds of lists and nothing else:
// what a list has no longer, such as a tag that left its last thread, goes.
func listed() []string { return []string{"page", "tags"} }

// removeStale removes the pages and feeds of lists that are no part of the site
// any more, with their compressed forms. Other files stay.
func removeStale(root *os.Root, seen map[string]bool) error {
	for _, folder := range listed() {
		var folders []string
		err := fs.WalkDir(root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return ignoreMissing(err)
			case d.IsDir():
				folders = append(folders, name)
				return nil
			case !ours(path.Base(name)) || seen[plain(name)] || !d.Type().IsRegular():
				return nil
			}
			return ignoreMissing(root.Remove(name))
		})
		if err != nil {
			return err
		}
		for _, name := range slices.Backward(folders) {
			_ = root.Remove(name) // one that holds something stays
		}
	}
	return nil
}

// ours tells whether a file of a list's folder has a name that the site gives.
func ours(base string) bool {
	return slices.Contains([]string{"index.html", "feed.xml", "atom.xml", "feed.json"}, plain(base))
}

// plain is the name without the ending of a compressed form.
func plain(name string) string {
	for _, ending := range []string{".gz", ".br", ".zst"} {
		if cut, ok := strings.CutSuffix(name, ending); ok {
			return cut
		}
	}
	return name
}
