package publish_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// month publishes the digest of a month that is over, and returns its title; it is
// empty where none was published.
func (d *desk) month() string {
	d.t.Helper()
	o, err := d.PublishMonth(d.t.Context())
	if err != nil {
		d.t.Fatal(err)
	}
	if o.Issue == nil {
		return ""
	}
	return o.Issue.Title
}

// foretellsMonth looks ahead from the last day of a month with five threads.
func (d *desk) foretellsMonth() {
	d.t.Helper()
	now := time.Now()
	planned, err := d.Upcoming(d.t.Context(), now, 2)
	if err == nil {
		planned, err = d.WithMonth(d.t.Context(), now, planned)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	if p := planned[0]; len(planned) != 3 || p.Month != "2000-01" || len(p.Threads) != 5 || !p.Due.Equal(time.Date(2000, 2, 1, 9, 0, 0, 0, time.UTC)) {
		d.t.Errorf("to come: %+v", planned)
	}
}

// A digest of the month goes to those who want one, on the first at the hour of
// the schedule, once.
func TestMonth(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(6)
		d.write("threads/2024-02-01-few.md", "---\ntitle: For a few\nparams:\n  to: [few]\n  channels: [mail, web]\n---\n\nThis is only for a few of you.\n")
		d.subscribers(3)
		d.monthly("r1@example.org")
		if got := d.month(); got != "" {
			t.Errorf("at the first start: %q", got)
		}
		for _, day := range []string{"03", "10", "17", "24", "31"} {
			until("2000-01-" + day + "T09:00:00Z")
			d.due()
		}
		d.foretellsMonth()
		if o, err := d.PublishNow(t.Context(), "2024-02-01-few", false); err != nil || o.Recipients != 0 {
			t.Fatal(o, err)
		}
		for _, early := range []string{"2000-01-31T23:00:00Z", "2000-02-01T08:59:59Z"} {
			until(early)
			if got := d.month(); got != "" {
				t.Errorf("at %s: %q", early, got)
			}
		}
		until("2000-02-01T09:00:00Z")
		if got := d.month(); got != "Test: January 2000" {
			t.Errorf("on the first: %q", got)
		}
		if got := d.month(); got != "" {
			t.Errorf("again: %q", got)
		}
		row, err := d.store.Issue(t.Context(), 7)
		if err != nil || row.Recipients != 1 || row.Month != "2000-01" || row.LeftOut.Sum() > 0 {
			t.Errorf("%+v, %v", row, err)
		}
		sent, err := d.AsSent(t.Context(), 7)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			if has, want := strings.Contains(sent.Text, text(i)[:24]), i < 5; has != want {
				t.Errorf("it holds thread %d: %v", i, has)
			}
		}
		if strings.Contains(sent.Text, "a few") || strings.Contains(sent.Text, "/issues/7/") {
			t.Errorf("it holds what is for others, or links to a page of its own:\n%s", sent.Text)
		}
		d.writeSite()
		if _, err := os.Stat(filepath.Join(d.dir, "public/issues/7")); err == nil {
			t.Error("the digest of the month has a page")
		}
		d.slotAfterMonth()
	})
}

// slotAfterMonth shows that the next slot is taken as ever.
func (d *desk) slotAfterMonth() {
	d.t.Helper()
	until("2000-02-07T09:00:00Z")
	if got := d.due(); got != "2024-01-06-t5" {
		d.t.Errorf("the slot after it: %q", got)
	}
}

// Months without readers of them, or without a thread, are over; what was missed
// while nobody was there comes once.
func TestMonthsMissed(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{})
		d.threads(4)
		d.subscribers(2)
		d.month()
		d.now()
		until("2000-02-01T09:00:00Z")
		if got := d.month(); got != "" {
			t.Errorf("nobody wants it: %q", got)
		}
		d.monthly("r0@example.org")
		if got := d.month(); got != "" {
			t.Errorf("who came later: %q", got)
		}
		d.now()
		until("2000-03-20T09:00:00Z")
		d.now()
		until("2000-04-20T09:00:00Z") // nobody was there on two firsts
		d.now()
		if got := d.month(); got != "Test: March 2000" {
			t.Errorf("after two months: %q", got)
		}
		if row, err := d.store.Issue(t.Context(), 5); err != nil || row.Recipients != 1 {
			t.Errorf("%d recipients, %v", row.Recipients, err)
		}
		sent, err := d.AsSent(t.Context(), 5)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []bool{false, true, true, false} {
			if has := strings.Contains(sent.Text, text(i)[:24]); has != want {
				t.Errorf("it holds thread %d: %v", i, has)
			}
		}
		until("2000-05-01T09:00:00Z")
		if got := d.month(); got != "Test: April 2000" {
			t.Errorf("the month after: %q", got)
		}
		until("2000-06-01T09:00:00Z")
		if got := d.month(); got != "" {
			t.Errorf("nothing went out: %q", got)
		}
	})
}

// A month that was over by a wrong clock does not keep digests back until then.
func TestMonthAhead(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{})
		d.threads(2)
		d.subscribers(1)
		d.monthly("r0@example.org")
		if err := d.store.EndMonth(t.Context(), "2030-01"); err != nil {
			t.Fatal(err)
		}
		if got := d.month(); got != "" {
			t.Errorf("at the first look: %q", got)
		}
		d.now()
		until("2000-02-01T09:00:00Z")
		if got := d.month(); got != "Test: January 2000" {
			t.Errorf("on the first: %q", got)
		}
		if got := d.month(); got != "" {
			t.Errorf("again: %q", got)
		}
	})
}

// monthly makes somebody want one mail a month.
func (d *desk) monthly(email string) {
	d.t.Helper()
	sub, err := d.store.SubscriberByKey(d.t.Context(), email)
	if err != nil {
		d.t.Fatal(err)
	}
	db, err := sql.Open("sqlite", filepath.Join(d.dir, "t.db"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(d.t.Context(), `UPDATE subscribers SET frequency = 'monthly' WHERE id = $1`, sub.ID); err != nil {
		d.t.Fatal(err)
	}
}
