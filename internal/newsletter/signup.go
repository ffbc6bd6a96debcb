package newsletter

import "time"

// SignUp is what somebody filled into the form: an address that may or may not
// be theirs.
type SignUp struct {
	Email, Key, Name string
	Tags             []string
	At               time.Time
	// Form is the page that it was done on, and Network a keyed hash of the
	// address of the request.
	Form, Network string
	// Text is what the form said they would get.
	Text string
	// PerDay bounds the letters to one address in 24 hours.
	PerDay int
	// Silent says that no letter goes out: the mailbox got enough under other
	// spellings of its address.
	Silent bool
}

// Confirmation is the word of the person to whom a letter went that asked for
// it.
type Confirmation struct {
	Subscriber int64
	Asked      time.Time // when the letter was written
	Since      time.Time // letters that are older are no good any more
	At         time.Time
	// Form, Network and Text are those of the confirmation; see SignUp.
	Form, Network, Text string
	// Welcome is what a newcomer gets: "latest" for the latest issue, the id of a
	// thread for the one that carried it; empty for nothing.
	Welcome string
}
