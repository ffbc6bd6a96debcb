package newsletter

import (
	"cmp"
	"slices"
	"time"
)

// ThreadState says where a thread stands on its way out.
type ThreadState string

// The states of a thread. Only ready ones are chosen for an issue.
const (
	ThreadDraft     ThreadState = "draft"
	ThreadWaiting   ThreadState = "waiting" // its publishDate is yet to come
	ThreadReady     ThreadState = "ready"
	ThreadSent      ThreadState = "sent"
	ThreadArchived  ThreadState = "archived" // went out elsewhere
	ThreadExpired   ThreadState = "expired"
	ThreadDuplicate ThreadState = "duplicate"
	ThreadWithdrawn ThreadState = "withdrawn"
	ThreadBroken    ThreadState = "broken" // its file holds an error
)

// Listed is a thread of the catalogue: what its file says and what became of it.
type Listed struct {
	Thread
	Issue     int64     // the issue it went out in; 0 while it has not
	OutAt     time.Time // when it went out, in an issue or elsewhere
	OutNumber int64     // its place in the order in which threads went out; see Entry
	ChangedAt time.Time // when its text was last seen changed
	// CorrectedAt is when the text took the form that is not the one that was
	// mailed; zero where it is the same, and for a thread that was not mailed.
	CorrectedAt time.Time
	Archived    bool
	Withdrawn   bool
	// Stood is where the file stood that is gone or broken; empty while it is
	// there.
	Stood       string
	DuplicateOf string
	Second      bool // a second file of the thread that it repeats, whose id it shows
}

// State is where the thread stands at the given time.
func (l Listed) State(at time.Time) ThreadState {
	switch {
	case l.Withdrawn:
		return ThreadWithdrawn
	case l.Issue > 0:
		return ThreadSent
	case l.Archived:
		return ThreadArchived
	case l.DuplicateOf != "":
		return ThreadDuplicate
	case !l.Published.IsZero():
		return ThreadArchived
	case l.Draft:
		return ThreadDraft
	case !l.ExpiryDate.IsZero() && !at.Before(l.ExpiryDate):
		return ThreadExpired
	case at.Before(l.PublishDate):
		return ThreadWaiting
	}
	return ThreadReady
}

// Out tells whether the thread stands on the site and in the feeds.
func (l Listed) Out() bool {
	s := l.State(time.Time{}) // no date takes it away
	return s == ThreadSent || s == ThreadArchived
}

// Entry is the thread as it stands on the site. It is only meant for threads
// that are Out.
func (l Listed) Entry() Entry {
	e := Entry{Thread: l.Thread, Issue: l.Issue, OutNumber: l.OutNumber, CorrectedAt: l.CorrectedAt, PublishedAt: l.OutAt, UpdatedAt: l.ChangedAt}
	if l.Issue == 0 && !l.Published.IsZero() {
		e.PublishedAt = l.Published
	}
	if !l.Lastmod.IsZero() {
		e.UpdatedAt = l.Lastmod
	}
	if e.UpdatedAt.Before(e.PublishedAt) || l.Issue == 0 && l.Lastmod.IsZero() {
		e.UpdatedAt = e.PublishedAt
	}
	return e
}

// Order is how threads without a publishDate and a weight follow each other.
type Order string

// The orders.
const (
	OrderOldest Order = "oldest"
	OrderNewest Order = "newest"
	OrderName   Order = "name"
	OrderList   Order = "list" // the ids of threads/QUEUE, then by date
)

// Queue returns the threads that are ready at the given time, next one first:
// those whose publishDate has come, earliest first; then those with a weight,
// low first; then by order. ids is threads/QUEUE, used by OrderList.
func Queue(threads []Listed, order Order, ids []string, at time.Time) []Listed {
	var ready []Listed
	for _, t := range threads {
		if t.State(at) == ThreadReady {
			ready = append(ready, t)
		}
	}
	place := map[string]int{}
	for i, id := range slices.Backward(ids) {
		place[id] = i + 1 // the first mention counts
	}
	slices.SortStableFunc(ready, func(a, b Listed) int {
		return cmp.Or(
			zeroLast(a.PublishDate.UnixMilli(), b.PublishDate.UnixMilli(), a.PublishDate.IsZero(), b.PublishDate.IsZero()),
			zeroLast(a.Weight, b.Weight, a.Weight == 0, b.Weight == 0),
			byOrder(a, b, order, place),
			cmp.Compare(a.File, b.File),
		)
	})
	return ready
}

func byOrder(a, b Listed, order Order, place map[string]int) int {
	ad, bd := a.Date.UnixMilli(), b.Date.UnixMilli()
	oldest := zeroLast(ad, bd, a.Date.IsZero(), b.Date.IsZero())
	switch order {
	case OrderName:
		return 0
	case OrderNewest:
		return zeroLast(-ad, -bd, a.Date.IsZero(), b.Date.IsZero())
	case OrderList:
		pa, pb := place[a.ID], place[b.ID]
		return cmp.Or(zeroLast(pa, pb, pa == 0, pb == 0), oldest)
	default:
		return oldest
	}
}

// zeroLast compares a and b; what is not set comes after all that is.
func zeroLast[T cmp.Ordered](a, b T, aZero, bZero bool) int {
	switch {
	case aZero && bZero:
		return 0
	case aZero:
		return 1
	case bZero:
		return -1
	}
	return cmp.Compare(a, b)
}
