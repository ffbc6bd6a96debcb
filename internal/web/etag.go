package web

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"sync"
)

// maxTags bounds the cache of ETags; a site with more files is hashed more
// often.
const maxTags = 8192

// etags are strong ETags (RFC 9110, section 8.8.3) made of the content alone,
// so that they survive restarts and agree between machines. The zero value is
// ready, for several goroutines.
type etags struct {
	mu   sync.Mutex
	tags map[string]etag
}

type etag struct {
	info fs.FileInfo
	tag  string
}

// tag returns the ETag of a file, which it reads only if that is not the file
// it knows: another inode, time or size. It leaves f at its beginning.
func (e *etags) tag(name string, f *os.File, info fs.FileInfo) (string, error) {
	if tag, ok := e.known(name, info); ok {
		return tag, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	tag := `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
	e.keep(name, etag{info, tag})
	return tag, nil
}

func (e *etags) known(name string, info fs.FileInfo) (string, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old, ok := e.tags[name]
	same := ok && os.SameFile(old.info, info) && old.info.ModTime().Equal(info.ModTime()) && old.info.Size() == info.Size()
	return old.tag, same
}

func (e *etags) keep(name string, tag etag) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.tags == nil || len(e.tags) >= maxTags {
		e.tags = make(map[string]etag)
	}
	e.tags[name] = tag
}
