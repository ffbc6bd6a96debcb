package thread

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

// ignored names are those that Read passes over.
func ignored(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")
}

// Stamp returns a text that changes when a file of the folder is added,
// removed, renamed or written. It reads no file.
func (r Reader) Stamp() (string, error) {
	root, err := r.open()
	if err != nil {
		return "", err
	}
	defer root.Close()
	h := sha256.New()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil: // a folder that cannot be read holds no thread
			return fs.SkipDir
		case name != "." && ignored(d.Name()):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case d.IsDir():
			return nil
		}
		info, err := d.Info()
		if err != nil { // an editor has just replaced it
			return nil
		}
		_, err = fmt.Fprintf(h, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look for changes in %s: %w", r.Label, cause(err))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
