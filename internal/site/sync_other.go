//go:build !linux

package site

import (
	"errors"
	"os"
	"runtime"
)

// flush makes the named files and folders below root durable.
func flush(root *os.Root, names []string) error {
	for _, name := range names {
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		err = f.Sync()
		if runtime.GOOS == "windows" {
			err = nil // cannot sync what is open for reading; renames are journaled there
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}
