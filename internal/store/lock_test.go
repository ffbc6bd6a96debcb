package store_test

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/store"
)

// holdLock makes the test binary a process that takes the lock of the database
// it names, says so, and ends with its input.
const holdLock = "THREADMILL_TEST_HOLD_LOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdLock); path != "" {
		os.Exit(hold(path))
	}
	os.Exit(m.Run())
}

func hold(path string) int {
	l, err := store.TryLock(path, "run")
	if err != nil {
		os.Stdout.WriteString(err.Error() + "\n")
		return 1
	}
	os.Stdout.WriteString("locked\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := l.Unlock(); err != nil {
		return 1
	}
	return 0
}

// holder is such a process.
type holder struct {
	*exec.Cmd
	said string
	in   io.Closer
}

func startHolder(t *testing.T, path string) holder {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), holdLock+"="+path)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	said, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	return holder{cmd, strings.TrimSpace(said), in}
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "threadmill.db")
	if h := store.LockHolder(path); h != nil {
		t.Errorf("held by %v before anybody came", h)
	}
	first := startHolder(t, path)
	if first.said != "locked" {
		t.Fatalf("the first holder says %q", first.said)
	}
	want := store.Holder{Command: "run", PID: first.Process.Pid}
	if diff := cmp.Diff(&want, store.LockHolder(path)); diff != "" {
		t.Error(diff)
	}
	_, err := store.TryLock(path, "publish")
	locked, ok := errors.AsType[*store.LockedError](err)
	if !ok || locked.Holder != want {
		t.Fatalf("lock: %v, want a LockedError that names %v", err, want)
	}
	if second := startHolder(t, path); second.said != locked.Error() || second.Wait() == nil {
		t.Errorf("the second holder says %q", second.said)
	}
	info, err := os.Stat(path + ".lock")
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}

	must(t, first.Process.Kill())
	_ = first.Wait() // it was killed
	if h := store.LockHolder(path); h != nil {
		t.Errorf("held by %v, who is dead", h)
	}
	l, err := store.TryLock(path, "publish")
	must(t, err)
	if h := store.LockHolder(path); h == nil || *h != (store.Holder{Command: "publish", PID: os.Getpid()}) {
		t.Errorf("held by %v, want this process", h)
	}
	must(t, l.Unlock())
	third := startHolder(t, path)
	if third.said != "locked" {
		t.Fatalf("the third holder says %q", third.said)
	}
	must(t, third.in.Close())
	must(t, third.Wait())
	if b, err := os.ReadFile(path + ".lock"); err != nil || len(b) > 0 {
		t.Errorf("the lock still names its last holder: %q %v", b, err)
	}
}

// TestLockIsLookedAt takes the lock while others look who has it, which must
// not seem to be a holder.
func TestLockIsLookedAt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "threadmill.db")
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				store.LockHolder(path)
			}
		}
	})
	for range 100 {
		l, err := store.TryLock(path, "run")
		if err != nil {
			t.Error(err)
			break
		}
		must(t, l.Unlock())
	}
	close(done)
	wg.Wait()
}

func TestLockFails(t *testing.T) {
	t.Parallel()
	_, err := store.TryLock(filepath.Join(t.TempDir(), "missing", "threadmill.db"), "run")
	if _, locked := errors.AsType[*store.LockedError](err); err == nil || locked || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("lock in a folder that is not there: %v", err)
	}
	for h, want := range map[store.Holder]string{
		{}:                         "another threadmill",
		{Command: "run", PID: 123}: "threadmill run (process 123)",
	} {
		if h.String() != want {
			t.Errorf("%q, want %q", h.String(), want)
		}
	}
}
