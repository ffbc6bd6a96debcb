package calendar_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/calendar"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 12, 7, 12, 0, 0, 0, time.FixedZone("", 3600))

func TestCalendar(t *testing.T) {
	have := calendar.Calendar{
		Name: "Nothing, but; threads", Stamp: noon.Add(-time.Hour), Refresh: time.Hour,
		Events: []calendar.Event{
			{UID: "a@example.com", At: noon, Summary: "Moving a shed", Text: "One\nTwo \\ three", Status: calendar.Confirmed},
			{UID: "b@example.com", At: noon.AddDate(0, 0, 7), Summary: strings.Repeat("Schöne Grüße, 世界! ", 9), Status: calendar.Tentative},
			{UID: "c@example.com", At: noon.AddDate(0, 0, 14), Summary: "Skipped\x00\x1b", Status: calendar.Canceled},
		},
	}.String()
	if *update {
		if err := os.WriteFile("testdata/calendar.ics", []byte(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/calendar.ics")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), have); diff != "" {
		t.Errorf("calendar (-want +got):\n%s", diff)
	}
}

// FuzzCalendar writes any title and text: no line is too long, broken or made by
// what stands in them, and unfolding and unescaping gives the text back.
func FuzzCalendar(f *testing.F) {
	f.Add("Moving a shed", "a, b; c\\ d\ne")
	f.Add(strings.Repeat("世", 100), "END:VEVENT\r\nBEGIN:VEVENT")
	f.Add("\xff\x00\u0085", "")
	f.Fuzz(func(t *testing.T, title, more string) {
		doc := calendar.Calendar{Name: title, Stamp: noon, Events: []calendar.Event{{UID: "a", At: noon, Summary: title, Text: more, Status: calendar.Confirmed}}}.String()
		for row := range strings.SplitSeq(strings.TrimSuffix(doc, "\r\n"), "\r\n") {
			if len(row) > 75 || !utf8.ValidString(row) || strings.ContainsAny(row, "\r\n\x00") {
				t.Errorf("line %q", row)
			}
		}
		whole := strings.ReplaceAll(doc, "\r\n ", "")
		if n := strings.Count(whole, "\r\nBEGIN:VEVENT\r\n"); n != 1 {
			t.Errorf("%d events", n)
		}
		_, rest, _ := strings.Cut(whole, "\r\nSUMMARY:")
		summary, _, _ := strings.Cut(rest, "\r\n")
		if summary != clean(title) {
			t.Errorf("summary %q of %q", summary, title)
		}
	})
}

// clean is a title as a line holds it, made another way.
func clean(title string) string {
	title = strings.NewReplacer("\r\n", "\n").Replace(strings.ToValidUTF8(title, "\ufffd"))
	title = strings.Map(func(r rune) rune {
		if r != '\n' && (r < 0x20 || r >= 0x7f && r < 0xa0) {
			return -1
		}
		return r
	}, title)
	return strings.NewReplacer(`\`, `\\`, ";", `\;`, ",", `\,`, "\n", `\n`).Replace(title)
}
