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
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Names of unfinished files; whatever bears one is left over from a crash.
const (
	tempPrefix = ".threadmill-"
	tempSuffix = ".tmp"
)

// stage holds changed files beside their places until all are written. Several
// goroutines may stage files.
type stage struct {
	dir   string // the output folder
	root  *os.Root
	old   index           // of the last Write
	cut   bool            // the last Write was cut off
	clean bool            // it came to its end, and told all in its index
	seen  map[string]bool // every file of the site
	order int             // how many files were put so far

	mu     sync.Mutex
	staged []staged
	begun  bool // writingFile is there
	moved  bool // a file was put in place
	temps  int
	now    index
	report Report

	modified func(name string) time.Time // of what a file shows; nil for now
	codings  *Compressor                 // nil for none
}

type staged struct {
	order      int
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
	s.order++
	return s.file(s.order, name, sum{}, text)
}

// file stages a text unless the folder holds the same already.
func (s *stage) file(order int, name string, of sum, text []byte) error {
	if len(text) > maxFile {
		return fmt.Errorf("%s is longer than %d MB", name, maxFile>>20)
	}
	m := made{of: of, text: sumOf(text)}
	if old, intact := s.asWritten(name); intact && old.text == m.text {
		m.look = old.look
		s.unchanged(name, m)
		return nil
	}
	dir, err := s.enter(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	old, same, err := dir.holds(name, text)
	if err != nil {
		return err
	}
	if same {
		m.look = lookOf(old)
		s.unchanged(name, m)
		return nil
	}
	if m.look, err = s.write(order, dir.Root, name, old, text); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now[name] = m
	s.report.Written++
	return nil
}

// opened is an open folder of the site: what is done by names in it need not
// find it each time.
type opened struct {
	*os.Root
	fresh bool // it was made just now
}

func (s *stage) enter(name string) (opened, error) {
	dir, err := s.root.OpenRoot(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return opened{Root: dir}, err
	}
	if err := s.root.MkdirAll(name, 0o755); err != nil {
		return opened{}, err
	}
	dir, err = s.root.OpenRoot(name)
	return opened{dir, true}, err
}

func (s *stage) unchanged(name string, m made) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now[name] = m
	s.report.Unchanged++
}

// asWritten is what is known of a file, and whether it still looks as it did
// when it was written.
func (s *stage) asWritten(name string) (made, bool) {
	m, known := s.old[name]
	if !known {
		return made{}, false
	}
	info, err := os.Lstat(filepath.Join(s.dir, filepath.FromSlash(name)))
	return m, err == nil && info.Mode().IsRegular() && lookOf(info) == m.look
}

// maxFile bounds a file of the site, in bytes.
const maxFile = 64 << 20

// holds tells how the file of that name looks, nil when it is not there, and
// whether it holds that text.
func (f opened) holds(name string, text []byte) (fs.FileInfo, bool, error) {
	if f.fresh {
		return nil, false, nil
	}
	file, err := f.Open(path.Base(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return nil, false, err
	}
	if !stat.Mode().IsRegular() {
		return nil, false, fmt.Errorf("%s is in the way: it is not a file", name)
	}
	if stat.Size() != int64(len(text)) {
		return stat, false, nil
	}
	old, err := io.ReadAll(file)
	return stat, bytes.Equal(old, text), err
}

// write stages a text beside the file that it replaces; old is nil where there
// is none.
func (s *stage) write(order int, dir *os.Root, name string, old fs.FileInfo, text []byte) (look, error) {
	temp, err := s.temp()
	if err != nil {
		return look{}, err
	}
	f, err := dir.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return look{}, err
	}
	defer f.Close()
	s.mu.Lock()
	s.staged = append(s.staged, staged{order, path.Join(path.Dir(name), temp), name})
	s.mu.Unlock()
	if _, err := f.Write(text); err != nil {
		return look{}, err
	}
	if s.modified != nil {
		if err := setTime(dir, temp, old, s.modified(name)); err != nil {
			return look{}, err
		}
	}
	stat, err := f.Stat()
	if err != nil {
		return look{}, err
	}
	return lookOf(stat), f.Close()
}

// temp is a new name for an unfinished file. Before the first one it notes that
// files are written.
func (s *stage) temp() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.begun {
		f, err := s.root.OpenFile(writingFile, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return "", err
		}
		if err := f.Close(); err != nil {
			return "", err
		}
		s.begun = true
	}
	s.temps++
	return tempPrefix + strconv.Itoa(s.temps) + tempSuffix, nil
}

// commit brings the folder to what is staged, and asks for the codings of its
// files.
func (s *stage) commit(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// Where no file changed there is nothing to do, unless an earlier Write may
	// have come no further than its renames.
	if len(s.staged) > 0 || !s.clean {
		if err := s.place(); err != nil {
			return err
		}
	}
	s.codings.note(slices.Sorted(maps.Keys(s.seen)))
	return s.remember()
}

// place makes the staged files durable, then puts them in place in the order in
// which they came, then makes that durable.
func (s *stage) place() error {
	slices.SortFunc(s.staged, func(a, b staged) int { return a.order - b.order })
	if len(s.staged) > 0 {
		if err := flush(s.root, s.unfinished); err != nil {
			return fmt.Errorf("sync files: %w", err)
		}
	}
	for len(s.staged) > 0 {
		f := s.staged[0]
		if err := s.codings.place(s.root, f.temp, f.name); err != nil {
			return err
		}
		s.staged, s.moved = s.staged[1:], true
	}
	if err := flush(s.root, s.folders); err != nil {
		return fmt.Errorf("sync folders: %w", err)
	}
	return nil
}

// remember writes the index for the next Write. It comes last, so that it never
// tells of what is not durable; that it is not synced itself does no harm.
func (s *stage) remember() error {
	if !maps.Equal(s.old, s.now) {
		temp := tempPrefix + "index" + tempSuffix
		if err := s.root.WriteFile(temp, s.now.encode(), 0o644); err != nil {
			return err
		}
		if err := s.root.Rename(temp, indexFile); err != nil {
			return err
		}
	}
	return ignoreMissing(s.root.Remove(writingFile))
}

func (s *stage) unfinished() []string {
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
	if s.begun && !s.moved && !s.cut {
		_ = s.root.Remove(writingFile)
	}
}

// recall reads the index. Where there is none, or a Write was cut off, it
// clears unfinished files away; in the top of the folder it does so always.
func (s *stage) recall(ctx context.Context) error {
	text, err := readIndex(s.root)
	if err != nil {
		return err
	}
	var whole bool
	s.old, whole = decodeIndex(text)
	_, err = s.root.Lstat(writingFile)
	s.cut = !errors.Is(err, fs.ErrNotExist)
	s.clean = whole && !s.cut
	return sweep(ctx, s.root, !s.clean)
}

func readIndex(root *os.Root) ([]byte, error) {
	f, err := root.Open(indexFile)
	if err != nil {
		return nil, nil //nolint:nilerr // nothing depends on it
	}
	defer f.Close()
	if stat, err := f.Stat(); err != nil || !stat.Mode().IsRegular() {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, maxIndex))
}

// sweep removes the unfinished files of a Write that was cut off, in the top of
// the folder and, where deep is set, in all folders below.
func sweep(ctx context.Context, root *os.Root, deep bool) error {
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
		case d.IsDir() && name != "." && (!deep || strings.HasPrefix(base, ".")):
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
