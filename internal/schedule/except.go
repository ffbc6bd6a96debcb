package schedule

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Except are days on which no slot counts, in a zone. The zero value has none.
type Except struct{ spans []span }

// span reaches from the beginning of a day to that of another.
type span struct{ from, until time.Time }

// ParseExcept reads days such as 2026-12-24, and ranges such as
// 2026-12-24..2027-01-01, whose both ends belong to them. What overlaps or
// adjoins becomes one.
func ParseExcept(days []string, zone *time.Location) (Except, error) {
	var e Except
	for _, text := range days {
		first, last, ranged := strings.Cut(text, "..")
		if !ranged {
			last = first
		}
		from, err := time.ParseInLocation(time.DateOnly, first, zone)
		if err != nil {
			return Except{}, notADay(text)
		}
		until, err := time.ParseInLocation(time.DateOnly, last, zone)
		if err != nil {
			return Except{}, notADay(text)
		}
		if until.Before(from) {
			return Except{}, fmt.Errorf("except %q: ends before it begins; write the earlier day first", text)
		}
		e.spans = append(e.spans, span{from, until.AddDate(0, 0, 1)})
	}
	slices.SortFunc(e.spans, func(a, b span) int { return a.from.Compare(b.from) })
	merged := e.spans[:0]
	for _, s := range e.spans {
		if n := len(merged); n > 0 && !s.from.After(merged[n-1].until) {
			if s.until.After(merged[n-1].until) {
				merged[n-1].until = s.until
			}
			continue
		}
		merged = append(merged, s)
	}
	e.spans = merged
	return e, nil
}

func notADay(text string) error {
	return fmt.Errorf("except %q: not a day; write one such as 2026-12-24, or a range such as 2026-12-24..2027-01-01", text)
}

// Span returns the days around an instant on which no slot counts, from the
// beginning of the first to the end of the last; not ok: it is on none.
func (e Except) Span(at time.Time) (from, until time.Time, ok bool) {
	for _, s := range e.spans {
		if !at.Before(s.from) && at.Before(s.until) {
			return s.from, s.until, true
		}
	}
	return time.Time{}, time.Time{}, false
}
