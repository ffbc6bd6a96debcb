//go:build !unix

package web

import (
	"os"
	"time"
)

// stamp tells one state of a file from another.
type stamp struct {
	size int64
	time time.Time
}

// stampOf returns the stamp of what stands at a path.
func stampOf(path string) (stamp, bool) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, false
	}
	return stamp{info.Size(), info.ModTime()}, true
}

// changed is when the file became what it is.
func (s stamp) changed() time.Time { return s.time }
