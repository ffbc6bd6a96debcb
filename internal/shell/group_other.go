//go:build !unix

package shell

import "os/exec"

// alone does nothing where there are no process groups: only sh itself is killed.
func alone(*exec.Cmd) {}
