package newsletter

import (
	"errors"
	"time"
)

// Slot is one firing of the schedule.
type Slot struct {
	// Key identifies the slot whatever becomes of clocks and zone data.
	Key string
	Due time.Time
}

// SlotOutcome is how a slot ended. A slot is claimed once, with its outcome.
type SlotOutcome string

// The outcomes of a slot.
const (
	SlotPublished SlotOutcome = "published"
	SlotEmpty     SlotOutcome = "empty"   // no thread was ready
	SlotPaused    SlotOutcome = "paused"  // it fell into a pause
	SlotMissed    SlotOutcome = "missed"  // nobody was there, and schedule.catch_up leaves it
	SlotSkipped   SlotOutcome = "skipped" // somebody had it left out
)

// Pause holds the schedule; the zero Pause holds nothing.
type Pause struct {
	Since time.Time `json:"since,omitzero"`
	// Until is when it ends by itself; zero means with resume.
	Until time.Time `json:"until,omitzero"`
	// Sending tells whether mail is held too.
	Sending bool `json:"sending,omitempty"`
}

// Covers tells whether the pause holds at the given time.
func (p Pause) Covers(at time.Time) bool {
	return !p.Since.IsZero() && !at.Before(p.Since) && (p.Until.IsZero() || at.Before(p.Until))
}

// ErrTaken says that another process claimed the slot, the thread or the
// issue's number first; what to publish must be decided anew.
var ErrTaken = errors.New("another process was first")

// ErrCutOff says that this process lost the database, so that others may have
// taken over what it was doing: it must stop that at once.
var ErrCutOff = errors.New("the connection to the database broke")

// Snapshot is what an issue freezes for its mail when it is published.
type Snapshot struct {
	Message        []byte // the composed message with its slots; empty when nobody gets it by mail
	Sender         string // envelope sender, with the place for a token where it has one
	Domain         string // of the Message-IDs
	UnsubscribeURL string // to which a token is appended
}
