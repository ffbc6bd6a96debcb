package main

import "syscall"

// freeSpace is how many bytes can be written at a path, where that is known.
func freeSpace(path string) (bytes uint64, known bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(path, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true //nolint:gosec // the size of a block is above zero
}
