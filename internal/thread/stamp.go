package thread

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
)

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
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) { // an editor has just replaced it
			return nil
		}
		if err == nil {
			_, err = fmt.Fprintf(h, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("look for changes in %s: %w", r.Label, cause(err))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
