package config

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// Span is a length of time by the calendar, such as 24mo; empty for none.
type Span string

// Before is the time that lies so long before another.
func (s Span) Before(t time.Time) time.Time {
	n, unit := s.parts()
	switch unit {
	case "y":
		return t.AddDate(-n, 0, 0)
	case "mo":
		return t.AddDate(0, -n, 0)
	}
	return t.Add(-time.Duration(n) * time.Hour)
}

// Length is a span in months or, where it was written in hours, in days.
func (s Span) Length() (months, days int) {
	switch n, unit := s.parts(); unit {
	case "y":
		return 12 * n, 0
	case "mo":
		return n, 0
	default:
		return 0, n / 24
	}
}

// parts are the number and the unit, 0 where it is none.
func (s Span) parts() (n int, unit string) {
	m := span.FindStringSubmatch(string(s))
	if m == nil {
		return 0, ""
	}
	n, _ = strconv.Atoi(m[1]) // six digits at most
	return n, m[2]
}

var span = regexp.MustCompile(`^([1-9]\d{0,5})(h|mo|y)$`)

// The bounds of a span, in hours.
const (
	minSpan = 30 * 24 // retries and reports of what was sent come within that
	maxSpan = 100 * 366 * 24
)

// parseSpan reads a span, and nothing for none.
func parseSpan(text string) (Span, error) {
	if text == "" {
		return "", nil
	}
	n, unit := Span(text).parts()
	if n == 0 {
		return "", fmt.Errorf("%q is not a length of time; write one such as 24mo, 2y or 2160h", text)
	}
	hours := n * map[string]int{"h": 1, "mo": 30 * 24, "y": 365 * 24}[unit]
	if hours < minSpan || hours > maxSpan {
		return "", fmt.Errorf("%q is shorter than a month or longer than a life; write one such as 24mo", text)
	}
	return Span(text), nil
}
