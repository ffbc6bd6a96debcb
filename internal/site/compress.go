package site

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// The codings that stand beside a file, by the endings that nginx and others
// look for. The levels are those beyond which a page costs much more time than
// it saves bytes.
const (
	gzipEnding, gzipLevel     = ".gz", 6
	brotliEnding, brotliLevel = ".br", 9
	zstdEnding, zstdLevel     = ".zst", zstd.SpeedBetterCompression
)

// Codings are the content codings (RFC 9110, section 8.4.1) in which the output
// folder may hold a file, with the ending of that file's name. Read-only.
var Codings = []struct{ Name, Ending string }{{"gzip", gzipEnding}, {"br", brotliEnding}, {"zstd", zstdEnding}}

const (
	minCoded = 256     // bytes; what is shorter fits one packet anyhow
	maxCoded = 8 << 20 // bytes; a single file must not cost much memory
	// codedBatch is how many files are coded before they are synced together.
	codedBatch = 64
)

// Compressor makes the codings of a site's files, gzip, Brotli and Zstandard,
// while nobody waits for them. Its methods may be called by several goroutines.
// Only the one who may write the folder may use it.
//
// A coding has the time of its file and is removed before that is replaced, so
// that each is either right or not there.
type Compressor struct {
	dir  string
	log  *slog.Logger
	wake chan struct{}

	placing sync.Mutex // held while a file or a coding is put in place

	mu   sync.Mutex
	due  []string             // names of files to look at
	done map[string]time.Time // the time of a file whose codings are made

	working sync.Mutex // one Compress at a time
}

// NewCompressor returns one for the output folder dir and touches no file.
func NewCompressor(dir string, log *slog.Logger) *Compressor {
	return &Compressor{dir: dir, log: log, wake: make(chan struct{}, 1), done: make(map[string]time.Time)}
}

// Run makes codings as they are needed, until ctx is done. A fault is logged
// and costs speed only: readers get the plain file.
func (c *Compressor) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		}
		// What was there a moment ago is gone where the site is just written
		// again, and is asked for again then.
		if err := c.Compress(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, fs.ErrNotExist) {
			c.log.WarnContext(ctx, "the site is served without compression for now", "err", err)
		}
	}
}

// Compress makes the codings of all files that a Write put in place, and
// returns when they are durable.
func (c *Compressor) Compress(ctx context.Context) error {
	c.working.Lock()
	defer c.working.Unlock()
	names := c.take()
	if len(names) == 0 {
		return nil
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		c.add(names)
		return fmt.Errorf("compress files of %s: %w", c.dir, err)
	}
	defer root.Close()
	e, err := newEncoders()
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(names, codedBatch) {
		if err == nil {
			err = c.batch(ctx, root, e, batch)
		}
		if err != nil { // the next Compress goes on
			c.add(batch)
		}
	}
	if err != nil {
		return fmt.Errorf("compress files of %s: %w", c.dir, err)
	}
	return nil
}

// note asks for the codings of files; the site calls it with all it has.
func (c *Compressor) note(names []string) {
	if c == nil {
		return
	}
	c.add(names)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *Compressor) add(names []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range names {
		if _, ok := c.done[name]; !ok && compressible(name) {
			c.due = append(c.due, name)
		}
	}
}

// take returns what is due, the files of the top folder first: feeds and
// archive are what most readers ask for.
func (c *Compressor) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := slices.Compact(slices.Sorted(slices.Values(c.due)))
	c.due = nil
	slices.SortStableFunc(names, func(a, b string) int {
		return cmp.Compare(min(strings.Count(a, "/"), 1), min(strings.Count(b, "/"), 1))
	})
	return names
}

// place puts a staged file in its place, without the codings of the old one.
func (c *Compressor) place(root *os.Root, temp, name string) error {
	if c == nil {
		return root.Rename(temp, name)
	}
	c.placing.Lock()
	defer c.placing.Unlock()
	if compressible(name) {
		if err := c.removeCodings(root, name); err != nil {
			return err
		}
	}
	c.mu.Lock()
	delete(c.done, name)
	c.mu.Unlock()
	return root.Rename(temp, name)
}

// removeCodings removes those of a name, whether there is a file or not: one
// that somebody removed may have left them behind. A new site has none of them,
// and a look by the whole path costs least.
func (c *Compressor) removeCodings(root *os.Root, name string) error {
	for _, coding := range Codings {
		if _, err := os.Lstat(filepath.Join(c.dir, filepath.FromSlash(name+coding.Ending))); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := ignoreMissing(root.Remove(name + coding.Ending)); err != nil {
			return err
		}
	}
	return nil
}

// coding is one that is written and not yet in place.
type coding struct {
	temp, name string
	file       string
	of         fs.FileInfo
}

// batch makes the codings of some files, syncs them and puts them in place.
func (c *Compressor) batch(ctx context.Context, root *os.Root, e *encoders, names []string) error {
	var made []coding
	defer func() {
		for _, m := range made {
			_ = root.Remove(m.temp) // those that are in place have no such name any more
		}
	}()
	looked := make(map[string]fs.FileInfo)
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, info, err := e.code(root, name, len(made))
		made = append(made, more...)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it is off the site again
		}
		if err != nil {
			return err
		}
		looked[name] = info
	}
	if len(made) > 0 {
		if err := flush(root, func() []string { return temps(made) }); err != nil {
			return fmt.Errorf("sync files: %w", err)
		}
	}
	return c.finish(root, made, looked)
}

func temps(made []coding) []string {
	names := make([]string, len(made))
	for i, m := range made {
		names[i] = m.temp
	}
	return names
}

// finish puts codings in place, save those of files that were replaced
// meanwhile.
func (c *Compressor) finish(root *os.Root, made []coding, looked map[string]fs.FileInfo) error {
	for _, m := range made {
		if err := c.placeCoding(root, m); err != nil {
			return err
		}
	}
	c.placing.Lock()
	defer c.placing.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, info := range looked {
		if unchanged(root, name, info) {
			c.done[name] = info.ModTime()
		}
	}
	return nil
}

func (c *Compressor) placeCoding(root *os.Root, m coding) error {
	c.placing.Lock()
	defer c.placing.Unlock()
	if !unchanged(root, m.file, m.of) {
		return nil // whoever replaced it has asked for its codings
	}
	return root.Rename(m.temp, m.name)
}

func unchanged(root *os.Root, name string, old fs.FileInfo) bool {
	now, err := root.Stat(name)
	return err == nil && sameFile(old, now)
}

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// compressible tells whether codings of a file are worth making: pictures are
// compressed already.
func compressible(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".xml", ".json", ".opml", ".css", ".svg", ".txt":
		return true
	}
	return name == ".well-known/feeds"
}

// encoders are what makes the codings. The same text gives the same bytes
// everywhere.
type encoders struct {
	gzip   *gzip.Writer
	brotli *brotli.Writer
	zstd   *zstd.Encoder
}

func newEncoders() (*encoders, error) {
	g, err := gzip.NewWriterLevel(nil, gzipLevel)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdLevel), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	return &encoders{g, brotli.NewWriterLevel(nil, brotliLevel), z}, nil
}

// code writes the codings that a file lacks beside it. Its error is
// fs.ErrNotExist when there is no such file.
func (e *encoders) code(root *os.Root, name string, number int) ([]coding, fs.FileInfo, error) {
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() < minCoded || info.Size() > maxCoded {
		return nil, info, err
	}
	var text []byte
	var made []coding
	for _, kind := range Codings {
		ending := kind.Ending
		if old, err := root.Stat(name + ending); err == nil && old.ModTime().Equal(info.ModTime()) {
			continue
		}
		if text == nil {
			if text, err = io.ReadAll(io.LimitReader(f, maxCoded)); err != nil {
				return made, nil, err
			}
		}
		coded, err := e.encode(ending, text)
		if err != nil {
			return made, nil, fmt.Errorf("%s: %w", name, err)
		}
		if len(coded) >= len(text) {
			continue
		}
		// In the top of the folder each Write sweeps what a crash left.
		temp := fmt.Sprintf("%scoding-%d%s", tempPrefix, number+len(made), tempSuffix)
		made = append(made, coding{temp, name + ending, name, info})
		if err := writeCoding(root, temp, coded, info.ModTime()); err != nil {
			return made, nil, err
		}
	}
	return made, info, nil
}

func writeCoding(root *os.Root, temp string, text []byte, at time.Time) error {
	f, err := root.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close(), root.Chtimes(temp, at, at))
}

// encode returns a text in the coding of that ending.
func (e *encoders) encode(ending string, text []byte) ([]byte, error) {
	var b bytes.Buffer
	var w io.WriteCloser
	switch ending {
	case gzipEnding:
		e.gzip.Reset(&b)
		w = e.gzip
	case brotliEnding:
		e.brotli.Reset(&b)
		w = e.brotli
	default:
		return e.zstd.EncodeAll(text, nil), nil
	}
	_, err := w.Write(text)
	err = errors.Join(err, w.Close()) // which writes, too
	return b.Bytes(), err
}
