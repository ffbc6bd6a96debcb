package publish

import (
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"threadmill/internal/newsletter"
)

// texts remember what was parsed last, by files.
type texts struct {
	sync.Mutex
	parsed map[string]newsletter.Thread
}

// parse replaces threads, of which only File and Source are set, by what is
// parsed of them, on all processors. What was parsed before is not again; more
// of that may be given.
func (x *texts) parse(threads []newsletter.Thread, more map[string]newsletter.Thread, parse func(file, source string) newsletter.Thread) {
	x.Lock()
	defer x.Unlock()
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, known := range threads {
		group.Go(func() error {
			t, ok := more[known.File]
			if !ok || t.Source != known.Source {
				t, ok = x.parsed[known.File]
			}
			if !ok || t.Source != known.Source {
				t = parse(known.File, known.Source)
			}
			threads[i] = t
			return nil
		})
	}
	_ = group.Wait() // none fails
	x.parsed = make(map[string]newsletter.Thread, len(threads))
	for _, t := range threads {
		x.parsed[t.File] = t
	}
}
