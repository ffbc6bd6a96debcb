package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
)

// show opens a file in the browser where somebody sits at a screen. It does not
// wait, and a desktop that cannot is no fault: the path was printed.
func (a *app) show(ctx context.Context, file string) {
	if !terminal(a.stdout) {
		return
	}
	opener := "open"
	if runtime.GOOS != "darwin" {
		opener = "xdg-open"
		_, x := a.env("DISPLAY")
		_, wayland := a.env("WAYLAND_DISPLAY")
		if !x && !wayland { // it would take the terminal for a browser of text
			return
		}
	}
	file, err := filepath.Abs(file)
	if err != nil {
		return
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), opener, file) //nolint:gosec // a file that we wrote
	if cmd.Start() == nil {
		_ = cmd.Process.Release()
	}
}
