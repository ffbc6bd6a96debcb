package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// parseFields reads the five fields of an expression.
func parseFields(fields []string) (*cron.SpecSchedule, error) {
	switch {
	case len(fields) == 6:
		return nil, errors.New("six fields, where five are minute, hour, day of month, month and weekday; leave out the seconds")
	case len(fields) != 5:
		return nil, fmt.Errorf("%d of five fields; write minute, hour, day of month, month and weekday, such as \"0 9 * * MON\"", len(fields))
	}
	names := [...]string{"minute", "hour", "day of month", "month", "weekday"}
	values := [...]string{"0-59", "0-23", "1-31", "1-12 or JAN-DEC", "0-7 or SUN-SAT"}
	fields = slices.Clone(fields)
	for i, text := range fields {
		if i == 4 {
			fields[i] = sundays(text)
		}
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = fields[i]
		if _, err := robfig(alone); err != nil || !wellFormed(text) {
			return nil, fmt.Errorf("%s %q is not valid; write %s, as *, one value, a list 1,2, a range 1-2 or a step */2", names[i], text, values[i])
		}
	}
	return robfig(fields)
}

// robfig parses five fields into a schedule that is held in UTC.
func robfig(fields []string) (*cron.SpecSchedule, error) {
	parsed, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse(strings.Join(fields, " "))
	if err != nil {
		return nil, err
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("robfig/cron made a %T of five fields", parsed)
	}
	spec.Location = time.UTC
	return spec, nil
}

// item is the shape of one member of a field's list.
var item = regexp.MustCompile(`^(?:[*?]|(?:\d{1,2}|[A-Za-z]{3})(?:-(?:\d{1,2}|[A-Za-z]{3}))?)(?:/\d{1,2})?$`)

// wellFormed is stricter than robfig, which reads *-5 as * and , as never.
func wellFormed(text string) bool {
	for member := range strings.SplitSeq(text, ",") {
		if !item.MatchString(member) {
			return false
		}
	}
	return true
}

// sundays rewrites a weekday field for robfig, which knows Sunday only as 0:
// 7 becomes 0, and a range that ends on a Sunday, such as 5-7 or FRI-SUN,
// becomes a list. What it cannot read it leaves as it is.
func sundays(text string) string {
	members := strings.Split(text, ",")
	for i, member := range members {
		span, stepText, stepped := strings.Cut(member, "/")
		first, last, ranged := strings.Cut(span, "-")
		low, known := weekday(first)
		switch {
		case !known:
		case !ranged && low == 7:
			members[i] = "0"
		case ranged && (last == "7" || low > 0 && strings.EqualFold(last, "sun")):
			step := 1
			if stepped {
				step, _ = strconv.Atoi(stepText) // an error leaves 0
			}
			if step > 0 {
				members[i] = through(low, step)
			}
		}
	}
	return strings.Join(members, ",")
}

// weekday reads a day as a number or a name.
func weekday(text string) (int, bool) {
	if len(text) == 1 && text[0] >= '0' && text[0] <= '7' {
		return int(text[0] - '0'), true
	}
	day := slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(text))
	return day, day >= 0
}

// through lists the days from low to the Sunday after, one in every step.
func through(low, step int) string {
	var days []string
	for day := low; day <= 7; day += step {
		days = append(days, strconv.Itoa(day%7))
	}
	return strings.Join(days, ",")
}
