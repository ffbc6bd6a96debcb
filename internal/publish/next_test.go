package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nextSaid is the day of the next issue by the front page.
func (d *desk) nextSaid() string {
	d.t.Helper()
	d.writeSite()
	_, rest, _ := strings.Cut(d.read("public/index.html"), "Next issue: ")
	day, _, _ := strings.Cut(rest, "<")
	return day
}

// The front page names the day of the next issue, in the publication's zone,
// while there is one to come.
func TestNextIssueOnTheFrontPage(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{cron: "30 0 * * MON", zone: "Europe/Paris"})
		want := func(what, day string) {
			t.Helper()
			if got := d.nextSaid(); got != day {
				t.Errorf("%s: the next issue comes on %q, want %q", what, got, day)
			}
		}
		want("nothing to send", "")
		d.threads(2)
		want("two threads left", "Monday 3 January")
		until("2000-01-02T23:30:00Z") // Monday there
		if got := d.due(); got != "2024-01-01-t0" {
			t.Fatal(got)
		}
		want("after the slot", "Monday 10 January")
		if err := d.Pause(t.Context(), time.Time{}, false); err != nil {
			t.Fatal(err)
		}
		d.wanted("a pause")
		want("paused", "")
		if err := d.Pause(t.Context(), time.Date(2000, 1, 12, 0, 0, 0, 0, time.UTC), false); err != nil {
			t.Fatal(err)
		}
		want("paused until Wednesday", "Monday 17 January")
		if err := d.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.wanted("its end")
		want("no longer", "Monday 10 January")
		d.write("threads/2024-01-02-t1.md", "---\npublishDate: 2000-01-20\n---\n"+text(1))
		want("not before the 20th", "Monday 24 January")
		until("2000-01-10T09:00:00Z")
		wantNothing(t, "an empty slot", d.due(), "no thread is ready")
		if wanted, err := d.SiteWanted(t.Context()); err != nil || wanted {
			t.Errorf("after an empty slot, which the site did not name, it is to be written: %v, %v", wanted, err)
		}
		want("after it", "Monday 24 January")
		until("2000-01-24T09:00:00Z")
		d.due()
		want("all is out", "")
	})
}

// A slot each minute is as good as one a week: the next issue is found behind all
// that pass without a thread.
func TestNextIssueFarAway(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{cron: "* * * * *"})
		d.threads(1)
		d.write("threads/2024-01-01-t0.md", "---\npublishDate: 2000-03-06\nexpiryDate: 2000-03-08\n---\n"+text(0))
		if got := d.nextSaid(); got != "Monday 6 March" {
			t.Errorf("the next issue comes on %q", got)
		}
		if err := d.Pause(t.Context(), time.Date(2000, 3, 7, 0, 0, 0, 0, time.UTC), false); err != nil {
			t.Fatal(err)
		}
		if got := d.nextSaid(); got != "Tuesday 7 March" {
			t.Errorf("behind a pause the next issue comes on %q", got)
		}
		if err := d.Pause(t.Context(), time.Date(2000, 3, 8, 0, 0, 0, 0, time.UTC), false); err != nil {
			t.Fatal(err)
		}
		if got := d.nextSaid(); got != "" {
			t.Errorf("expired under a pause, the next issue comes on %q", got)
		}
	})
}

// wanted fails the test where nobody would write the site anew.
func (d *desk) wanted(why string) {
	d.t.Helper()
	if wanted, err := d.SiteWanted(d.t.Context()); err != nil || !wanted {
		d.t.Errorf("after %s the site is to be written: %v, %v", why, wanted, err)
	}
}

// When a slot passes, the front page and the one for subscribers change, and no
// other file does.
func TestNextIssueChangesTwoPages(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(30)
		for range 25 {
			d.now()
		}
		d.writeSite()
		until("2000-01-04T09:00:00Z")
		report, err := d.WriteSite(t.Context())
		if err != nil || report.Written != 2 {
			t.Errorf("%+v, %v; want two pages written", report, err)
		}
		if !strings.Contains(d.read("public/subscribe/index.html"), " The next issue comes on Monday 10 January.") {
			t.Error("the page for subscribers does not name the next issue")
		}
		if _, err := os.Stat(filepath.Join(d.dir, "public/page/2/index.html")); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(d.read("public/page/2/index.html"), "Next issue") {
			t.Error("a page behind the front page names the next issue")
		}
		report, err = d.WriteSite(t.Context())
		if err != nil || report.Written != 0 {
			t.Errorf("%+v, %v; want nothing written again", report, err)
		}
	})
}
