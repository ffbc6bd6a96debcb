package web

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"threadmill/internal/newsletter"
	"threadmill/internal/site"
)

const (
	// maxAge lets readers and proxies keep a file for a quarter of an hour.
	maxAge = "public, max-age=900"
	// forEver is for files whose name changes with what they hold (RFC 8246).
	forEver = "public, max-age=31536000, immutable"
)

// settled is how old the last change of a file must be for its stamp to tell
// it from the next one: the clock of a file system may tick this slowly.
const settled = 20 * time.Millisecond

// fetch is load, done once for all that ask for a path at the same time: a feed
// that was just replaced is asked for by many, and each load unpacks all its
// codings.
func (s *files) fetch(root *os.Root, asked, name string) (f *file, keep bool, err error) {
	mine := false
	v, err, _ := s.loads.Do(asked, func() (any, error) {
		mine = true
		f, keep, err = s.load(root, name)
		return loading{f, keep}, err
	})
	if mine {
		return f, keep, err
	}
	// What another began to load may have changed before this request came.
	if l, ok := v.(loading); ok && err == nil && l.keep {
		if now, ok := stampOf(l.file.path); ok && now == l.file.stamp {
			return l.file, true, nil
		}
	}
	return s.load(root, name)
}

// loading is what a load returned.
type loading struct {
	file *file
	keep bool
}

// load reads a file of the folder in all its codings. keep says that it may be
// answered again as it is while its stamp is the same.
func (s *files) load(root *os.Root, name string) (f *file, keep bool, err error) {
	f = &file{path: filepath.Join(s.dir, filepath.FromSlash(name)), loaded: time.Now()}
	before, ok := stampOf(f.path)
	plain, info, err := readSmall(root, name)
	if err != nil {
		return nil, false, err
	}
	f.stamp, f.modified = before, info.ModTime().Truncate(time.Second)
	f.list = append(f.list, newRepresentation("", plain))
	if mayBeCoded(name) {
		f.list = append(f.list, coded(root, name, plain)...)
		f.complete = len(f.list) == 1+len(site.Codings)
	} else {
		f.complete = true
	}
	after, still := stampOf(f.path)
	keep = ok && still && before == after && f.loaded.Sub(before.changed()) > settled
	s.describe(f, name)
	return f, keep, nil
}

// describe sets the headers that all codings of a file share.
func (s *files) describe(f *file, name string) {
	kind := contentType(name)
	f.contentType, f.document = []string{kind}, []string{shown(kind)}
	f.cacheControl = []string{maxAge}
	if newsletter.Immutable(name) {
		f.cacheControl = []string{forEver}
	}
	switch {
	case f.document[0] != kind:
		f.vary = []string{"Accept-Encoding, Sec-Fetch-Dest"}
	case mayBeCoded(name):
		f.vary = []string{"Accept-Encoding"}
	}
	if f.modified.Unix() > 0 && !f.modified.After(f.loaded) { // RFC 9110, section 8.8.2.1
		f.lastModified = []string{f.modified.UTC().Format(http.TimeFormat)}
	}
	f.link = s.links[name]
}

// mayBeCoded tells whether the folder may hold codings of a file: texts, which
// they make shorter.
func mayBeCoded(name string) bool {
	kind := contentType(name)
	return strings.HasSuffix(kind, "; charset=utf-8")
}

func newRepresentation(coding string, body []byte) representation {
	sum := sha256.Sum256(body)
	r := representation{
		coding: coding,
		body:   body,
		etag:   []string{`"` + hex.EncodeToString(sum[:16]) + `"`},
		length: []string{strconv.Itoa(len(body))},
	}
	if coding != "" {
		r.encoding = []string{coding}
	}
	return r
}

// errLarge says that a file is not for the memory.
var errLarge = errors.New("the file is large")

// readSmall reads a regular file of at most maxHot bytes; errLarge for others.
func readSmall(root *os.Root, name string) ([]byte, fs.FileInfo, error) {
	f, info, err := open(root, name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info.Size() > maxHot {
		return nil, nil, errLarge
	}
	text, err := io.ReadAll(io.LimitReader(f, maxHot+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(text) > maxHot {
		return nil, nil, errLarge
	}
	return text, info, nil
}

// coded are the codings of a file that the folder holds, shortest first. One
// that does not hold the very same text is left from before and not used.
func coded(root *os.Root, name string, plain []byte) []representation {
	var list []representation
	for _, c := range site.Codings {
		body, _, err := readSmall(root, name+c.Ending)
		if err != nil || len(body) >= len(plain) || !holds(c.Name, body, plain) {
			continue
		}
		list = append(list, newRepresentation(c.Name, body))
	}
	slices.SortStableFunc(list, func(a, b representation) int { return cmp.Compare(len(a.body), len(b.body)) })
	return list
}

// holds tells whether body is text in that coding.
func holds(coding string, body, text []byte) bool {
	var r io.Reader
	switch coding {
	case "gzip":
		z, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return false
		}
		r = z
	case "br":
		r = brotli.NewReader(bytes.NewReader(body))
	case "zstd":
		z, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxHot<<1))
		if err != nil {
			return false
		}
		defer z.Close()
		r = z
	}
	return sameText(r, text)
}

// sameText reads r no further than it agrees with text.
func sameText(r io.Reader, text []byte) bool {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > len(text) || !bytes.Equal(buf[:n], text[:n]) {
			return false
		}
		text = text[n:]
		switch {
		case err == io.EOF:
			return len(text) == 0
		case err != nil:
			return false
		}
	}
}
