package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/gofrs/flock"

	"threadmill/internal/newsletter"
)

// Lock makes its holder the only sender and the only writer of the output
// folder. It is released when the process ends, however it ends.
type Lock struct {
	file   *flock.Flock
	server *serverLock // in the place of file
}

// Holder is the process that holds a lock.
type Holder struct {
	Command string `json:"command"` // run, publish …
	PID     int    `json:"pid"`
	Host    string `json:"host,omitempty"` // where the lock is that of a server
}

func (h Holder) String() string {
	if h.PID == 0 {
		return "another threadmill"
	}
	if h.Host != "" {
		return fmt.Sprintf("threadmill %s (process %d on %s)", h.Command, h.PID, h.Host)
	}
	return fmt.Sprintf("threadmill %s (process %d)", h.Command, h.PID)
}

// LockedError says that another process holds the lock.
type LockedError struct{ Holder Holder }

func (e *LockedError) Error() string {
	return e.Holder.String() + " is at work on this publication"
}

// A try lasts as long as a look at the lock by [LockHolder] may stand in its
// way.
const (
	tryFor   = 50 * time.Millisecond
	tryEvery = 5 * time.Millisecond
)

// Lock takes the publication's lock for the given command. It does not wait for
// another holder: a *LockedError tells who that is.
func (s *Store) Lock(ctx context.Context, command string) (*Lock, error) {
	if s.pool == nil {
		l, err := TryLock(s.path, command)
		if err != nil {
			return nil, err
		}
		if err := s.checkMoved(ctx); err != nil { // while it was waited for
			return nil, errors.Join(err, l.Unlock())
		}
		return l, nil
	}
	l, err := s.lockOnServer(ctx, command)
	if err != nil {
		return nil, err
	}
	return &Lock{server: l}, nil
}

// LockHolder returns who holds the publication's lock, nil when nobody does.
func (s *Store) LockHolder(ctx context.Context) (*Holder, error) {
	if s.pool == nil {
		return LockHolder(s.path), nil
	}
	return s.holderOnServer(ctx)
}

// ErrLockLost says that the connection is gone that held the lock, so that
// another process may have it by now.
var ErrLockLost = fmt.Errorf("%w, and with it the lock of the publication", newsletter.ErrCutOff)

// Context returns a context that also ends, with the cause [ErrLockLost], when
// the lock is lost.
func (l *Lock) Context(ctx context.Context) (context.Context, context.CancelFunc) {
	return l.server.context(ctx, ErrLockLost)
}

// TryLock takes the lock of the database at path, which stands beside it, for
// the given command. It does not wait for another holder: a *LockedError tells
// who that is.
func TryLock(path, command string) (*Lock, error) {
	f := flock.New(path+".lock", flock.SetPermissions(0o600))
	ctx, cancel := context.WithTimeout(context.Background(), tryFor)
	defer cancel()
	switch ok, err := f.TryLockContext(ctx, tryEvery); {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, &LockedError{readHolder(f.Path())}
	case err != nil || !ok:
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	l := &Lock{file: f}
	holder, err := json.Marshal(Holder{Command: command, PID: os.Getpid()})
	if err == nil {
		err = os.WriteFile(holderFile(f.Path()), append(holder, '\n'), 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), l.Unlock())
	}
	return l, nil
}

// holderFile is where the name of a lock's holder stands: in the lock file, save
// on Windows, where what is locked can be read and written by nobody else, not
// even by another handle of its holder (LockFileEx).
func holderFile(lock string) string {
	if runtime.GOOS == "windows" {
		return lock + ".holder"
	}
	return lock
}

// readHolder reads who holds the lock at path; the file may be half written.
func readHolder(path string) Holder {
	var h Holder
	if b, err := os.ReadFile(holderFile(path)); err != nil || json.Unmarshal(b, &h) != nil {
		return Holder{}
	}
	return h
}

// Unlock gives the lock back. It wipes the holder's name first, which else the
// next one would seem to have until it has written its own.
func (l *Lock) Unlock() error {
	if l.server != nil {
		return l.server.unlock()
	}
	return errors.Join(os.Truncate(holderFile(l.file.Path()), 0), l.file.Close())
}

// LockHolder returns who holds the lock of the database at path, nil when
// nobody does.
func LockHolder(path string) *Holder {
	f := flock.New(path+".lock", flock.SetFlag(os.O_RDONLY))
	ok, err := f.TryRLock()
	if err != nil { // there is no lock file yet
		return nil
	}
	defer f.Close()
	if ok {
		return nil
	}
	h := readHolder(f.Path())
	return &h
}
