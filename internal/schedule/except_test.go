package schedule_test

import (
	"strings"
	"testing"
	"time"

	"threadmill/internal/schedule"
)

func TestExcept(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	e, err := schedule.ParseExcept([]string{"2026-12-28..2027-01-01", "2026-12-24..2026-12-27", "2026-10-25", "2026-12-31"}, london)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ at, from, until string }{
		{"2026-12-23T23:59:59Z", "", ""},
		{"2026-12-24T00:00:00Z", "2026-12-24T00:00:00Z", "2027-01-02T00:00:00Z"}, // what adjoins is one
		{"2027-01-01T23:59:59Z", "2026-12-24T00:00:00Z", "2027-01-02T00:00:00Z"},
		{"2027-01-02T00:00:00Z", "", ""},
		{"2026-10-24T23:30:00Z", "2026-10-25T00:00:00+01:00", "2026-10-26T00:00:00Z"}, // a day of 25 hours
		{"2026-10-24T22:30:00Z", "", ""},
	}
	for _, tt := range tests {
		from, until, ok := e.Span(date(t, tt.at))
		if ok != (tt.from != "") || ok && (!from.Equal(date(t, tt.from)) || !until.Equal(date(t, tt.until))) {
			t.Errorf("%s: %v to %v, %v; want %s to %s", tt.at, from, until, ok, tt.from, tt.until)
		}
	}
	for text, want := range map[string]string{
		"christmas": "not a day", "2026-12-24..": "not a day", "2026-02-30": "not a day", "2026-12-24..2026-12-23": "ends before it begins",
	} {
		if _, err := schedule.ParseExcept([]string{text}, london); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
