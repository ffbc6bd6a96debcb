package main

import (
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// What nobody answered yet leaves no mark of its own, and what waits behind a
// hold says so alone.
func TestDeliveryNote(t *testing.T) {
	again := time.Date(2026, 11, 23, 9, 53, 0, 0, time.UTC)
	for _, c := range []struct {
		d    store.Unsettled
		want string
	}{
		{store.Unsettled{State: newsletter.DeliveryDeferred, Hold: "example.org"}, "mail to example.org is held"},
		{store.Unsettled{State: newsletter.DeliveryDeferred, Hold: "example.org", Code: 550, Answer: "no"}, "550 no; mail to example.org is held"},
		{store.Unsettled{State: newsletter.DeliveryDeferred, Code: 451, Answer: "later", NextAt: &again}, "451 later; again on Monday 23 November 2026 09:53 UTC"},
		{store.Unsettled{State: newsletter.DeliveryFailed, Code: 550, Answer: "no"}, "550 no"},
	} {
		if got := deliveryNote(c.d, time.UTC); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
