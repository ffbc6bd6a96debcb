package deliver

import (
	"context"
	"log/slog"
	"time"

	"threadmill/internal/newsletter"
)

// journal writes for all workers. While one commit is under way the others'
// entries gather, and go into the next one together. Where messages come back
// faster than a commit is written it waits for those that are out, so that all
// connections share one: no message waits longer than about a commit.
type journal struct {
	store   Store
	log     *slog.Logger
	entries chan entry
	err     error // why the last entries could not be written; read after run

	gathered []entry
	list     []newsletter.JournalEntry
	out      int           // messages that were let go and are not back
	released time.Time     // when the last of them were
	away     time.Duration // how long they are out, in the mean
	commits  time.Duration // how long a commit takes, in the mean
	patience *time.Timer
}

type entry struct {
	newsletter.JournalEntry
	goes chan<- bool
	back bool // it brings back a message that was let go
}

const (
	// journalMax bounds one commit.
	journalMax = 1000
	// journalGrace is how long the journal may still write what is known of
	// messages that were cut off.
	journalGrace = 2 * time.Second
)

func newJournal(store Store, log *slog.Logger) *journal {
	patience := time.NewTimer(0)
	patience.Stop()
	return &journal{store: store, log: log, entries: make(chan entry, journalMax), patience: patience}
}

// write returns once e is on disk, and tells whether e.Next may be sent. The
// caller's channel has room for one answer.
func (j *journal) write(e entry, goes chan bool) bool {
	e.goes = goes
	j.entries <- e
	return <-goes
}

func (j *journal) close() { close(j.entries) }

// run writes until the journal is closed. When ctx is done it stops trying:
// what the relay took is then in doubt after a restart.
func (j *journal) run(ctx context.Context) {
	for first := range j.entries {
		j.gather(first)
		begun := time.Now()
		goes := j.commit(ctx)
		j.released = time.Now()
		j.commits = mean(j.commits, j.released.Sub(begun))
		for i, e := range j.gathered {
			ok := goes != nil && goes[i]
			if ok {
				j.out++
			}
			e.goes <- ok
		}
	}
}

// mean moves old an eighth of the way to the newest value.
func mean(old, newest time.Duration) time.Duration { return old + (newest-old)/8 }

// gather takes first and all entries that are there, and waits for those that
// are about to be.
func (j *journal) gather(first entry) {
	j.gathered = append(j.gathered[:0], first)
	j.returned(first)
	for len(j.gathered) < journalMax {
		e, ok := tryReceive(j.entries)
		if !ok {
			if e, ok = j.await(); !ok {
				break
			}
		}
		j.gathered = append(j.gathered, e)
		j.returned(e)
	}
}

// returned counts a message that is back.
func (j *journal) returned(e entry) {
	if e.back {
		j.out--
		j.away = mean(j.away, time.Since(j.released))
	}
}

// await waits for a message that is out, if it is worth it: as long as two
// commits take, since they were let go.
func (j *journal) await() (entry, bool) {
	left := 2*j.commits - time.Since(j.released)
	if j.out == 0 || left <= 0 || j.away > 2*j.commits {
		return entry{}, false
	}
	j.patience.Reset(left)
	defer j.patience.Stop()
	select {
	case e, ok := <-j.entries:
		return e, ok
	case <-j.patience.C:
		return entry{}, false
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
func (j *journal) commit(ctx context.Context) []bool {
	j.list = j.list[:0]
	for _, e := range j.gathered {
		j.list = append(j.list, e.JournalEntry)
	}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		goes, err := j.store.Journal(ctx, j.list)
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
