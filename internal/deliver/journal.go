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
// connections share one: no message waits longer for that than two commits
// take, and one that does not come back is waited for once.
type journal struct {
	store   Store
	log     *slog.Logger
	entries chan entry
	err     error // why the last entries could not be written; read after run

	gathered []entry
	list     []newsletter.JournalEntry
	lap      int           // of the messages that are waited for, from 1 on
	out      int           // messages of this lap that are not back
	released time.Time     // when the last of them got leave
	away     time.Duration // how long they are out, in the mean
	commits  time.Duration // how long a commit takes, in the mean
	patience *time.Timer
}

type entry struct {
	newsletter.JournalEntry
	goes chan<- leave
	back leave // of the message that it brings back
	away time.Duration
}

// leave is given to a message that may be sent; without one the zero value is.
type leave struct {
	lap int // of the journal, from 1 on
	at  time.Time
}

const (
	// journalMax bounds one commit.
	journalMax = 1000
	// journalGrace is how long the journal may still write what is known of
	// messages that were cut off.
	journalGrace = 2 * time.Second
	// patienceMax bounds the wait for messages that are about to come back.
	patienceMax = 100 * time.Millisecond
)

func newJournal(store Store, log *slog.Logger) *journal {
	patience := time.NewTimer(0)
	patience.Stop()
	return &journal{store: store, log: log, entries: make(chan entry, journalMax), patience: patience, lap: 1}
}

// write returns once e is on disk, with leave to send e.Next, where it has one.
// The caller's channel has room for one answer.
func (j *journal) write(e entry, goes chan leave) leave {
	e.goes, e.away = goes, time.Since(e.back.at)
	j.entries <- e
	return <-goes
}

func (j *journal) close() { close(j.entries) }

// run writes until the journal is closed. When ctx is done it stops trying:
// what the relay took is then in doubt after a restart.
func (j *journal) run(ctx context.Context) {
	for first := range j.entries {
		j.gather(ctx, first)
		goes := j.commit(ctx)
		j.released = time.Now()
		for i, e := range j.gathered {
			var l leave
			if goes != nil && goes[i] {
				j.out++
				l = leave{j.lap, j.released}
			}
			e.goes <- l
		}
	}
}

// mean moves old an eighth of the way to the newest value.
func mean(old, newest time.Duration) time.Duration { return old + (newest-old)/8 }

// gather takes first and all entries that are there, and waits for those that
// are about to be.
func (j *journal) gather(ctx context.Context, first entry) {
	j.gathered = append(j.gathered[:0], first)
	j.returned(first)
	for len(j.gathered) < journalMax {
		e, ok := tryReceive(j.entries)
		if !ok {
			if e, ok = j.await(ctx); !ok {
				break
			}
		}
		j.gathered = append(j.gathered, e)
		j.returned(e)
	}
}

// returned counts a message that is back.
func (j *journal) returned(e entry) {
	if e.back.lap == 0 {
		return
	}
	j.away = mean(j.away, e.away)
	if e.back.lap == j.lap {
		j.out--
	}
}

// await waits for a message that is out, if it is worth it: as long as two
// commits take, since they were let go. Those that are not back by then count
// again when they are.
func (j *journal) await(ctx context.Context) (entry, bool) {
	patience := min(2*j.commits, patienceMax)
	if j.out == 0 || j.away > patience {
		return entry{}, false
	}
	left := patience - time.Since(j.released)
	if left <= 0 {
		j.lap, j.out = j.lap+1, 0
		return entry{}, false
	}
	j.patience.Reset(left)
	defer j.patience.Stop()
	select {
	case e, ok := <-j.entries:
		return e, ok
	case <-j.patience.C:
		j.lap, j.out = j.lap+1, 0
		return entry{}, false
	case <-ctx.Done():
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
		begun := time.Now()
		goes, err := j.store.Journal(ctx, j.list)
		if err == nil {
			j.commits = mean(j.commits, time.Since(begun))
			return goes
		}
		j.log.Error("the journal cannot be written; nothing is sent until it can", "err", err)
		if !sleep(ctx, wait) {
			j.err = err
			return nil
		}
	}
}
