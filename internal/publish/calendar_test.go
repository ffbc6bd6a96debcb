package publish_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

var update = flag.Bool("update", false, "write the golden files")

// skip leaves a slot out, or takes that back.
func (d *desk) skip(at string, undo bool) newsletter.Slot {
	d.t.Helper()
	var when time.Time
	if at != "" {
		var err error
		if when, err = time.ParseInLocation("2006-01-02 15:04", at, d.zone); err != nil {
			d.t.Fatal(err)
		}
	}
	slot, err := d.Skip(d.t.Context(), when, undo)
	if err != nil {
		d.t.Fatal(err)
	}
	return slot
}

// A year of Mondays: skipped slots, days without an issue, a pause with an end, a
// week without a thread, a queue that is edited in spring, and threads that
// expire, in time and too late. The calendar that was told on the first day is
// golden, and so is what came of it.
func TestYear(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{
			cron: "0 9 * * MON", zone: "Europe/London", order: newsletter.OrderList,
			except: []string{"2000-04-17..2000-04-30", "2000-12-25", "2000-08-07"},
		})
		d.yearOfThreads()
		d.skip("2000-02-14 00:00", false)
		d.skip("2000-03-06 09:00", false)
		d.skip("2000-06-12 09:00", false)
		d.skip("2000-06-12 00:00", true)
		told := d.calendar(52)
		var came strings.Builder
		for range 52 {
			d.inTheYear()
			before := time.Now()
			until(d.nextMonday(before).UTC().Format(time.RFC3339))
			fmt.Fprintf(&came, "%s  %s\n", time.Now().In(d.zone).Format("Mon 2 Jan 15:04 MST"), strings.TrimSuffix(d.due(), "\n"))
		}
		d.golden("year-told.txt", told)
		d.golden("year-came.txt", came.String())
	})
}

// yearOfThreads writes 42 threads, some with dates, and the queue.
func (d *desk) yearOfThreads() {
	for i := range 40 {
		front := ""
		switch i {
		case 3:
			front = "---\nexpiryDate: 2000-02-20\n---\n" // in time
		case 9:
			front = "---\nexpiryDate: 2000-02-01\n---\n" // not on its turn
		case 20:
			front = "---\npublishDate: 2000-03-20\n---\n"
		}
		d.write(fmt.Sprintf("threads/t%02d.md", i), front+text(i))
	}
	d.write("threads/draft.md", "---\ndraft: true\n---\n"+text(70))
	d.write("threads/late.md", "---\npublishDate: 2000-12-10\n---\n"+text(71))
	d.write("threads/QUEUE", "t05\nt01 # the second\nt05\nnobody\n")
}

// inTheYear is what the author does in its course.
func (d *desk) inTheYear() {
	d.t.Helper()
	switch day := time.Now().In(d.zone).Format(time.DateOnly); day {
	case "2000-05-08":
		d.write("threads/QUEUE", "t33\nt32\n")
	case "2000-07-03":
		if err := d.Pause(d.t.Context(), time.Date(2000, 7, 25, 0, 0, 0, 0, d.zone), false); err != nil {
			d.t.Fatal(err)
		}
	case "2000-09-04":
		d.skip("", false) // the next one
	}
}

func (d *desk) nextMonday(after time.Time) time.Time {
	at := after.In(d.zone)
	for {
		at = time.Date(at.Year(), at.Month(), at.Day()+1, 9, 0, 0, 0, d.zone)
		if at.Weekday() == time.Monday {
			return at
		}
	}
}

// calendar is the plan of the next n slots, with what stands below it.
func (d *desk) calendar(n int) string {
	d.t.Helper()
	planned, err := d.Upcoming(d.t.Context(), time.Now(), n)
	if err != nil {
		d.t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range planned {
		what := string(s.Out)
		switch {
		case s.Out != "":
		case s.Paused:
			what = "paused"
		case len(s.Threads) == 0:
			what = "nothing"
		default:
			what = s.Threads[0].ID
		}
		fmt.Fprintf(&b, "%s  %s\n", s.Due.In(d.zone).Format("Mon 2 Jan 15:04 MST"), what)
	}
	c, err := d.Catalogue(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	o, err := d.Outlook(d.t.Context(), c)
	if err != nil {
		d.t.Fatal(err)
	}
	fmt.Fprintf(&b, "%d left, the last on %s\n", o.Left, o.Last.In(d.zone).Format(time.DateOnly))
	for _, l := range o.Late {
		fmt.Fprintf(&b, "%s expires before its turn\n", l.ID)
	}
	return b.String()
}

func (d *desk) golden(name, have string) {
	d.t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			d.t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(have), 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		d.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), have); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// A slot that was left out stays so when nobody was there: what was missed before
// it is caught up, and a later word of the config brings none back.
func TestLeftOutIsNeverCaughtUp(t *testing.T) {
	inTime(t, func(t *testing.T) {
		s := weekly
		s.except = []string{"2000-01-10..2000-01-17"}
		d := newDesk(t, s)
		d.threads(5)
		until("2000-01-18T12:00:00Z") // of three slots the two newest are left out
		if got := d.due(); got != "2024-01-01-t0" {
			t.Errorf("the one that was missed: %q", got)
		}
		wantNothing(t, "the others", d.due(), "the slot of Monday 17 January 2000 09:00 GMT is left out by schedule.except")
		again := weekly
		again.dir = d.dir
		d = newDesk(t, again)
		wantNothing(t, "without the exception", d.due(), "no slot is due; the next is Monday 24 January")
		d.skip("", false)
		until("2000-01-24T09:00:00Z")
		wantNothing(t, "skipped", d.due(), "the slot of Monday 24 January 2000 09:00 GMT is skipped")
		if _, err := d.Skip(t.Context(), time.Date(2000, 1, 24, 9, 0, 0, 0, time.UTC), true); err == nil || !strings.Contains(err.Error(), "is over already") {
			t.Errorf("undo of what is over: %v", err)
		}
		wantNothing(t, "after that", d.due(), "no slot is due; the next is Monday 31 January")
		until("2000-01-31T09:00:00Z")
		if got := d.due(); got != "2024-01-02-t1" {
			t.Errorf("the next slot: %q", got)
		}
	})
}
