//go:build !unix

package pgtest

import "os/exec"

// serve would have cmd run as a server; there is none to start here.
func serve(*exec.Cmd, string) error { return nil }
