package deliver

import (
	"slices"
	"testing"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// The rate holds over a minute, and no second has more.
func TestRateHolds(t *testing.T) {
	later(t, 480, func(t *testing.T, s *store.Store, _ int64) {
		d := &desk{}
		o := options(s, d)
		o.Rate = 14
		drain(t, o)
		slices.SortFunc(d.sent, time.Time.Compare)
		if got := d.sent[420].Sub(d.sent[0]); got < 30*time.Second || got > 31500*time.Millisecond {
			t.Errorf("420 messages at 14 a second took %v", got)
		}
		for i := range len(d.sent) - 14 {
			if gap := d.sent[i+14].Sub(d.sent[i]); gap < time.Second {
				t.Fatalf("15 messages in %v", gap)
			}
		}
	})
}

// No 24 hours have more messages than mail.daily, over restarts too, and what
// is refused does not count.
func TestDaily(t *testing.T) {
	later(t, 25, func(t *testing.T, s *store.Store, issue int64) {
		start := time.Now()
		d := &desk{}
		refused := false
		d.send = func(n int) error {
			if n == 3 && !refused {
				refused = true
				return &mail.Fault{Stage: mail.StageMail, Err: errDown}
			}
			return nil
		}
		o := options(s, d)
		o.Daily, o.Connections = 10, 2
		for range 3 {
			if err := New(o).Drain(t.Context(), time.Hour); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(d.times(&d.sent)); n != 10 {
			t.Fatalf("%d messages on the first day, want 10", n)
		}
		wantCounts(t, s, issue, newsletter.Counts{Recipients: 25, Pending: 15, Sent: 10})
		for range 2 {
			time.Sleep(day - 30*time.Second) // the drain waits for the rest
			if err := New(o).Drain(t.Context(), 5*time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		sent := d.times(&d.sent)
		slices.SortFunc(sent, time.Time.Compare)
		if len(sent) != 25 {
			t.Fatalf("%d messages in all, want 25", len(sent))
		}
		for i := range len(sent) - 10 {
			if gap := sent[i+10].Sub(sent[i]); gap < day {
				t.Errorf("11 messages in %v", gap)
			}
		}
		if last := sent[24].Sub(start); last > 49*time.Hour {
			t.Errorf("the last left after %v", last)
		}
	})
}

// A grace holds the mail, whoever looks; go ends it.
func TestGrace(t *testing.T) {
	later(t, 3, func(t *testing.T, s *store.Store, _ int64) {
		start := time.Now()
		held := newsletter.Issue{Number: 2, Slug: "b", Title: "B", Subject: "B", PublishedAt: start, HeldUntil: start.Add(3 * time.Minute), AuthorCopy: "jo@example.com"}
		snap, err := s.Snapshot(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Publish(t.Context(), held, nil, snap, 500); err != nil {
			t.Fatal(err)
		}
		if err := s.SiteWritten(t.Context(), []int64{2}); err != nil {
			t.Fatal(err)
		}
		d := &desk{}
		sender := New(options(s, d))
		for range 2 { // once
			if err := sender.SendCopies(t.Context(), s, "Jo", "https://example.com/#unsubscribe"); err != nil {
				t.Fatal(err)
			}
		}
		if err := sender.Drain(t.Context(), 90*time.Second); err != nil {
			t.Fatal(err)
		}
		if n := len(d.times(&d.sent)); n != 4 { // the first issue, and the copy
			t.Fatalf("%d messages left at once, want 4", n)
		}
		if err := New(options(s, d)).Drain(t.Context(), 3*time.Minute); err != nil {
			t.Fatal(err)
		}
		sent := d.times(&d.sent)
		if len(sent) != 7 || sent[6].Sub(start) < 3*time.Minute || sent[6].Sub(start) > 3*time.Minute+2*time.Second {
			t.Errorf("messages left at %v", since(start, sent))
		}
	})
}
