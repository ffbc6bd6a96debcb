package publish

import (
	"runtime"
	"sync"
	"sync/atomic"

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
	var next atomic.Int64
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(threads); i = int(next.Add(1)) - 1 {
				file, source := threads[i].File, threads[i].Source
				t, ok := more[file]
				if !ok || t.Source != source {
					t, ok = x.parsed[file]
				}
				if !ok || t.Source != source {
					t = parse(file, source)
				}
				threads[i] = t
			}
		})
	}
	group.Wait()
	x.parsed = make(map[string]newsletter.Thread, len(threads))
	for _, t := range threads {
		x.parsed[t.File] = t
	}
}
