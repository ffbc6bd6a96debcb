package newsletter

import (
	"fmt"
	"time"
)

// Issue is what a slot sends: one thread, or several as a digest.
type Issue struct {
	Number int64
	// Slot is the key of the slot that was claimed; empty for an issue that
	// was published by hand between slots.
	Slot        string
	Slug        string
	Title       string
	Subject     string
	PublishedAt time.Time
	Threads     []Thread
	// Circle is for whom its mail is.
	Circle
	// Month is that of a digest of a month, such as 2026-11; empty for any other.
	Month string
	// Next is when the next issue is to come; zero where none is in sight.
	Next time.Time
	// HeldUntil is when its mail may leave; not after PublishedAt: at once.
	HeldUntil time.Time
	// AuthorCopy is who gets a copy at once while the others' mail is held;
	// empty for nobody.
	AuthorCopy string
}

// AuthorCopy is a copy of an issue for its author.
type AuthorCopy struct {
	Issue int64
	Email string
}

// IssuePath is the address of a digest's page below the site.
func IssuePath(number int64) string { return fmt.Sprintf("issues/%d/", number) }

// Counts are the deliveries of an issue by state. Their sum is Recipients.
// A delivery that is being sent counts as pending.
type Counts struct {
	Recipients int `json:"recipients"`
	Pending    int `json:"pending"`
	Sent       int `json:"sent"`
	Deferred   int `json:"deferred"`
	Failed     int `json:"failed"`
	Canceled   int `json:"canceled"`
	InDoubt    int `json:"in_doubt"`
}

// Plus adds up the counts of two issues.
func (c Counts) Plus(d Counts) Counts {
	return Counts{
		Recipients: c.Recipients + d.Recipients,
		Pending:    c.Pending + d.Pending,
		Sent:       c.Sent + d.Sent,
		Deferred:   c.Deferred + d.Deferred,
		Failed:     c.Failed + d.Failed,
		Canceled:   c.Canceled + d.Canceled,
		InDoubt:    c.InDoubt + d.InDoubt,
	}
}

// Add counts n more deliveries in state s.
func (c *Counts) Add(s DeliveryState, n int) {
	c.Recipients += n
	switch s {
	case DeliveryPending, DeliverySending:
		c.Pending += n
	case DeliverySent:
		c.Sent += n
	case DeliveryDeferred:
		c.Deferred += n
	case DeliveryFailed:
		c.Failed += n
	case DeliveryCanceled:
		c.Canceled += n
	case DeliveryInDoubt:
		c.InDoubt += n
	}
}
