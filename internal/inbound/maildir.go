package inbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"time"
)

// maildirLook is how often a folder is looked at.
const maildirLook = 10 * time.Second

// Maildir is a folder that a mail server delivers to, with its parts new, cur
// and tmp.
type Maildir struct {
	Dir  string
	Take Take
	Log  *slog.Logger

	left  map[string]bool // names in new that are not ours
	fault string          // that was told
}

// Run looks into the folder until ctx ends.
func (m *Maildir) Run(ctx context.Context) {
	tick := time.NewTicker(maildirLook)
	defer tick.Stop()
	for {
		err := m.Scan(ctx)
		switch {
		case err == nil:
			m.fault = ""
		case ctx.Err() == nil && err.Error() != m.fault:
			m.fault = err.Error()
			m.Log.Error("mail that came back waits", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Scan takes in what is new. What is ours is moved to cur as seen; other mail is
// left as it is, and not looked at again while m lives. What comes after a fault
// waits for the next call.
func (m *Maildir) Scan(ctx context.Context) error {
	root, err := os.OpenRoot(m.Dir)
	if err != nil {
		return fmt.Errorf("open mail.bounce.maildir: %w", err)
	}
	defer root.Close()
	names, err := fs.ReadDir(root.FS(), "new")
	if err != nil {
		return fmt.Errorf("read mail.bounce.maildir: %w", err)
	}
	left := map[string]bool{}
	for i, entry := range names {
		name := entry.Name()
		ours := false
		if !m.left[name] {
			if ours, err = m.one(ctx, root, name); err != nil {
				for _, later := range names[i:] { // those that were known stay so
					if m.left[later.Name()] {
						left[later.Name()] = true
					}
				}
				m.left = left
				return fmt.Errorf("take in %s of mail.bounce.maildir: %w", name, err)
			}
		}
		if !ours {
			left[name] = true
		}
	}
	m.left = left
	return nil
}

func (m *Maildir) one(ctx context.Context, root *os.Root, name string) (ours bool, err error) {
	from := path.Join("new", name)
	raw, err := readHead(root, from)
	if errors.Is(err, fs.ErrNotExist) || raw == nil && err == nil { // somebody else took it, or it is no mail
		return false, nil
	}
	if err == nil {
		ours, err = m.Take(ctx, "", raw)
	}
	if err != nil || !ours {
		return false, err
	}
	if err := root.Mkdir("cur", 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	err = root.Rename(from, path.Join("cur", name+":2,S"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return true, err
}

// readHead reads as much of a file as is looked at; nil for what is no file.
func readHead(root *os.Root, name string) ([]byte, error) {
	if info, err := root.Lstat(name); err != nil || !info.Mode().IsRegular() {
		return nil, err
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxMail))
}
