//go:build unix

package shell_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"threadmill/internal/shell"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRun(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ line, output, err string }{
		"ends well":         {line: "cat", output: `{"issue":3}`},
		"reads nothing":     {line: "exit 0"},
		"fails":             {line: "echo so what >&2; exit 7", output: "so what", err: "exit status 7"},
		"kills itself":      {line: "echo bye; kill -9 $$", output: "bye", err: "signal: killed"},
		"is not there":      {line: "no-such-command-here", output: "not found", err: "exit status 127"},
		"prints a megabyte": {line: "head -c 1000000 /dev/zero | tr '\\0' x", output: "x …"},
		"leaves a daemon":   {line: "echo up; sleep 100 & echo $! > daemon", output: "up"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			out, err := shell.Command{Line: tt.line, Dir: dir, Timeout: time.Minute}.Run(t.Context(), map[string]int{"issue": 3})
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("error %v, want %q", err, tt.err)
			}
			if !strings.Contains(out, tt.output) || len(out) > 5000 {
				t.Errorf("output of %d bytes %.100q, want %q", len(out), out, tt.output)
			}
			if pid := number(t, filepath.Join(dir, "daemon")); pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		})
	}
}

// A command that hangs is killed with all that it waits for, after its time or
// when the program ends.
func TestRunHangs(t *testing.T) {
	t.Parallel()
	ended, end := context.WithCancel(t.Context())
	end()
	for name, tt := range map[string]struct {
		ctx     context.Context
		timeout time.Duration
		want    error
	}{
		"time":    {t.Context(), 100 * time.Millisecond, context.DeadlineExceeded},
		"program": {ended, time.Minute, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			_, err := shell.Command{Line: "sleep 1000 & echo $! > sleeper; wait", Dir: dir, Timeout: tt.timeout}.Run(tt.ctx, nil)
			if !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			for pid := number(t, filepath.Join(dir, "sleeper")); pid > 0 && running(pid); { // for ever, if it was not killed
				time.Sleep(time.Millisecond)
			}
		})
	}
}

// number is what a file holds, 0 where there is none.
func number(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// running tells whether a process is there and no zombie, which waits for init.
func running(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
