package deliver

import "sync"

// allotment is how many connections are ours. Those of the workers from there
// on are for other senders.
type allotment struct {
	mu      sync.Mutex
	known   bool
	of      int64
	changed chan struct{} // closed with the next change
}

// set tells how many; who waits for a change goes on.
func (a *allotment) set(connections int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known && a.of == int64(connections) {
		return
	}
	a.known, a.of = true, int64(connections)
	close(a.changed)
	a.changed = make(chan struct{})
}

// get returns how many, 0 as long as it is not known, and what is closed when
// that is no longer so.
func (a *allotment) get() (of int64, known bool, changed <-chan struct{}) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of, a.known, a.changed
}
