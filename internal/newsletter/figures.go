package newsletter

import "time"

// Figures are the numbers by which a publication is watched.
type Figures struct {
	Subscribers map[SubscriberStatus]int
	Deliveries  Counts // of all issues
	// Last is the newest issue; its number is 0 where there is none.
	Last struct {
		Number      int64
		PublishedAt time.Time
		Counts
	}
	OldestDeferred time.Time // first attempt of the delivery that is deferred the longest; zero for none
	// Letters are the mails to one person: those that wait, that were sent, and
	// that were given up.
	Letters struct{ Waiting, Sent, GivenUp int }
	// Reports are those of other servers, by kind.
	Reports map[string]int
	// Warnings are the faults that stand, by kind.
	Warnings map[string]int
	// NextSlot is zero where there is no schedule. One that is due and not over
	// is the next.
	NextSlot    time.Time
	ThreadsLeft int // that are ready or wait for their day
}
