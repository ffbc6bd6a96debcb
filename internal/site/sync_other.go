//go:build !linux

package site

import (
	"errors"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// syncs is how many files are synced at a time.
const syncs = 16

// flush makes the named files and folders below root durable.
func flush(root *os.Root, names func() []string) error {
	var group errgroup.Group
	group.SetLimit(syncs)
	for _, name := range names() {
		group.Go(func() error { return flushOne(root, name) })
	}
	return group.Wait()
}

func flushOne(root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	err = f.Sync()
	if runtime.GOOS == "windows" {
		err = nil // cannot sync what is open for reading; renames are journaled there
	}
	return errors.Join(err, f.Close())
}
