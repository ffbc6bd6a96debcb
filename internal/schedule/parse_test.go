package schedule_test

import (
	"strings"
	"testing"
	"time"

	"threadmill/internal/schedule"
)

func TestParseErrors(t *testing.T) {
	tests := []struct {
		expression, zone, want string
	}{
		{"", "UTC", `schedule "": empty; write five fields`},
		{" \t", "UTC", "empty"},
		{"TZ=UTC", "UTC", "set it as the timezone of the schedule"},
		{"TZ=", "UTC", "timezone of the schedule"},
		{"TZ=0", "UTC", "timezone of the schedule"},
		{"CRON_TZ=Europe/Oslo", "UTC", "timezone of the schedule"},
		{"CRON_TZ=Europe/Oslo 0 9 * * *", "UTC", "timezone of the schedule"},
		{"0 9 * *", "UTC", "4 of five fields"},
		{"0 0 9 * * *", "UTC", "leave out the seconds"},
		{"1 2 3 4 5 6 7", "UTC", "7 of five fields"},
		{"0 0 30 2 *", "UTC", "it never fires"},
		{"0 0 31 4,6 *", "UTC", "it never fires"},
		{"60 9 * * *", "UTC", `minute "60" is not valid; write 0-59`},
		{"0 24 * * *", "UTC", `hour "24" is not valid; write 0-23`},
		{"0 22-2 * * *", "UTC", `hour "22-2"`},
		{"0 9 0 * *", "UTC", `day of month "0"`},
		{"0 9 L * *", "UTC", `day of month "L"`},
		{"0 9 15W * *", "UTC", `day of month "15W"`},
		{"0 9 * 13 *", "UTC", `month "13" is not valid; write 1-12 or JAN-DEC`},
		{"0 9 * * 1#1", "UTC", `weekday "1#1" is not valid; write 0-7 or SUN-SAT`},
		{"0 9 * * 8", "UTC", `weekday "8"`},
		{"0 9 * * FUN", "UTC", `weekday "FUN"`},
		{"0 9 * * FUN-SUN", "UTC", `weekday "FUN-SUN"`},
		{"0 9 * * 5-7/0", "UTC", `weekday "5-7/0"`},
		{"0 9 * * FRI-MON", "UTC", `weekday "FRI-MON"`},
		{"*-5 9 * * *", "UTC", `minute "*-5"`},
		{", 9 * * *", "UTC", `minute ","`},
		{"1,,2 9 * * *", "UTC", `minute "1,,2"`},
		{"+5 9 * * *", "UTC", `minute "+5"`},
		{"*/0 9 * * *", "UTC", `minute "*/0"`},
		{"@reboot", "UTC", "is no slot"},
		{"@dayly", "UTC", "write @hourly, @daily"},
		{"@daily 3", "UTC", "no such name"},
		{"@every", "UTC", `"" is not an interval`},
		{"@every day", "UTC", `"day" is not an interval; write one such as 30s`},
		{"@every 0s", "UTC", "too short; write at least 1s"},
		{"@every -1h", "UTC", "too short"},
		{"@every 999ms", "UTC", "too short"},
		{"@every 1500ms", "UTC", "has a fraction of a second; write 1s"},
		{strings.Repeat("0,", 1000) + "0 9 * * *", "UTC", "too long"},
		{"0 9 * * *", "Mars/Olympus", `time zone "Mars/Olympus": not known; write UTC or`},
		{"0 9 * * *", "Local", "not known"},
		{"0 9 * * *", "../etc/passwd", "not known"},
		{"0 9 * * *", "+02:00", "not known"},
	}
	for _, test := range tests {
		s, err := schedule.Parse(test.expression, test.zone)
		if err == nil {
			t.Errorf("Parse(%q, %q) = %v, want an error", test.expression, test.zone, s)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("Parse(%q, %q): %q lacks %q", test.expression, test.zone, err, test.want)
		}
		if s != nil {
			t.Errorf("Parse(%q, %q) gave a schedule beside its error", test.expression, test.zone)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, expression := range append(expressions(),
		"TZ=", "CRON_TZ=Europe/Oslo 0 9 * * *", "@every 1h", "@daily", "0 9 * * 5-7/2,SAT-SUN", "0 0 29 2 ?", "0 0 30 2 *", "*/99 * * * *") {
		f.Add(expression, "Europe/London", int64(1_772_000_000))
		f.Add(expression, "Africa/Cairo", int64(-1))
	}
	f.Fuzz(func(t *testing.T, expression, zone string, unix int64) {
		s, err := schedule.Parse(expression, zone)
		if err != nil {
			if s != nil || strings.ContainsAny(err.Error(), "\n\x00") {
				t.Fatalf("Parse(%q): %v, %q", expression, s, err)
			}
			return
		}
		const span = 4_000_000_000 // seconds, from 1906 to 2096
		from := time.Unix(unix%(span/2), 0)
		slot := s.Next(from)
		if !slot.After(from) || slot.Nanosecond() != 0 {
			t.Fatalf("%s: Next(%v) = %v", s, from, slot)
		}
		if last, ok := s.Last(from, slot); !ok || !last.Equal(slot) {
			t.Fatalf("%s: Last(%v, %v) = %v %v", s, from, slot, last, ok)
		}
		again, err := schedule.Parse(strings.TrimSuffix(s.String(), " "+s.Location().String()), s.Location().String())
		if err != nil || again.Key(slot) != s.Key(slot) || !again.Next(from).Equal(slot) {
			t.Fatalf("%s does not read its own text: %v", s, err)
		}
	})
}
