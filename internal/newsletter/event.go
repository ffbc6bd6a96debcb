package newsletter

import "time"

// SubscriberEvent is a step of a subscription. Those of a person together are
// its history, and the record of what they agreed to.
type SubscriberEvent struct {
	ID         int64
	Subscriber int64
	At         time.Time
	Kind       SubscriberEventKind
	// Issue is the number of the issue whose mail led to it; 0 where none did.
	Issue int64
	// Form is the page that it was done on, such as "/subscribe"; empty where it
	// was none.
	Form string
	// Network is a keyed hash of the address of the request; empty where there
	// was none.
	Network string
	// Text is what was agreed to, or the reason given.
	Text string
}

// SubscriberEventKind says what happened.
type SubscriberEventKind string

// The kinds of events.
const (
	EventAsked        SubscriberEventKind = "asked"     // signed up
	EventConfirmed    SubscriberEventKind = "confirmed" // by the mail that was sent to the address
	EventAdded        SubscriberEventKind = "added"     // by the operator
	EventImported     SubscriberEventKind = "imported"
	EventUnsubscribed SubscriberEventKind = "unsubscribed"
	EventResubscribed SubscriberEventKind = "resubscribed"
	EventPaused       SubscriberEventKind = "paused"
	EventPreferences  SubscriberEventKind = "preferences" // changed what they want
	EventMoved        SubscriberEventKind = "moved"       // to another address
	EventBounced      SubscriberEventKind = "bounced"
	EventComplained   SubscriberEventKind = "complained"
	EventSuppressed   SubscriberEventKind = "suppressed"
	EventErased       SubscriberEventKind = "erased"
)
