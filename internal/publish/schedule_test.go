package publish_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
)

// inTime runs a test at a faked 1 January 2000, a Saturday.
func inTime(t *testing.T, test func(t *testing.T)) { synctest.Test(t, test) }

// until lets the time pass.
func until(text string) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	time.Sleep(time.Until(at))
}

var weekly = settings{cron: "0 9 * * MON", zone: "Europe/London"}

func wantNothing(t *testing.T, what, got, why string) {
	t.Helper()
	if !strings.Contains(got, why) {
		t.Errorf("%s: %q, want nothing published because %q", what, got, why)
	}
}

func TestWeekly(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(3)
		wantNothing(t, "first start", d.due(), "no slot is due; the next is Monday 3 January 2000 09:00 GMT")
		until("2000-01-03T08:59:59Z")
		wantNothing(t, "a second before", d.due(), "no slot is due")
		until("2000-01-03T09:00:00Z")
		if got := d.due(); got != "2024-01-01-t0" {
			t.Errorf("at the slot: %q", got)
		}
		wantNothing(t, "again", d.due(), "no slot is due; the next is Monday 10 January")
		until("2000-01-10T09:14:00Z") // as a cron of 15 minutes would
		if got := d.due(); got != "2024-01-02-t1" {
			t.Errorf("a week later: %q", got)
		}
		issue, err := d.store.Issue(t.Context(), 2)
		if err != nil || issue.Slot != "2000-01-10T09:00[Europe/London]" {
			t.Errorf("slot %q, %v", issue.Slot, err)
		}
	})
}

// A new schedule counts from when it was first seen, and says so where it
// leaves a slot out that somebody may wait for.
func TestFreshSchedule(t *testing.T) {
	inTime(t, func(t *testing.T) {
		until("2000-01-03T09:00:01Z")
		d := newDesk(t, weekly)
		d.threads(3)
		const left = "counts from now; the slot of Monday 3 January 2000 09:00 GMT was not taken. `threadmill publish --now` sends “The thread number 0 "
		wantNothing(t, "first seen", d.due(), left)
		if got := d.now(); got != "2024-01-01-t0" {
			t.Errorf("by hand: %q", got)
		}
		until("2000-01-10T09:00:00Z")
		if got := d.due(); got != "2024-01-02-t1" {
			t.Errorf("at the slot: %q", got)
		}
		until("2000-01-10T09:30:00Z")
		edited := publish.New(d.options(settings{cron: "15 9 * * MON", zone: "Europe/London"}))
		o, err := edited.DryRun(t.Context(), "", false)
		if err != nil || !strings.Contains(o.Reason, "counts from the first `threadmill run` or `threadmill publish` on; the slot of Monday 10 January 2000 09:15 GMT is not taken. ") {
			t.Errorf("an edited one, not seen yet: %q, %v", o.Reason, err)
		}
		earlier := publish.New(d.options(settings{cron: "45 8 * * MON", zone: "Europe/London"}))
		if o, err := earlier.DryRun(t.Context(), "", false); err != nil || strings.Contains(o.Reason, "slot of") {
			t.Errorf("its slot was before the last one that was taken: %q, %v", o.Reason, err)
		}
	})
}

func TestCatchUp(t *testing.T) {
	tests := []struct{ catchUp, want string }{
		{"one", "2024-01-01-t0"},
		{"skip", "was missed"},
		{"24h", "was missed"},
		{"72h", "2024-01-01-t0"},
	}
	for _, tt := range tests {
		t.Run(tt.catchUp, func(t *testing.T) {
			inTime(t, func(t *testing.T) {
				s := weekly
				s.catchUp = tt.catchUp
				d := newDesk(t, s)
				d.threads(5)
				until("2000-01-19T12:00:00Z") // three slots passed; the last two days ago
				if got := d.due(); !strings.Contains(got, tt.want) {
					t.Errorf("after three missed slots: %q, want %q", got, tt.want)
				}
				wantNothing(t, "and no burst", d.due(), "no slot is due")
			})
		})
	}
}

func TestEmptySlotIsOver(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.due()
		until("2000-01-03T09:00:00Z")
		wantNothing(t, "empty queue", d.due(), "no thread is ready")
		d.threads(1)
		wantNothing(t, "a thread that came too late", d.due(), "no slot is due")
	})
}

// A slot without a thread can send the last issue to those who came since.
func TestEmptySlotSendsWhatWasMissed(t *testing.T) {
	inTime(t, func(t *testing.T) {
		missed := weekly
		missed.missed = true
		d := newDesk(t, missed)
		d.due()
		until("2000-01-03T09:00:00Z")
		wantNothing(t, "nothing was ever sent", d.due(), "no thread is ready")
		d.threads(1)
		d.subscribers(2)
		d.now()
		d.subscribers(5)
		until("2000-01-10T09:00:00Z")
		wantNothing(t, "empty queue", d.due(), "no thread is ready (waiting for their date: 0, drafts: 0, broken: 0); issue 1 goes to those who had not got it: 3")
		until("2000-01-17T09:00:00Z")
		if got := d.due(); strings.Contains(got, "issue 1") {
			t.Errorf("the next empty slot: %q", got)
		}
		if row, err := d.store.Issue(t.Context(), 1); err != nil || row.Recipients != 5 {
			t.Errorf("%d recipients, %v; want 5", row.Recipients, err)
		}
	})
}

func TestPause(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(2)
		d.due()
		if err := d.Pause(t.Context(), time.Time{}, false); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03T09:00:00Z")
		wantNothing(t, "while paused", d.due(), "the schedule is paused")
		until("2000-01-12T00:00:00Z") // another slot passes while nothing runs
		if err := d.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantNothing(t, "after resume", d.due(), "no slot is due")
		until("2000-01-17T09:00:00Z")
		if got := d.due(); got != "2024-01-01-t0" {
			t.Errorf("next slot: %q", got)
		}
	})
}

func TestPauseUntil(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(2)
		d.due()
		if err := d.Pause(t.Context(), time.Date(2000, 1, 12, 0, 0, 0, 0, time.UTC), false); err != nil {
			t.Fatal(err)
		}
		until("2000-01-12T08:00:00Z")
		wantNothing(t, "the slot under the pause, noticed after it", d.due(), "fell into a pause")
		until("2000-01-17T09:00:00Z")
		if got := d.due(); got != "2024-01-01-t0" {
			t.Errorf("next slot: %q", got)
		}
		if err := d.Pause(t.Context(), time.Now().Add(-time.Hour), false); err == nil {
			t.Error("paused until a time that is over")
		}
	})
}

// A slot that was missed before the pause began is still caught up after it,
// when none passed under it.
func TestMissedBeforePause(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(1)
		d.due()
		until("2000-01-04T00:00:00Z")
		if err := d.Pause(t.Context(), time.Time{}, false); err != nil {
			t.Fatal(err)
		}
		wantNothing(t, "the missed slot, under the pause", d.due(), "the schedule is paused")
		until("2000-01-05T00:00:00Z")
		if err := d.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := d.due(); got != "2024-01-01-t0" {
			t.Errorf("after resume: %q", got)
		}
	})
}

func TestEditedCronCountsFromThen(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(2)
		d.due()
		until("2000-01-04T12:00:00Z")
		daily := newDesk(t, settings{cron: "0 9 * * *", zone: "Europe/London", dir: d.dir})
		wantNothing(t, "slots before the edit", daily.due(), "no slot is due; the next is Wednesday 5 January")
		until("2000-01-05T09:00:00Z")
		if got := daily.due(); got != "2024-01-01-t0" {
			t.Errorf("first slot of the new schedule: %q", got)
		}
		wantNothing(t, "back to the old one", newDesk(t, settings{cron: weekly.cron, zone: weekly.zone, dir: d.dir}).due(), "no slot is due")
	})
}

func TestClaimInTheFuture(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(2)
		d.due()
		far := time.Date(2030, 1, 7, 9, 0, 0, 0, time.UTC)
		if err := d.store.ClaimSlot(t.Context(), newsletter.Slot{Key: "2030-01-07T09:00[Europe/London]", Due: far}, newsletter.SlotPublished, far); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03T09:00:00Z")
		if got := d.due(); got != "2024-01-01-t0" {
			t.Errorf("under a claim in the future: %q", got)
		}
	})
}

func TestNowClaimsADueSlot(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(3)
		if got := d.now(); got != "2024-01-01-t0" {
			t.Fatalf("between slots: %q", got)
		}
		until("2000-01-03T10:00:00Z")
		if got := d.now(); got != "2024-01-02-t1" {
			t.Fatalf("with a slot due: %q", got)
		}
		wantNothing(t, "the slot", d.due(), "no slot is due")
		for n, want := range map[int64]string{1: "", 2: "2000-01-03T09:00[Europe/London]"} {
			if issue, err := d.store.Issue(t.Context(), n); err != nil || issue.Slot != want {
				t.Errorf("issue %d has slot %q (%v), want %q", n, issue.Slot, err, want)
			}
		}
	})
}

// A process with another cron text does not disturb the daemon's schedule.
func TestAnotherProcessWithAnotherCron(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(1)
		o := d.options(settings{cron: "0 10 * * MON", zone: "Europe/London"})
		stranger := publish.New(o)
		for _, at := range []string{"2000-01-02T10:00:00Z", "2000-01-03T08:59:59Z"} {
			until(at)
			if got := d.outcome(stranger.PublishDue(t.Context(), "")); !strings.Contains(got, "no slot is due") {
				t.Errorf("at %s the other published %q", at, got)
			}
		}
		until("2000-01-03T09:00:00Z")
		if got := d.due(); got != "2024-01-01-t0" {
			t.Errorf("at the slot: %q", got)
		}
	})
}

// A slot that was claimed, and that new zone data put later, stays over.
func TestClaimedSlotThatMoved(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(1)
		until("2000-01-03T08:00:00Z")
		claimed := newsletter.Slot{Key: "2000-01-03T09:00[Europe/London]", Due: time.Now()}
		if err := d.store.ClaimSlot(t.Context(), claimed, newsletter.SlotEmpty, time.Now()); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03T09:30:00Z")
		wantNothing(t, "the slot", d.due(), "no slot is due")
		if got := d.now(); got != "2024-01-01-t0" {
			t.Errorf("by hand: %q", got)
		}
	})
}

// A slot in the gap of a spring night has the key of its own wall clock now. It
// is over when an older version claimed it by another.
func TestSlotOfAnOlderVersion(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{cron: "30 2 * * *", zone: "America/New_York"})
		d.threads(1)
		until("2000-04-02T07:00:00Z")
		early := newsletter.Slot{Key: "2000-04-02T03:00[America/New_York]", Due: time.Now()}
		if err := d.store.ClaimSlot(t.Context(), early, newsletter.SlotEmpty, time.Now()); err != nil {
			t.Fatal(err)
		}
		slot := newsletter.Slot{Key: "2000-04-02T02:30[America/New_York]", Due: time.Now()}
		if over, err := d.store.SlotOver(t.Context(), slot); err != nil || !over {
			t.Errorf("over %v, %v", over, err)
		}
		if err := d.store.ClaimSlot(t.Context(), slot, newsletter.SlotEmpty, time.Now()); !errors.Is(err, newsletter.ErrTaken) {
			t.Errorf("claimed once more: %v", err)
		}
		wantNothing(t, "the slot", d.due(), "no slot is due")
	})
}

// Many processes at one due slot publish one issue.
func TestOneSlotOneIssue(t *testing.T) {
	d := newDesk(t, settings{cron: "@every 1h", zone: "UTC"})
	d.threads(9)
	hour := time.Now().Truncate(time.Hour)
	if _, err := d.store.BeginSchedule(t.Context(), "@every 1h", "UTC", hour.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	outcomes := make(chan publish.Outcome, 8)
	for range cap(outcomes) {
		other := newDesk(t, settings{cron: "@every 1h", zone: "UTC", dir: d.dir})
		wg.Go(func() {
			o, err := other.PublishDue(t.Context(), "")
			if err != nil {
				t.Error(err)
			}
			outcomes <- o
		})
	}
	wg.Wait()
	close(outcomes)
	published := 0
	for o := range outcomes {
		if o.Issue != nil {
			published++
		}
	}
	if published != 1 {
		t.Errorf("%d issues for one slot", published)
	}
}

// Issues published by hand at the same time carry different threads.
func TestByHandAtOnce(t *testing.T) {
	d := newDesk(t, settings{})
	d.threads(4)
	var wg sync.WaitGroup
	for range 4 {
		other := newDesk(t, settings{dir: d.dir})
		wg.Go(func() {
			if _, err := other.PublishNow(t.Context(), "", false); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	issues, err := d.store.Issues(t.Context())
	if err != nil || len(issues) != 4 {
		t.Fatalf("%d issues, %v; want 4", len(issues), err)
	}
	for file, state := range d.states() {
		if state != newsletter.ThreadSent {
			t.Errorf("%s is %s", file, state)
		}
	}
}

func TestUpcoming(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, settings{cron: "30 2 * * SUN", zone: "America/New_York"})
		d.threads(2)
		d.write("threads/later.md", "---\npublishDate: 2026-03-20\n---\n\nNot before the twentieth of March.\n")
		planned, err := d.Upcoming(t.Context(), time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC), 4)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range planned {
			id := "nothing"
			if len(s.Threads) > 0 {
				id = s.Threads[0].ID
			}
			got = append(got, s.Due.In(d.zone).Format("2006-01-02 15:04 MST ")+id)
		}
		want := "2026-03-08 03:00 EDT 2024-01-01-t0|2026-03-15 02:30 EDT 2024-01-02-t1|2026-03-22 02:30 EDT later|2026-03-29 02:30 EDT nothing"
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("got  %s\nwant %s", s, want)
		}
	})
}
