// Command threadmill publishes a folder of threads as a newsletter and as
// feeds, on its own schedule. `threadmill help` tells what it can do, and
// `threadmill demo` shows it.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the build.
var version = "devel"

// world is all that the program touches besides files and network.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) (string, bool)
}

func main() {
	os.Exit(run(context.Background(), os.Args[1:], world{os.Stdin, os.Stdout, os.Stderr, os.LookupEnv}))
}

// run executes one command line and returns its exit status. SIGINT and
// SIGTERM end it in order; a second signal ends it at once.
func run(ctx context.Context, args []string, w world) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return execute(ctx, args, w)
}
