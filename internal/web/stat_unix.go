//go:build unix

package web

import (
	"time"

	"golang.org/x/sys/unix"
)

// stamp tells one state of a file from another. The time of its last change of
// any kind cannot be set from outside.
type stamp struct {
	dev, ino, size int64
	sec, nsec      int64
}

// stampOf returns the stamp of what stands at a path. It costs one system call.
func stampOf(path string) (stamp, bool) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return stamp{}, false
	}
	sec, nsec := st.Ctim.Unix()
	return stamp{int64(st.Dev), int64(st.Ino), st.Size, sec, nsec}, true
}

// changed is when the file became what it is.
func (s stamp) changed() time.Time { return time.Unix(s.sec, s.nsec) }
