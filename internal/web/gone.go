package web

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"threadmill/internal/site"
)

// gone knows what was withdrawn, from the list that the site keeps in its
// folder. The zero value is ready, for several goroutines.
type gone struct {
	mu    sync.Mutex
	stamp stamp
	paths map[string]bool
}

// holds tells whether a path below the folder, or a folder above it, was
// withdrawn.
func (g *gone) holds(root *os.Root, name string) bool {
	if !fs.ValidPath(name) {
		return false
	}
	paths := g.list(root)
	for ; name != "."; name = path.Dir(name) {
		if paths[name+"/"] {
			return true
		}
	}
	return false
}

// list reads what is withdrawn, when that has changed.
func (g *gone) list(root *os.Root) map[string]bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now, ok := stampOf(filepath.Join(root.Name(), site.GoneFile))
	if !ok {
		return nil
	}
	if now == g.stamp {
		return g.paths
	}
	text, _, err := readSmall(root, site.GoneFile)
	if err != nil {
		return nil // a page that is missing says 404 then
	}
	g.stamp, g.paths = now, make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		g.paths[strings.TrimSuffix(line, "\n")] = true
	}
	return g.paths
}
