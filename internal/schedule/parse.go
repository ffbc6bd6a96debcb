package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // zones must be known on a machine without a zone database
)

// maxExpression bounds an expression, in bytes. A list of all minutes of the
// hour stays far below.
const maxExpression = 512

// Parse reads a cron expression of five fields (minute, hour, day of month,
// month, weekday, where 7 is Sunday too), one of @hourly, @daily, @weekly,
// @monthly and @yearly, or "@every 90m" with whole seconds. The zone is a name
// of the IANA database; an empty one means UTC. An expression that never fires
// is an error. Errors say what to write instead.
func Parse(expression, zone string) (*Schedule, error) {
	location, err := loadZone(zone)
	if err != nil {
		return nil, err
	}
	if len(expression) > maxExpression {
		return nil, fmt.Errorf("schedule: an expression of %d bytes is too long; write at most %d", len(expression), maxExpression)
	}
	s, err := parseWords(strings.Fields(expression))
	if err != nil {
		return nil, fmt.Errorf("schedule %q: %w", expression, err)
	}
	s.zone = location
	return s, nil
}

func loadZone(name string) (*time.Location, error) {
	// "Local" would make the slots depend on the machine.
	if name != "Local" {
		if location, err := time.LoadLocation(name); err == nil {
			return location, nil
		}
	}
	return nil, fmt.Errorf("time zone %q: not known; write UTC or a name of the IANA database such as Europe/London", name)
}

// parseWords returns a schedule that lacks its zone.
func parseWords(words []string) (*Schedule, error) {
	if len(words) == 0 {
		return nil, errors.New(`empty; write five fields such as "0 9 * * MON"`)
	}
	expression := strings.Join(words, " ")
	switch first := words[0]; {
	case strings.HasPrefix(first, "TZ="), strings.HasPrefix(first, "CRON_TZ="):
		// robfig would panic on some of these.
		return nil, errors.New("a zone does not belong into the expression; set it as the timezone of the schedule")
	case first == "@every":
		interval, err := parseInterval(strings.Join(words[1:], ""))
		return &Schedule{expression: expression, every: int64(interval / time.Second)}, err
	case strings.HasPrefix(first, "@"):
		var err error
		if words, err = expandName(expression); err != nil {
			return nil, err
		}
	}
	spec, err := parseFields(words)
	if err != nil {
		return nil, err
	}
	s := &Schedule{expression: expression, spec: spec, wild: strings.ContainsAny(words[1], "*?/")}
	// The day is arbitrary but fixed: whether an expression is accepted must
	// not depend on the date.
	if s.nextClock(time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("it never fires, because no such month has that day; write a day that exists")
	}
	return s, nil
}

// parseInterval reads what follows @every.
func parseInterval(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not an interval; write one such as 30s, 90m or 12h", text)
	case d < time.Second:
		return 0, fmt.Errorf("an interval of %v is too short; write at least 1s", d)
	case d%time.Second != 0:
		return 0, fmt.Errorf("an interval of %v has a fraction of a second; write %v", d, d.Truncate(time.Second))
	}
	return d, nil
}

// expandName returns the five fields that a name like @daily stands for.
func expandName(name string) ([]string, error) {
	switch name {
	case "@hourly":
		return []string{"0", "*", "*", "*", "*"}, nil
	case "@daily", "@midnight":
		return []string{"0", "0", "*", "*", "*"}, nil
	case "@weekly":
		return []string{"0", "0", "*", "*", "0"}, nil
	case "@monthly":
		return []string{"0", "0", "1", "*", "*"}, nil
	case "@yearly", "@annually":
		return []string{"0", "0", "1", "1", "*"}, nil
	case "@reboot":
		return nil, errors.New("the start of the program is no slot; write a time such as @daily")
	}
	return nil, errors.New("no such name; write @hourly, @daily, @weekly, @monthly, @yearly or @every 12h")
}
