package backup

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

// The endings of the names of archives, which say how they are packed.
const (
	EndingGzip = ".tar.gz"
	EndingZstd = ".tar.zst"
)

// listName is the last entry of an archive. An archive without it was cut off.
const listName = "threadmill-backup.json"

// format is the version of the form of an archive.
const format = 1

// List tells what an archive holds.
type List struct {
	Format    int       `json:"format"`
	CreatedAt time.Time `json:"created_at"`
	// Program is the version that wrote it.
	Program string `json:"program"`
	// Secrets tells whether keys and passwords are in it.
	Secrets bool    `json:"secrets"`
	Files   []Entry `json:"files"`
}

// Entry is one file of an archive.
type Entry struct {
	Name   string `json:"name"` // with forward slashes, below the archive's top
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// File is one to be packed.
type File struct {
	Name string // in the archive
	Path string // where it is read
	Mode os.FileMode
}

// IsName tells whether a name ends like that of an archive.
func IsName(name string) bool {
	return strings.HasSuffix(name, EndingGzip) || strings.HasSuffix(name, EndingZstd)
}

// Write packs files into w, by the ending of name, and then the list, to which it
// adds them.
func Write(w io.Writer, name string, list List, files []File) error {
	packer, err := pack(w, name)
	if err != nil {
		return err
	}
	t := tar.NewWriter(packer)
	list.Format = format
	for _, f := range files {
		e, err := add(t, f, list.CreatedAt)
		if err != nil {
			return fmt.Errorf("pack %s: %w", f.Path, err)
		}
		list.Files = append(list.Files, e)
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	h := &tar.Header{Name: listName, Mode: 0o600, Size: int64(len(text)), ModTime: list.CreatedAt}
	if err := t.WriteHeader(h); err != nil {
		return err
	}
	_, err = t.Write(text)
	return errors.Join(err, t.Close(), packer.Close())
}

func pack(w io.Writer, name string) (io.WriteCloser, error) {
	switch {
	case strings.HasSuffix(name, EndingGzip):
		return gzip.NewWriter(w), nil
	case strings.HasSuffix(name, EndingZstd):
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
	}
	return nil, fmt.Errorf("%s is no name of an archive; let it end with %s or %s", name, EndingZstd, EndingGzip)
}

// add packs one file. One that grows meanwhile is cut where it ended.
func add(t *tar.Writer, f File, at time.Time) (Entry, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return Entry{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return Entry{}, err
	}
	h := &tar.Header{Name: f.Name, Mode: int64(f.Mode.Perm()), Size: info.Size(), ModTime: info.ModTime(), Format: tar.FormatPAX}
	if h.ModTime.After(at) {
		h.ModTime = at
	}
	if err := t.WriteHeader(h); err != nil {
		return Entry{}, err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(t, sum), file, info.Size()); err != nil {
		return Entry{}, err
	}
	return Entry{f.Name, info.Size(), hex.EncodeToString(sum.Sum(nil))}, nil
}
