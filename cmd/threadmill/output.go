package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// printJSON prints one JSON document.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// timeOrNull is t in UTC for JSON, and null for no time.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func shortDate(t *time.Time, zone *time.Location) string {
	if t == nil {
		return "–"
	}
	return t.In(zone).Format(time.DateOnly)
}

// longTime is how people read a time.
func longTime(t time.Time, zone *time.Location) string {
	layout := "Monday 2 January 2006 15:04 MST"
	if t.Second() > 0 {
		layout = "Monday 2 January 2006 15:04:05 MST"
	}
	return t.In(zone).Format(layout)
}

// slotText is how people read the key of a slot; see [schedule.Schedule.Key].
func slotText(key string, zone *time.Location) string {
	if every, ok := strings.CutPrefix(key, "@every "); ok {
		_, seconds, _ := strings.Cut(every, "/")
		if n, err := strconv.ParseInt(seconds, 10, 64); err == nil {
			return longTime(time.Unix(n, 0), zone)
		}
	}
	civil, name, _ := strings.Cut(strings.TrimSuffix(key, "]"), "[")
	at, err := time.LoadLocation(name)
	if err != nil {
		return key
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z07:00"} {
		if t, err := time.ParseInLocation(layout, civil, at); err == nil {
			return longTime(t, zone)
		}
	}
	return key
}

// parseTime reads a time or a date in the given zone; empty means now.
func parseTime(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Now(), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &usageError{fmt.Errorf("%q is not a time; write it like 2026-12-07T09:00:00Z or 2026-12-07", text)}
}

// plural is "1 thread" or "3 threads".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// thousands writes n with commas: 1,204.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// printLines prints each line, and a blank one where it is empty.
func printLines(w io.Writer, lines ...string) {
	fmt.Fprintln(w, strings.Join(lines, "\n"))
}

// barEvery is how often a progress bar is drawn.
const barEvery = 100 * time.Millisecond

// newBar returns a progress bar that vanishes when it is done; a size of -1 is
// not known.
func newBar(w io.Writer, size int64, what string, more ...progressbar.Option) *progressbar.ProgressBar {
	return progressbar.NewOptions64(size, append([]progressbar.Option{
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionThrottle(barEvery),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionClearOnFinish(),
	}, more...)...)
}

func peopleCount(n int) string {
	if n == 1 {
		return "1 person"
	}
	return thousands(n) + " people"
}
