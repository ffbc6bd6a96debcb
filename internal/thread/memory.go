package thread

import (
	"io/fs"
	"sync"
	"time"

	"threadmill/internal/newsletter"
)

// Memory holds what Read made of files, by how these looked. It is safe for
// concurrent use; a nil one remembers nothing.
type Memory struct {
	mu    sync.Mutex
	files map[string]parsed
}

// NewMemory returns an empty one.
func NewMemory() *Memory { return &Memory{files: map[string]parsed{}} }

// parsed is a file that was read.
type parsed struct {
	look     look
	thread   newsletter.Thread
	pictures []picture
	problems []newsletter.Problem // of the text alone
}

// look is how a file looks from outside.
type look struct {
	size int64
	time time.Time
	mode fs.FileMode
}

func lookOf(info fs.FileInfo) look {
	if info == nil {
		return look{}
	}
	return look{info.Size(), info.ModTime(), info.Mode()}
}

// settling is how old a change must be until the time of a file tells of the
// next one: two may come at what the file system takes for one time.
const settling = 2 * time.Second

// keep remembers a file that was read at a time. One that had just been changed
// may change again and look the same.
func (m *Memory) keep(p parsed, at time.Time) {
	if m == nil || p.look.time.IsZero() || at.Sub(p.look.time) < settling {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[p.thread.File] = p
}

// recall returns what was made of a file that looks as it did then.
func (m *Memory) recall(file string, info fs.FileInfo) (parsed, bool) {
	if m == nil || info == nil {
		return parsed{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	p, known := m.files[file]
	now := lookOf(info)
	if known && p.look.size == now.size && p.look.mode == now.mode && p.look.time.Equal(now.time) {
		return p, true
	}
	delete(m.files, file)
	return parsed{}, false
}
