package newsletter

import "time"

// Subscriber is a person on the list.
type Subscriber struct {
	ID    int64
	Email string
	// Key identifies the mailbox whatever the spelling of the address; see
	// audience.ParseAddress.
	Key       string
	Name      string
	Status    SubscriberStatus
	Tags      []string
	CreatedAt time.Time
}

// SubscriberStatus says whether a subscriber gets mail.
type SubscriberStatus string

// The statuses of a subscriber. Only active ones get mail.
const (
	SubscriberPending      SubscriberStatus = "pending" // has not confirmed yet
	SubscriberActive       SubscriberStatus = "active"
	SubscriberUnsubscribed SubscriberStatus = "unsubscribed"
	SubscriberBounced      SubscriberStatus = "bounced"
	SubscriberComplained   SubscriberStatus = "complained"
	SubscriberSuppressed   SubscriberStatus = "suppressed" // removed by the operator
)

// AddResult tells what adding a subscriber changed.
type AddResult string

// The results of adding a subscriber.
const (
	Added     AddResult = "added"
	Completed AddResult = "completed" // known; an empty name or missing tags were filled in
	Unchanged AddResult = "unchanged"
	Kept      AddResult = "kept" // known as one who gets no mail, and stays so
)
