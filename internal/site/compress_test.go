package site

import (
	"bytes"
	"compress/gzip"
	"context"
	"image/color"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

// compressed is a site with the one who compresses it.
func compressed(t *testing.T) (*folder, *Compressor) {
	f := newFolder(t)
	f.pictures["a.png"] = jpegOf(t, 30, 20, color.Black)
	f.opt.Compressor = NewCompressor(f.dir, slog.New(slog.NewTextHandler(&f.log, nil)))
	return f, f.opt.Compressor
}

// endings are those of codings, with what reads them.
var endings = map[string]func(io.Reader) (io.Reader, error){
	".gz": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	".br": func(r io.Reader) (io.Reader, error) { return brotli.NewReader(r), nil },
	".zst": func(r io.Reader) (io.Reader, error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
		return d, err
	},
}

// check fails unless each coding in the folder is that of its file, and each
// page and feed has all of them.
func check(t *testing.T, f *folder) map[string]string {
	t.Helper()
	tree := f.tree(t)
	for name, text := range tree {
		decode := endings[filepath.Ext(name)]
		if decode == nil {
			for ending := range endings {
				if _, ok := tree[name+ending]; ok != compressible(name) {
					t.Errorf("%s%s is there: %v", name, ending, ok)
				}
			}
			continue
		}
		plain := strings.TrimSuffix(name, filepath.Ext(name))
		r, err := decode(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || string(got) != tree[plain] || len(text) >= len(got) {
			t.Errorf("%s is not the file (%v)", name, err)
		}
		if !modTime(t, f, name).Equal(modTime(t, f, plain)) {
			t.Errorf("%s does not have the time of its file", name)
		}
	}
	return tree
}

func modTime(t *testing.T, f *folder, name string) time.Time {
	t.Helper()
	stat, err := os.Stat(filepath.Join(f.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return stat.ModTime()
}

func compress(t *testing.T, c *Compressor) {
	t.Helper()
	if err := c.Compress(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestCompress(t *testing.T) {
	f, c := compressed(t)
	f.write(t, entries(3))
	compress(t, c)
	first := check(t, f)

	// The same content gives the same bytes, also of the codings.
	other, oc := compressed(t)
	other.write(t, entries(3))
	compress(t, oc)
	if diff := cmp.Diff(first, check(t, other)); diff != "" {
		t.Errorf("another folder differs:\n%s", diff)
	}

	// One more thread: what does not change is not made again.
	old := stats(t, f)
	f.write(t, entries(4))
	for _, name := range []string{"feed.xml.gz", "index.html.br", "threads/thread-3/index.html.zst"} {
		if _, err := os.Stat(filepath.Join(f.dir, name)); err == nil {
			t.Errorf("%s outlives its file", name)
		}
	}
	compress(t, c)
	check(t, f)
	for name, info := range stats(t, f) {
		before := old[name]
		same := before != nil && os.SameFile(before, info)
		if strings.HasPrefix(name, "threads/thread-1/") && !same {
			t.Errorf("%s was made again", name)
		}
	}

	// Another process finds what is made, and makes what a crash kept back.
	if err := os.Remove(filepath.Join(f.dir, "atom.xml.br")); err != nil {
		t.Fatal(err)
	}
	old = stats(t, f)
	f.opt.Compressor = NewCompressor(f.dir, c.log)
	f.write(t, entries(4))
	compress(t, f.opt.Compressor)
	check(t, f)
	for name, info := range stats(t, f) {
		if name != "atom.xml.br" && !os.SameFile(old[name], info) {
			t.Errorf("%s was made again", name)
		}
	}
	if f.log.Len() > 0 {
		t.Errorf("logged %s", f.log.String())
	}
}

// Codings whose file somebody removed do not stand beside the next one.
func TestCompressOrphans(t *testing.T) {
	f, c := compressed(t)
	f.write(t, entries(1))
	compress(t, c)
	if err := os.Remove(filepath.Join(f.dir, "index.html")); err != nil {
		t.Fatal(err)
	}
	f.write(t, entries(2))
	for ending := range endings {
		if _, err := os.Stat(filepath.Join(f.dir, "index.html"+ending)); err == nil {
			t.Errorf("index.html%s outlives its file", ending)
		}
	}
}

// A file that is replaced while its codings are made has none of the old one.
func TestCompressReplaced(t *testing.T) {
	f, c := compressed(t)
	f.write(t, entries(1))
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	e, err := newEncoders()
	if err != nil {
		t.Fatal(err)
	}
	made, info, err := e.code(root, "feed.xml", 0)
	if err != nil || len(made) != 3 {
		t.Fatal(made, err)
	}
	f.write(t, entries(2)) // sweeps the unfinished ones, too
	for _, m := range made {
		if err := writeCoding(root, m.temp, []byte("old"), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.finish(root, made, map[string]fs.FileInfo{"feed.xml": info}); err != nil {
		t.Fatal(err)
	}
	for _, m := range made {
		if _, err := root.Stat(m.name); err == nil {
			t.Errorf("%s is that of the old file", m.name)
		}
		if err := root.Remove(m.temp); err != nil {
			t.Error(err)
		}
	}
	compress(t, c)
	check(t, f)
}

// Whoever is cut off goes on the next time, and leaves nothing unfinished.
func TestCompressCutOff(t *testing.T) {
	f, c := compressed(t)
	f.write(t, entries(2))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Compress(ctx); err == nil {
		t.Error("a cut off Compress gives no error")
	}
	for name := range f.tree(t) {
		if strings.Contains(name, tempPrefix) || endings[filepath.Ext(name)] != nil {
			t.Errorf("%s is left", name)
		}
	}
	compress(t, c)
	check(t, f)
}

// Writes and codings run beside each other; what comes out fits together.
func TestCompressBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, c := compressed(t)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); c.Run(ctx) }()
		for i := range 8 {
			f.write(t, entries(1+i%3))
		}
		f.write(t, entries(3))
		synctest.Wait()
		stop()
		<-done
		compress(t, c) // what was swept away the last time
		check(t, f)
		if f.log.Len() > 0 {
			t.Errorf("logged %s", f.log.String())
		}
	})
}

func TestModified(t *testing.T) {
	f := newFolder(t)
	f.pictures["a.png"] = "png"
	in := entries(3)
	f.write(t, in)
	for name, want := range map[string]time.Time{
		"feed.xml": in[0].UpdatedAt, "index.html": in[0].UpdatedAt,
		"threads/thread-1/index.html": in[1].UpdatedAt, // it shows the title of the next
		"threads/thread-2/index.html": in[0].UpdatedAt,
		"threads/thread-3/index.html": in[0].UpdatedAt,
		"threads/thread-1/a.png":      in[1].UpdatedAt,
	} {
		if got := modTime(t, f, name); !got.Equal(want) {
			t.Errorf("%s is of %v, want %v", name, got, want)
		}
	}
	// The newest is withdrawn: what changes is later than it was, although all
	// that is left is older.
	f.write(t, in[1:])
	if got, want := modTime(t, f, "feed.xml"), in[0].UpdatedAt.Add(time.Second); !got.Equal(want) {
		t.Errorf("after a withdrawal the feed is of %v, want %v", got, want)
	}
	if got := modTime(t, f, "threads/thread-1/index.html"); !got.Equal(in[1].UpdatedAt) {
		t.Errorf("a page that did not change is of %v", got)
	}
}

// Documents that show some of the threads have the time of these, also in a
// folder that is made later.
func TestModifiedOfLists(t *testing.T) {
	f := newFolder(t)
	in := entries(bucketSize + 2)
	for i := range in {
		in[i].OutNumber = in[i].Issue
	}
	in[4].Tags = []string{"Go"}
	f.write(t, in)
	closed := in[len(in)-bucketSize].UpdatedAt
	for name, want := range map[string]time.Time{
		"tags/go/index.html": in[4].UpdatedAt, "tags/go/feed.xml": in[4].UpdatedAt, "tags/index.html": in[0].UpdatedAt,
		"archive/1.xml": closed, "archive/1.atom.xml": closed, "archive/1.json": closed, "archive/2.xml": in[0].UpdatedAt,
	} {
		if got := modTime(t, f, name); !got.Equal(want) {
			t.Errorf("%s is of %v, want %v", name, got, want)
		}
	}
}

// What a crash leaves of codings goes with the next Write.
func TestCompressKilled(t *testing.T) {
	f, _ := compressed(t)
	f.write(t, entries(1))
	root, err := os.OpenRoot(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	e, err := newEncoders()
	if err != nil {
		t.Fatal(err)
	}
	made, _, err := e.code(root, "threads/thread-1/index.html", 0)
	if err != nil || len(made) != 3 {
		t.Fatal(made, err)
	}
	f.write(t, entries(1))
	for _, m := range made {
		if _, err := root.Stat(m.temp); err == nil {
			t.Errorf("%s is still there", m.temp)
		}
	}
}

func TestGone(t *testing.T) {
	f := newFolder(t)
	for _, tt := range []struct {
		paths []string
		want  string
	}{
		{nil, ""},
		{[]string{"threads/b/", "issues/3/", "threads/a/"}, "issues/3/\nthreads/a/\nthreads/b/\n"},
		{[]string{"threads/a/"}, "threads/a/\n"},
		{nil, ""},
	} {
		if err := f.Gone(tt.paths); err != nil {
			t.Fatal(err)
		}
		if got := f.tree(t)[GoneFile]; got != tt.want {
			t.Errorf("%v gives %q", tt.paths, got)
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	e, err := newEncoders()
	if err != nil {
		b.Fatal(err)
	}
	var page bytes.Buffer
	for i := range 200 {
		page.WriteString("<p>A rope is as good as knot " + time.Unix(int64(i)*7919, 0).UTC().Format(time.RFC1123) + ".</p>\n")
	}
	for ending := range endings {
		b.Run(ending[1:], func(b *testing.B) {
			b.SetBytes(int64(page.Len()))
			for b.Loop() {
				if _, err := e.encode(ending, page.Bytes()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
