//go:build unix

package shell

import (
	"os/exec"
	"syscall"
)

// alone gives a command a process group of its own, which is killed as a whole:
// sh would leave behind what it waits for. A signal of the terminal to threadmill
// does not reach it, which tells it to end by its context.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
