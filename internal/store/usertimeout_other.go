//go:build !linux

package store

import (
	"syscall"
	"time"
)

// setUserTimeout does nothing here: the keepalives have to do.
func setUserTimeout(syscall.RawConn, time.Duration) error { return nil }
