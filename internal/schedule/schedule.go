package schedule

import (
	"fmt"
	"iter"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule says when issues are due. Its slots are whole seconds. It does not
// change after Parse and may be used by many goroutines at once.
type Schedule struct {
	expression string
	zone       *time.Location

	every int64              // the interval of @every in seconds; 0 for a cron expression
	spec  *cron.SpecSchedule // held in UTC, it reads the wall clock of zone
	wild  bool               // whether the hour field is wild
}

// Next returns the first slot strictly after the given instant, in the zone of
// the schedule. It is monotone: a later instant never has an earlier Next.
func (s *Schedule) Next(after time.Time) time.Time {
	after = after.Round(0).In(s.zone) // slots belong to the wall clock, not to the monotonic one
	switch {
	case s.every > 0:
		return time.Unix((floorDiv(after.Unix(), s.every)+1)*s.every, 0).In(s.zone)
	case s.wild:
		return s.nextMatch(after)
	default:
		return s.nextCivil(after)
	}
}

// Last returns the newest slot in (since, now]. It is false when there is
// none, which includes a now before since.
func (s *Schedule) Last(since, now time.Time) (time.Time, bool) {
	if s.every > 0 {
		if last := time.Unix(floorDiv(now.Unix(), s.every)*s.every, 0); last.After(since) {
			return last.In(s.zone), true
		}
		return time.Time{}, false
	}
	if s.Next(since).After(now) {
		return time.Time{}, false
	}
	// The newest slot stays in (lo, hi]: Next(lo) <= now < Next(hi). Slots
	// are whole seconds, so the fractions of both ends do not matter.
	lo, hi := since.Unix(), now.Unix()
	for hi-lo > 1 {
		mid := lo + (hi-lo)/2
		if s.Next(time.Unix(mid, 0)).After(now) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return s.Next(time.Unix(lo, 0)), true
}

// Slots yields the slots strictly after from, oldest first, without end.
func (s *Schedule) Slots(from time.Time) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for slot := s.Next(from); yield(slot); slot = s.Next(slot) {
		}
	}
}

// Key names the slot at the given instant. Distinct slots of a schedule have
// distinct keys, and the text is the same on every machine and in every
// version, so that it may be stored:
//
//	2026-03-08T02:30[America/New_York]         fixed hour: wall clock and zone
//	2026-11-01T01:30-04:00[America/New_York]   wild hour: with the offset
//	@every 1m30s/1762000020                    interval and Unix seconds
//
// The wall clock is the expression's own, also inside a gap, where no clock
// shows it: machines with unlike zone data disagree on the instant of a slot,
// but not on its key.
func (s *Schedule) Key(at time.Time) string {
	if s.every > 0 {
		return fmt.Sprintf("@every %v/%d", time.Duration(s.every)*time.Second, at.Unix())
	}
	local := at.In(s.zone)
	if !s.wild {
		local = s.clock(local)
	}
	layout := "2006-01-02T15:04"
	if local.Second() != 0 {
		layout += ":05"
	}
	if s.wild {
		layout += "-07:00"
	}
	return local.Format(layout) + "[" + s.zone.String() + "]"
}

// clock is the wall-clock time of the slot at the given instant, held in UTC.
// At the end of a gap it is the first one of the expression inside the gap.
func (s *Schedule) clock(at time.Time) time.Time {
	clock := wallClock(at)
	_, offset := at.Zone()
	_, before := at.Add(-time.Second).Zone()
	if before >= offset {
		return clock
	}
	if first := s.nextClock(at.Add(seconds(before) - time.Second).UTC()); first.Before(clock) {
		return first
	}
	return clock
}

// String is the expression and the zone, such as "0 9 * * MON Europe/London".
// Spaces are normalized; two schedules with the same String have the same
// slots and keys.
func (s *Schedule) String() string { return s.expression + " " + s.zone.String() }

// Location returns the zone of the schedule.
func (s *Schedule) Location() *time.Location { return s.zone }

// nextCivil is Next for a fixed hour: the first wall-clock time of the
// expression whose instant lies after the given one. Inside the second pass
// of an overlap the earlier ones have had their instant in the first pass.
func (s *Schedule) nextCivil(after time.Time) time.Time {
	for clock := s.nextClock(wallClock(after)); ; clock = s.nextClock(clock) {
		if at := instant(clock, s.zone); at.After(after) {
			return at
		}
	}
}

// nextMatch is Next for a wild hour. It searches one stretch of constant
// offset after the other, because the wall clock is regular inside of one.
func (s *Schedule) nextMatch(after time.Time) time.Time {
	for {
		_, offset := after.Zone()
		end := stretchEnd(after)
		at := s.nextClock(wallClock(after)).Add(-seconds(offset)).In(s.zone)
		if end.IsZero() || at.Before(end) {
			return at
		}
		if s.matches(end) {
			return end
		}
		after = end
	}
}

// matches tells whether the wall clock of a whole second is one of the
// expression.
func (s *Schedule) matches(at time.Time) bool {
	clock := wallClock(at)
	return s.nextClock(clock.Add(-time.Second)).Equal(clock)
}

// nextClock returns the first wall-clock time of the expression after clock.
// robfig gives up after five years, but two 29ths of February lie eight years
// apart around 2100.
func (s *Schedule) nextClock(clock time.Time) time.Time {
	if next := s.spec.Next(clock); !next.IsZero() {
		return next
	}
	return s.spec.Next(clock.AddDate(5, 0, 0))
}

// wallClock returns what the clock of t's zone shows, held in UTC, where
// every wall-clock time exists exactly once.
func wallClock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(seconds(offset)).UTC()
}

// instant returns the first instant at which the clock of zone shows the given
// wall-clock time or a later one. That is the first of two in an overlap and
// the end of the gap in a gap, and it is monotone in clock.
func instant(clock time.Time, zone *time.Location) time.Time {
	// No offset from UTC reaches a day, so this begins before the instant.
	from := clock.AddDate(0, 0, -1).In(zone)
	for {
		start, _ := from.ZoneBounds()
		end := stretchEnd(from)
		_, offset := from.Zone()
		at := clock.Add(-seconds(offset)).In(zone)
		if !start.IsZero() && at.Before(start) {
			return start
		}
		if end.IsZero() || at.Before(end) {
			return at
		}
		from = end
	}
}

// stretchEnd returns an instant after t up to which t's zone keeps its offset,
// or the zero time when it keeps it for ever.
func stretchEnd(t time.Time) time.Time {
	_, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		// Where a rule gives the transitions, ZoneBounds takes every year
		// for 365 days long: on the last day of a leap year its end has
		// passed. The offset holds until that day is over in UTC.
		end = t.Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
	return end
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// floorDiv is a divided by b > 0, rounded down also below zero.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
