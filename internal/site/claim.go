package site

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/gofrs/flock"
)

// Claim makes this process the only writer of an output folder.
type Claim struct{ lock *flock.Flock }

// ErrClaimed says that another process writes the output folder.
var ErrClaimed = errors.New("another threadmill writes it; one folder cannot hold the sites of two: name another one as output")

// A claim waits this long for a process that is about to end.
const (
	claimFor   = 200 * time.Millisecond
	claimEvery = 10 * time.Millisecond
)

// ClaimDir claims the output folder at dir, and makes it where it is not there;
// ErrClaimed when another process has it. The system gives the claim up when
// the process ends, however it ends. The folder itself is locked, so that no
// file of ours lies among those that readers get; on Windows, which locks no
// folders, a file beside it.
func ClaimDir(ctx context.Context, dir string) (*Claim, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make output folder: %w", err)
	}
	lock := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	if runtime.GOOS == "windows" {
		lock = flock.New(dir + ".lock")
	}
	ctx, cancel := context.WithTimeout(ctx, claimFor)
	defer cancel()
	ok, err := lock.TryLockContext(ctx, claimEvery)
	if errors.Is(err, context.DeadlineExceeded) {
		err = ErrClaimed
	}
	if err != nil || !ok {
		return nil, fmt.Errorf("output folder %s: %w", dir, errors.Join(err, lock.Close()))
	}
	return &Claim{lock}, nil
}

// Release gives the folder up.
func (c *Claim) Release() error { return c.lock.Close() }
