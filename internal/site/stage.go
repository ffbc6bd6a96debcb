package site

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Names of unfinished files; whatever bears one is left over from a crash.
const (
	tempPrefix = ".threadmill-"
	tempSuffix = ".tmp"
)

// stage holds changed files beside their places until all are written.
type stage struct {
	root   *os.Root
	staged []staged
	seen   map[string]bool // every file of the site
	report Report

	modified func(name string) time.Time // of what a file shows; nil for now
	codings  *Compressor                 // nil for none
}

type staged struct {
	temp, name string
}

// put stages a file unless the folder holds the same already. A name that was
// put before is left out.
func (s *stage) put(ctx context.Context, name string, content io.Reader) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.seen[name] {
		return nil
	}
	s.seen[name] = true
	text, err := io.ReadAll(io.LimitReader(content, maxFile+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if len(text) > maxFile {
		return fmt.Errorf("%s is longer than %d MB", name, maxFile>>20)
	}
	same, err := s.holds(name, text)
	if err != nil {
		return err
	}
	if same {
		s.report.Unchanged++
		return nil
	}
	s.report.Written++
	return s.write(name, text)
}

// maxFile bounds a file of the site, in bytes.
const maxFile = 64 << 20

// holds tells whether the file is there with that text.
func (s *stage) holds(name string, text []byte) (bool, error) {
	f, err := s.root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !stat.Mode().IsRegular() {
		return false, fmt.Errorf("%s is in the way: it is not a file", name)
	}
	if stat.Size() != int64(len(text)) {
		return false, nil
	}
	old, err := io.ReadAll(f)
	return bytes.Equal(old, text), err
}

func (s *stage) write(name string, text []byte) error {
	dir := path.Dir(name)
	if err := s.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temp := path.Join(dir, fmt.Sprintf("%s%d%s", tempPrefix, len(s.staged), tempSuffix))
	f, err := s.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	s.staged = append(s.staged, staged{temp, name})
	_, err = f.Write(text)
	if err := errors.Join(err, f.Close()); err != nil || s.modified == nil {
		return err
	}
	return setTime(s.root, temp, name, s.modified(name))
}

// commit makes the staged files durable, then puts them in place in the order
// in which they came, then makes that durable. It does the last also where no
// file changed: an earlier Write may have come no further than its renames.
func (s *stage) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(s.staged) > 0 {
		if err := flush(s.root, s.temps()); err != nil {
			return fmt.Errorf("sync files: %w", err)
		}
	}
	for len(s.staged) > 0 {
		f := s.staged[0]
		if err := s.codings.place(s.root, f.temp, f.name); err != nil {
			return err
		}
		s.staged = s.staged[1:]
	}
	if err := flush(s.root, s.folders()); err != nil {
		return fmt.Errorf("sync folders: %w", err)
	}
	s.codings.note(slices.Sorted(maps.Keys(s.seen)))
	return nil
}

func (s *stage) temps() []string {
	names := make([]string, len(s.staged))
	for i, f := range s.staged {
		names[i] = f.temp
	}
	return names
}

// folders are those that hold the files of the site, and those above them.
func (s *stage) folders() []string {
	found := map[string]bool{".": true}
	for name := range s.seen {
		for dir := path.Dir(name); !found[dir]; dir = path.Dir(dir) {
			found[dir] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// discard removes what was staged and not put in place.
func (s *stage) discard() {
	for _, f := range s.staged {
		_ = s.root.Remove(f.temp) // the next Write sweeps what stays
	}
}

// sweep removes the unfinished files of a Write that was cut off.
func sweep(ctx context.Context, root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		base := path.Base(name)
		switch {
		case err != nil && name == ".":
			return err
		case err != nil: // a folder that is not ours to read holds nothing of ours
			return fs.SkipDir
		case d.IsDir() && name != "." && strings.HasPrefix(base, "."):
			return fs.SkipDir
		case leftOver(base, d):
			return ignoreMissing(root.Remove(name))
		}
		return nil
	})
}

// leftOver tells whether a file is left over from a crash. That of a probe is
// when it is old: another process may be at it.
func leftOver(base string, d fs.DirEntry) bool {
	if !d.Type().IsRegular() {
		return false
	}
	if strings.HasPrefix(base, probePrefix) {
		info, err := d.Info()
		return err == nil && time.Since(info.ModTime()) > time.Hour
	}
	return strings.HasPrefix(base, tempPrefix) && strings.HasSuffix(base, tempSuffix)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
