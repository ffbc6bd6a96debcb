package deliver

import (
	"context"
	"log/slog"
	"time"

	"threadmill/internal/newsletter"
)

// journal writes for all workers. While one commit is under way the others'
// entries gather, and go into the next one together: no timer, and no message
// waits longer than a commit.
type journal struct {
	store   Store
	log     *slog.Logger
	entries chan entry
	err     error // why the last entries could not be written; read after run
}

type entry struct {
	newsletter.JournalEntry
	goes chan<- bool
}

const (
	// journalMax bounds one commit.
	journalMax = 1000
	// journalGrace is how long the journal may still write what is known of
	// messages that were cut off.
	journalGrace = 2 * time.Second
)

func newJournal(store Store, log *slog.Logger) *journal {
	return &journal{store: store, log: log, entries: make(chan entry, journalMax)}
}

// write returns once e is on disk, and tells whether e.Next may be sent. goes
// is the caller's own, with room for one answer.
func (j *journal) write(e newsletter.JournalEntry, goes chan bool) bool {
	j.entries <- entry{e, goes}
	return <-goes
}

func (j *journal) close() { close(j.entries) }

// run writes until the journal is closed. When ctx is done it stops trying:
// what the relay took is then in doubt after a restart.
func (j *journal) run(ctx context.Context) {
	for first := range j.entries {
		gathered := []entry{first}
		for len(gathered) < journalMax {
			e, ok := tryReceive(j.entries)
			if !ok {
				break
			}
			gathered = append(gathered, e)
		}
		goes := j.commit(ctx, gathered)
		for i, e := range gathered {
			e.goes <- goes != nil && goes[i]
		}
	}
}

func tryReceive(c <-chan entry) (entry, bool) {
	select {
	case e, ok := <-c:
		return e, ok
	default:
		return entry{}, false
	}
}

// commit tries until the database takes the entries: giving up after the relay
// took a message would send it twice.
func (j *journal) commit(ctx context.Context, gathered []entry) []bool {
	entries := make([]newsletter.JournalEntry, len(gathered))
	for i, e := range gathered {
		entries[i] = e.JournalEntry
	}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		goes, err := j.store.Journal(ctx, entries)
		if err == nil {
			return goes
		}
		j.log.Error("the journal cannot be written; nothing is sent until it can", "err", err)
		if !sleep(ctx, wait) {
			j.err = err
			return nil
		}
	}
}
