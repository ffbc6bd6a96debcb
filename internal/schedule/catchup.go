package schedule

import (
	"fmt"
	"time"
)

// hardlyLate is how late a slot may be under "skip" and still be on time. A
// daemon wakes within a second of a slot, and within half a minute after a
// pause of the machine or a step of its clock. A run from the system's own
// cron is on time when it starts in the minute of the slot; one that starts
// rarer or later wants a duration instead of skip.
const hardlyLate = time.Minute

// CatchUp decides whether a slot that has passed is still published. The zero
// value catches nothing up.
type CatchUp struct {
	always bool
	within time.Duration
}

// ParseCatchUp reads "one" (the newest missed slot is caught up however late
// it is), "skip" (none, only what is up to a minute late), or how late a slot
// may be, such as "6h".
func ParseCatchUp(text string) (CatchUp, error) {
	switch text {
	case "one":
		return CatchUp{always: true}, nil
	case "skip":
		return CatchUp{within: hardlyLate}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return CatchUp{}, fmt.Errorf("catch up %q: not valid; write one, skip, or how late a slot may be, such as 6h", text)
	}
	return CatchUp{within: d}, nil
}

// Allows tells whether the slot may be published now.
func (c CatchUp) Allows(slot, now time.Time) bool {
	return c.always || now.Sub(slot) <= c.within
}
