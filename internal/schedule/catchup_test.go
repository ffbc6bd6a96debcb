package schedule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"threadmill/internal/schedule"
)

func TestCatchUp(t *testing.T) {
	tests := []struct {
		text string
		late time.Duration
		want bool
	}{
		{"one", 0, true},
		{"one", 1000 * time.Hour, true},
		{"skip", 0, true},
		{"skip", 31 * time.Second, true},
		{"skip", 2 * time.Minute, false},
		{"6h", 6 * time.Hour, true},
		{"6h", 6*time.Hour + time.Nanosecond, false},
		{"1h30m", time.Hour, true},
	}
	for _, test := range tests {
		policy, err := schedule.ParseCatchUp(test.text)
		if err != nil {
			t.Fatal(err)
		}
		slot := date(t, "2026-03-02T09:00:00Z")
		if got := policy.Allows(slot, slot.Add(test.late)); got != test.want {
			t.Errorf("%s, %v late: Allows = %v", test.text, test.late, got)
		}
	}
}

func TestParseCatchUpErrors(t *testing.T) {
	for _, text := range []string{"", "One", "two", "6", "0s", "-1h", "3 days"} {
		if _, err := schedule.ParseCatchUp(text); err == nil || !strings.Contains(err.Error(), "write one, skip") {
			t.Errorf("ParseCatchUp(%q): %v", text, err)
		}
	}
}

// A daemon that comes back asks for the newest slot since the one it knows,
// and catch_up decides whether that one is still published.
func Example() {
	weekly, err := schedule.Parse("0 9 * * MON", "Europe/London")
	if err != nil {
		panic(err)
	}
	known := time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)
	now := time.Date(2026, time.March, 25, 18, 0, 0, 0, time.UTC)
	slot, missed := weekly.Last(known, now)
	fmt.Println(missed, weekly.Key(slot))
	for _, text := range []string{"one", "skip", "72h"} {
		policy, err := schedule.ParseCatchUp(text)
		if err != nil {
			panic(err)
		}
		fmt.Println(text, policy.Allows(slot, now))
	}
	fmt.Println("next", weekly.Next(now))
	// Output:
	// true 2026-03-23T09:00[Europe/London]
	// one true
	// skip false
	// 72h true
	// next 2026-03-30 09:00:00 +0100 BST
}
