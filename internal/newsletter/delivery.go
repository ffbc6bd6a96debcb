package newsletter

import "time"

// DeliveryState is where one recipient's copy of one issue stands.
type DeliveryState string

// The states of a delivery. Pending, Sending and Deferred go on by
// themselves, InDoubt waits for the operator, the others are ends.
const (
	DeliveryPending  DeliveryState = "pending"
	DeliverySending  DeliveryState = "sending"  // on a connection now; in doubt after a crash
	DeliverySent     DeliveryState = "sent"     // the relay took it
	DeliveryDeferred DeliveryState = "deferred" // refused for now, waits for its next attempt
	DeliveryFailed   DeliveryState = "failed"   // refused for good
	DeliveryCanceled DeliveryState = "canceled" // the subscriber left, or the issue was stopped
	DeliveryInDoubt  DeliveryState = "in_doubt" // the relay may or may not have taken it
)

// Batch is a portion of an issue's deliveries.
type Batch struct {
	ID    int64
	Issue int64
}

// Delivery is one recipient's copy of one issue, on its way.
type Delivery struct {
	ID         int64
	Batch      int64
	Issue      int64
	Subscriber int64
	Email      string
	Name       string
	JoinedAt   time.Time // when the subscriber signed up
	Attempts   int       // that reached the content or were refused
	Doubts     int       // times it was unknown whether the relay took it
	FirstAt    time.Time // the first attempt; zero before it
	RetriedAt  time.Time // when somebody last asked for another try; zero before it
}

// DeliveryEnd is how an attempt ended.
type DeliveryEnd struct {
	ID       int64
	State    DeliveryState
	Attempts int
	Doubts   int
	NextAt   time.Time // of a deferred one
	Code     int       // the relay's answer, 0 where there was none
	Answer   string
	Hold     string // the domain whose hold a deferred one waits for
	Bounce   Bounce // what a refusal says about the address
}

// JournalEntry is what one connection has to write down before it goes on: how
// its last deliveries ended, and which one it is about to send.
type JournalEntry struct {
	Ended []DeliveryEnd
	Next  int64 // 0 for none
	// At is when Next is sent; the first attempt's time is kept.
	At time.Time
}
