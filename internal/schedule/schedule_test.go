package schedule_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/schedule"
)

func parse(t *testing.T, expression, zone string) *schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(expression, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func date(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// first returns the next n slots as text.
func first(s *schedule.Schedule, from time.Time, n int) []string {
	var slots []string
	for slot := range s.Slots(from) {
		slots = append(slots, slot.Format(time.RFC3339))
		if len(slots) == n {
			break
		}
	}
	return slots
}

func TestSlots(t *testing.T) {
	tests := []struct {
		name, expression, zone, from string
		want                         []string
	}{
		{
			"daily in a gap runs at its end", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"},
		},
		{
			"weekly in a gap loses no week", "30 2 * * SUN", "America/New_York", "2026-03-06T00:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-15T02:30:00-04:00", "2026-03-22T02:30:00-04:00"},
		},
		{
			"gap in London", "30 1 * * *", "Europe/London", "2026-03-28T12:00:00Z",
			[]string{"2026-03-29T02:00:00+01:00", "2026-03-30T01:30:00+01:00"},
		},
		{
			"several slots in one gap are one", "*/20 2 * * *", "America/New_York", "2026-03-07T08:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"},
		},
		{
			"end of a gap that is a slot itself", "0 2,3 * * *", "America/New_York", "2026-03-08T00:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"},
		},
		{
			"overlap runs once, the first time", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00Z",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"},
		},
		{
			"overlap in London", "30 1 * * *", "Europe/London", "2026-10-24T12:00:00Z",
			[]string{"2026-10-25T01:30:00+01:00", "2026-10-26T01:30:00Z"},
		},
		{
			"asked in the second pass of an overlap", "* 1 * * *", "America/New_York", "2026-11-01T06:10:30Z",
			[]string{"2026-11-02T01:00:00-05:00"},
		},
		{
			"no midnight in Cairo", "0 0 * * *", "Africa/Cairo", "2026-04-22T12:00:00Z",
			[]string{"2026-04-23T00:00:00+02:00", "2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"},
		},
		{
			"morning after no midnight in Cairo", "0 9 * * 5", "Africa/Cairo", "2026-04-18T00:00:00Z",
			[]string{"2026-04-24T09:00:00+03:00", "2026-05-01T09:00:00+03:00"},
		},
		{
			"half an hour in Lord Howe, gap", "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"},
		},
		{
			"half an hour in Lord Howe, overlap", "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z",
			[]string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"},
		},
		{
			"a day that Apia never had", "0 9 * * *", "Pacific/Apia", "2011-12-29T12:00:00Z",
			[]string{"2011-12-29T09:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T09:00:00+14:00"},
		},
		{
			"day of month or weekday", "0 9 13 * 5", "UTC", "2026-02-07T00:00:00Z",
			[]string{"2026-02-13T09:00:00Z", "2026-02-20T09:00:00Z", "2026-02-27T09:00:00Z", "2026-03-06T09:00:00Z", "2026-03-13T09:00:00Z"},
		},
		{
			"the 13th of a month without a Friday then", "0 9 13 * 5", "UTC", "2026-04-11T00:00:00Z",
			[]string{"2026-04-13T09:00:00Z"},
		},
		{
			"wild hour: both passes of an overlap", "30 * * * *", "America/New_York", "2026-11-01T05:00:00Z",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2026-11-01T02:30:00-05:00"},
		},
		{
			"wild hour: what a gap leaves out is no slot", "30 * * * *", "America/New_York", "2026-03-08T06:00:00Z",
			[]string{"2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00"},
		},
		{
			"wild hour: slot at the transition itself", "0 */3 * * *", "America/New_York", "2026-03-08T05:30:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-08T06:00:00-04:00"},
		},
		{
			"wild hour: no midnight in Cairo, and the day is kept", "0 */9 24 4 *", "Africa/Cairo", "2026-04-01T00:00:00Z",
			[]string{"2026-04-24T09:00:00+03:00", "2026-04-24T18:00:00+03:00", "2027-04-24T00:00:00+02:00"},
		},
		{
			"last day of a leap year", "0 9,23 31 12 *", "America/New_York", "2028-12-31T00:30:00Z",
			[]string{"2028-12-31T09:00:00-05:00", "2028-12-31T23:00:00-05:00", "2029-12-31T09:00:00-05:00"},
		},
		{
			"last day of a leap year, wild hour", "0 */9 31 12 *", "Australia/Sydney", "2028-12-31T00:30:00Z",
			[]string{"2028-12-31T18:00:00+11:00", "2029-12-31T00:00:00+11:00"},
		},
		{
			"leap days around 2100", "0 9 29 2 *", "Europe/London", "2095-06-01T00:00:00Z",
			[]string{"2096-02-29T09:00:00Z", "2104-02-29T09:00:00Z"},
		},
		{
			"leap days around 2100, wild hour", "0 */12 29 2 ?", "Europe/London", "2096-02-29T06:00:00Z",
			[]string{"2096-02-29T12:00:00Z", "2104-02-29T00:00:00Z"},
		},
		{
			"Monday", "0 9 * * mon", "Europe/London", "2026-03-23T09:00:00Z",
			[]string{"2026-03-30T09:00:00+01:00", "2026-04-06T09:00:00+01:00"},
		},
		{
			"strictly after, with a fraction", "0 9 * * *", "", "2026-03-23T08:59:59.999Z",
			[]string{"2026-03-23T09:00:00Z", "2026-03-24T09:00:00Z"},
		},
		{"7 is Sunday", "0 9 * * 7", "UTC", "2026-03-01T09:00:00Z", []string{"2026-03-08T09:00:00Z", "2026-03-15T09:00:00Z"}},
		{"range through Sunday", "0 9 * * 6-7", "UTC", "2026-03-06T00:00:00Z", []string{"2026-03-07T09:00:00Z", "2026-03-08T09:00:00Z", "2026-03-14T09:00:00Z"}},
		{"named range through Sunday", "0 9 * * sat-SUN,3", "UTC", "2026-03-06T00:00:00Z", []string{"2026-03-07T09:00:00Z", "2026-03-08T09:00:00Z", "2026-03-11T09:00:00Z"}},
		{"step through Sunday", "0 9 * * 1-7/3", "UTC", "2026-03-02T00:00:00Z", []string{"2026-03-02T09:00:00Z", "2026-03-05T09:00:00Z", "2026-03-08T09:00:00Z", "2026-03-09T09:00:00Z"}},
		{"@hourly", "@hourly", "Asia/Kolkata", "2026-03-02T00:00:00Z", []string{"2026-03-02T06:00:00+05:30", "2026-03-02T07:00:00+05:30"}},
		{"@daily", "@daily", "UTC", "2026-03-02T00:00:00Z", []string{"2026-03-03T00:00:00Z"}},
		{"@midnight", "@midnight", "UTC", "2026-03-02T00:00:00Z", []string{"2026-03-03T00:00:00Z"}},
		{"@weekly", "@weekly", "UTC", "2026-03-02T00:00:00Z", []string{"2026-03-08T00:00:00Z"}},
		{"@monthly", "@monthly", "UTC", "2026-03-02T00:00:00Z", []string{"2026-04-01T00:00:00Z"}},
		{"@yearly", "@yearly", "UTC", "2026-03-02T00:00:00Z", []string{"2027-01-01T00:00:00Z"}},
		{"@annually", "@annually", "UTC", "2026-03-02T00:00:00Z", []string{"2027-01-01T00:00:00Z"}},
		{
			"@every counts from the epoch", "@every 7s", "Europe/Berlin", "2026-03-02T00:00:00.5Z",
			[]string{"2026-03-02T01:00:04+01:00", "2026-03-02T01:00:11+01:00"},
		},
		{"@every before the epoch", "@every 1h", "UTC", "1969-12-31T22:30:00Z", []string{"1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"}},
		{"@every with a space", "@every 1h 30m", "UTC", "1970-01-01T00:00:00Z", []string{"1970-01-01T01:30:00Z"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := parse(t, test.expression, test.zone)
			got := first(s, date(t, test.from), len(test.want))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("slots of %s (-want +got):\n%s", s, diff)
			}
		})
	}
}

// transitions are instants around which clocks did odd things: gaps and
// overlaps of an hour, half an hour and a day, at midnight and elsewhere,
// on both halves of the globe.
func transitions(t *testing.T) map[string][]time.Time {
	t.Helper()
	zones := map[string][]time.Time{}
	for _, line := range []string{
		"America/New_York 2026-03-08T07:00:00Z 2026-11-01T06:00:00Z",
		"Europe/London 2026-03-29T01:00:00Z 2026-10-25T01:00:00Z",
		"Africa/Cairo 2026-04-23T22:00:00Z 2026-10-29T21:00:00Z",
		"Australia/Lord_Howe 2026-04-04T15:00:00Z 2026-10-03T15:30:00Z",
		"America/Santiago 2026-04-05T03:00:00Z 2026-09-06T04:00:00Z",
		"America/Havana 2026-03-08T05:00:00Z 2026-11-01T05:00:00Z",
		"Pacific/Apia 2011-12-30T10:00:00Z",
		"Asia/Kolkata 2026-03-01T00:00:00Z",
		"Europe/Paris 2028-12-31T12:00:00Z",
	} {
		words := strings.Fields(line)
		for _, word := range words[1:] {
			zones[words[0]] = append(zones[words[0]], date(t, word))
		}
	}
	return zones
}

func expressions() []string {
	return []string{
		"30 2 * * *", "0 0 * * *", "*/15 1-3 * * *", "0 9 * * 5", "59 23 * * SUN",
		"30 * * * *", "0 */2 * * *", "*/7 * * * *", "0 0 1 * *", "@every 25m",
	}
}

func TestNextIsMonotone(t *testing.T) {
	for zone, instants := range transitions(t) {
		for _, expression := range expressions() {
			s := parse(t, expression, zone)
			for _, middle := range instants {
				var last time.Time
				keys := map[string]time.Time{}
				for at := middle.Add(-13 * time.Hour); at.Before(middle.Add(13 * time.Hour)); at = at.Add(7*time.Minute + 30*time.Second) {
					next := s.Next(at)
					if !next.After(at) {
						t.Fatalf("%s: Next(%v) = %v, which is not after it", s, at, next)
					}
					if next.Before(last) {
						t.Fatalf("%s: Next(%v) = %v, earlier than %v", s, at, next, last)
					}
					last = next
					key := s.Key(next)
					if other, ok := keys[key]; ok && !other.Equal(next) {
						t.Fatalf("%s: %v and %v have the key %s", s, other, next, key)
					}
					keys[key] = next
				}
			}
		}
	}
}

func TestLastIsTheNewestOfAll(t *testing.T) {
	for zone, instants := range transitions(t) {
		for _, expression := range expressions() {
			s := parse(t, expression, zone)
			for _, middle := range instants {
				since := middle.Add(-30*time.Hour + 300*time.Millisecond)
				var newest time.Time
				next := s.Next(since)
				for now := since; now.Before(middle.Add(13 * time.Hour)); now = now.Add(53 * time.Minute) {
					for ; !next.After(now); next = s.Next(next) {
						newest = next
					}
					got, ok := s.Last(since, now)
					if !got.Equal(newest) || ok == newest.IsZero() {
						t.Fatalf("%s: Last(%v, %v) = %v %v, want %v", s, since, now, got, ok, newest)
					}
				}
			}
		}
	}
}

func TestLastAtItsEnds(t *testing.T) {
	for _, expression := range []string{"0 9 * * *", "0 */9 * * *", "@every 9h"} {
		s := parse(t, expression, "UTC")
		slot := s.Next(date(t, "2026-03-02T00:00:00Z"))
		tests := []struct {
			name       string
			since, now time.Time
			want       bool
		}{
			{"now is the slot", slot.Add(-time.Minute), slot, true},
			{"just before the slot", slot.Add(-time.Minute), slot.Add(-time.Nanosecond), false},
			{"since is the slot", slot, slot.Add(time.Minute), false},
			{"just after the slot", slot.Add(time.Nanosecond), slot.Add(time.Minute), false},
			{"the clock went back", slot.Add(time.Hour), slot.Add(-time.Hour), false},
			{"a very long time", time.Time{}, slot, true},
		}
		for _, test := range tests {
			t.Run(expression+" "+test.name, func(t *testing.T) {
				got, ok := s.Last(test.since, test.now)
				if ok != test.want || ok && !got.Equal(slot) {
					t.Errorf("Last = %v %v, want %v %v", got, ok, slot, test.want)
				}
			})
		}
	}
}

func TestKey(t *testing.T) {
	tests := []struct {
		expression, zone, at, want string
	}{
		{"30 2 * * SUN", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T02:30[America/New_York]"},
		{"0,15 2,3 * * SUN", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T02:00[America/New_York]"},
		{"0 3 * * SUN", "America/New_York", "2026-03-08T07:00:00Z", "2026-03-08T03:00[America/New_York]"},
		{"30 1 * * SUN", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T01:30[America/New_York]"},
		{"30 * * * *", "America/New_York", "2026-11-01T05:30:00Z", "2026-11-01T01:30-04:00[America/New_York]"},
		{"30 * * * *", "America/New_York", "2026-11-01T06:30:00Z", "2026-11-01T01:30-05:00[America/New_York]"},
		{"0 9 * * *", "", "2026-11-01T09:00:00Z", "2026-11-01T09:00[UTC]"},
		{"@every 1s", "UTC", "2025-11-01T12:26:40Z", "@every 1s/1762000000"},
		{"@every 60m", "Europe/Oslo", "1970-01-01T01:00:00Z", "@every 1h0m0s/3600"},
		// Monrovia was 44 min 30 s behind until this gap.
		{"0 0 7 1 *", "Africa/Monrovia", "1972-01-07T00:44:30Z", "1972-01-07T00:00[Africa/Monrovia]"},
	}
	for _, test := range tests {
		s := parse(t, test.expression, test.zone)
		if got := s.Key(date(t, test.at)); got != test.want {
			t.Errorf("%s: Key(%s) = %q, want %q", s, test.at, got, test.want)
		}
	}
}

func TestStringAndLocation(t *testing.T) {
	s := parse(t, "  0  9 * * MON\t", "Europe/London")
	if got, want := s.String(), "0 9 * * MON Europe/London"; got != want {
		t.Errorf("String = %q, want %q", got, want)
	}
	if got := s.Location().String(); got != "Europe/London" {
		t.Errorf("Location = %q", got)
	}
	if got := s.Next(time.Now()).Location(); got != s.Location() {
		t.Errorf("Next is in %v", got)
	}
}

func TestSlotsEndsWithItsLoop(t *testing.T) {
	s := parse(t, "@daily", "UTC")
	got := slices.Collect(func(yield func(time.Time) bool) {
		for slot := range s.Slots(date(t, "2026-01-01T00:00:00Z")) {
			if !yield(slot) || slot.Day() == 3 {
				return
			}
		}
	})
	if len(got) != 2 {
		t.Errorf("%d slots, want 2", len(got))
	}
}
