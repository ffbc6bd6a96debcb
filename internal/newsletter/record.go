package newsletter

import "time"

// SubscriberRecord is all that is kept of a subscriber, as it moves from one
// database to another. What is zero is not known, and gets its default.
type SubscriberRecord struct {
	Subscriber
	Reason      string    // why the status is what it is
	Since       time.Time // since when it is
	Frequency   Frequency
	Wants       []string  // tags of the threads that they want; none: all
	PausedUntil time.Time // no issue before then
	Bounces     int       // counted since the last mail that arrived
	// Suppression is why the mailbox never gets mail; empty where it may.
	Suppression string
	// Import is the file that brought them; nil where none did.
	Import *Import
	Events []SubscriberEvent
	// Bare is a mailbox that never gets mail and is nobody's on the list: of it
	// there is Suppression and Since, and nothing else.
	Bare bool
}

// Import is a file of subscribers, and what those in it agreed to.
type Import struct {
	ID      int64 // 0 until somebody entered by it
	At      time.Time
	File    string // its name
	Consent string // as the operator put it
}

// Addition tells what became of a subscriber who was added.
type Addition struct {
	Result AddResult
	// Became is the status that they got by it; empty where it is as it was.
	Became SubscriberStatus
}
