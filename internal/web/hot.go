package web

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxHot is the size of the largest file that is kept in memory, in bytes.
	maxHot = 4 << 20
	// maxHotSum bounds what is kept of all files together, in bytes.
	maxHotSum = 64 << 20
	// hotExtra is what a file costs beside its bytes, about.
	hotExtra = 2 << 10
)

// representation is a file in one coding, with the headers that go with it.
type representation struct {
	coding                 string // empty for the plain one
	body                   []byte
	etag, length, encoding []string
}

// file is all that is answered for a path, made once and never changed; what
// is shown of one file in one answer comes from here and belongs together.
type file struct {
	path     string // in the file system
	stamp    stamp
	list     []representation // the plain one, then the shortest first
	modified time.Time

	contentType, document, cacheControl, vary, lastModified, link []string

	// complete says that codings are not to be expected any more; until then
	// they are looked for after a while.
	complete bool
	loaded   time.Time
	checked  atomic.Int64 // when the stamp was last compared, as a time.Duration since loaded
	size     int
	used     atomic.Bool
}

const (
	// recheck is how often a file that has no codings yet is looked at for them.
	recheck = time.Second
	// trusted is how long a file is taken for current once it was looked at. It
	// spares most of the system calls, the larger part of an answer, when one file
	// is asked for thousands of times a second, and nobody else would notice.
	trusted = 2 * time.Millisecond
)

// current tells whether the file is still what stands in the folder.
func (f *file) current() bool {
	age := time.Since(f.loaded)
	if !f.complete && age >= recheck {
		return false
	}
	if age-time.Duration(f.checked.Load()) < trusted {
		return true
	}
	if now, ok := stampOf(f.path); !ok || now != f.stamp {
		return false
	}
	f.checked.Store(int64(age))
	return true
}

// hot keeps the files that are asked for, by the path in the request. The zero
// value is ready, for several goroutines.
type hot struct {
	mu    sync.RWMutex
	files map[string]*file
	size  int
}

// get returns the file of a path, if it is known and still current.
func (h *hot) get(path string) *file {
	h.mu.RLock()
	f := h.files[path]
	h.mu.RUnlock()
	if f == nil || !f.current() {
		return nil
	}
	if !f.used.Load() {
		f.used.Store(true)
	}
	return f
}

// keep remembers the file of a path and forgets others for it: those that were
// not asked for since the last time, in no order.
func (h *hot) keep(path string, f *file) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.files == nil {
		h.files = make(map[string]*file)
	}
	h.drop(path)
	f.size = hotExtra + len(path)
	for i := range f.list {
		f.size += len(f.list[i].body)
	}
	for h.size+f.size > maxHotSum && len(h.files) > 0 {
		for name, old := range h.files {
			if old.used.Swap(false) {
				continue
			}
			if h.drop(name); h.size+f.size <= maxHotSum {
				break
			}
		}
	}
	h.files[path] = f
	h.size += f.size
}

func (h *hot) drop(path string) {
	if old := h.files[path]; old != nil {
		h.size -= old.size
		delete(h.files, path)
	}
}
