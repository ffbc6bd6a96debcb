package newsletter

import "time"

// ReviewAnswer is what the author has done with a slot that is to come.
type ReviewAnswer string

// The answers.
const (
	ReviewHold ReviewAnswer = "hold" // the schedule, until it is resumed
	ReviewSkip ReviewAnswer = "skip" // that slot
	ReviewSend ReviewAnswer = "send" // its issue now, and nothing at the slot
)

// Review is a slot of which the author was told before.
type Review struct {
	Slot
	Title    string   // of the issue
	Threads  []string // ids, as the author was told last
	MailedAt time.Time
	Answer   ReviewAnswer // empty for none
	Done     bool         // what was answered was carried out
	Fresh    bool         // the answer is that of the request
	Over     bool         // no answer is taken any more
}
