package newsletter

import (
	"errors"
	"time"
)

// Frequency says how often a subscriber gets mail.
type Frequency string

// The frequencies.
const (
	FrequencyEach    Frequency = "each" // each issue
	FrequencyMonthly Frequency = "monthly"
)

// UntilLifted is the end of a pause that has none.
var UntilLifted = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Preferences are what a subscriber chose.
type Preferences struct {
	Name      string
	Frequency Frequency
	// Wants are the tags of the threads that they want; none: all. Tags with the
	// same TagPath are one.
	Wants []string
	// PausedUntil is when mail goes on, UntilLifted for a pause without an end;
	// no time, or one that has passed: there is no pause.
	PausedUntil time.Time
}

// History is all that is kept of a subscriber.
type History struct {
	Subscriber
	Preferences
	StatusReason string
	StatusAt     time.Time
	Bounces      int
	// ImportFile and Consent are the file that brought them and what the operator
	// said of it, empty where none did.
	ImportFile, Consent string

	Events     []SubscriberEvent // the oldest first, as all that follows
	Deliveries []PastDelivery
	Letters    []PastLetter
	Reports    []PastReport
}

// PastDelivery is what became of an issue on its way to a person.
type PastDelivery struct {
	Issue     int64
	Title     string
	State     DeliveryState
	Attempts  int
	FirstAt   time.Time // the first attempt; none before it
	ChangedAt time.Time
	Code      int // the last answer of the server
	Answer    string
}

// PastLetter is a mail to a person that was no issue.
type PastLetter struct {
	Kind      LetterKind
	Email     string // where it went, if not to the subscriber's address
	CreatedAt time.Time
	SentAt    time.Time // none: it was not sent
	Answer    string
}

// PastReport is what another server told about mail to a person.
type PastReport struct {
	At                                time.Time
	Issue                             int64 // 0 where it was not told
	Kind, Class, Source, Status, Text string
}

// ErrAddressTaken says that a mailbox cannot be used: another subscriber has it,
// or it gets no mail.
var ErrAddressTaken = errors.New("the address cannot be used")
