package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/klauspost/compress/zstd"
)

// The bounds of an archive that is read.
const (
	maxFiles  = 1_000_000
	maxList   = 256 << 20 // bytes of the list
	maxWindow = 128 << 20 // bytes that Zstandard may look back
	spare     = 16 << 20  // bytes that are left free
)

// ErrDamaged says that an archive is not as it was written.
var ErrDamaged = errors.New("the archive is damaged or cut off")

// Extract takes the files of an archive out into a folder that is empty, and
// compares them with the list. A file for which there is not enough room, by what
// free tells of the folder, is an error before it is written. After an error the
// folder holds anything; it holds nothing outside of it in any case.
func Extract(ctx context.Context, r io.Reader, dir string, free func(dir string) (bytes uint64, known bool)) (List, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return List{}, err
	}
	defer root.Close()
	plain, err := unpack(r)
	if err != nil {
		return List{}, err
	}
	defer plain.Close()
	found := map[string]Entry{}
	for t := tar.NewReader(plain); len(found) <= maxFiles; {
		if err := ctx.Err(); err != nil {
			return List{}, err
		}
		h, err := t.Next()
		if err != nil { // also at the end: the list comes before that
			return List{}, damaged(err)
		}
		if h.Name == listName {
			return readList(t, found)
		}
		if room, known := free(dir); known && uint64(max(h.Size, 0))+spare > room { //nolint:gosec // not below zero
			return List{}, fmt.Errorf("%q takes %d MB, and there is no room for it at %s", h.Name, h.Size>>20, dir)
		}
		e, err := extract(root, t, h)
		if err != nil {
			return List{}, err
		}
		if _, twice := found[e.Name]; twice {
			return List{}, fmt.Errorf("%w: %q stands in it twice", ErrDamaged, e.Name)
		}
		found[e.Name] = e
	}
	return List{}, fmt.Errorf("%w: it holds more than %d files", ErrDamaged, maxFiles)
}

func damaged(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: its list is missing", ErrDamaged)
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

// unpack tells by the first bytes how an archive is packed.
func unpack(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReader(r)
	head, _ := b.Peek(4) // a shorter one is neither
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, damaged(err)
		}
		return z, nil
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, damaged(err)
		}
		return z.IOReadCloser(), nil
	}
	return nil, errors.New("it is no archive of `threadmill backup`")
}

// extract writes one file, for its owner alone unless its mode says more.
func extract(root *os.Root, t *tar.Reader, h *tar.Header) (Entry, error) {
	if h.Typeflag != tar.TypeReg || !filepath.IsLocal(filepath.FromSlash(h.Name)) || path.Clean(h.Name) != h.Name {
		return Entry{}, fmt.Errorf("%w: %q is no file that may stand in it", ErrDamaged, h.Name)
	}
	name := filepath.FromSlash(h.Name)
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return Entry{}, err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, os.FileMode(h.Mode).Perm()&0o644|0o600)
	if err != nil {
		return Entry{}, err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), t)
	if err != nil {
		return Entry{}, errors.Join(damaged(err), f.Close())
	}
	err = errors.Join(f.Sync(), f.Close(), root.Chtimes(name, h.ModTime, h.ModTime))
	return Entry{h.Name, n, hex.EncodeToString(sum.Sum(nil))}, err
}

// readList reads the list and compares it with what was found.
func readList(r io.Reader, found map[string]Entry) (List, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxList))
	if err != nil {
		return List{}, damaged(err)
	}
	var list List
	if err := json.Unmarshal(text, &list); err != nil {
		return List{}, damaged(err)
	}
	if list.Format > format {
		return List{}, errors.New("a newer threadmill wrote the archive; install that version")
	}
	for _, e := range list.Files {
		if found[e.Name] != e {
			return List{}, fmt.Errorf("%w: %q is not as it was packed", ErrDamaged, e.Name)
		}
	}
	if len(list.Files) != len(found) {
		return List{}, fmt.Errorf("%w: it holds files that its list does not tell", ErrDamaged)
	}
	return list, nil
}
