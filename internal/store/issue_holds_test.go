package store_test

import (
	"errors"
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// What is under way when an issue is withdrawn ends by itself, and is not
// tried again; all others are canceled, and the sum holds.
func TestWithdrawUnderWay(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		addPeople(t, s, 4)
		addThreads(t, s, thread("a", "one"))
		issue := issueOf(1, thread("a", "one"))
		got(s.Publish(t.Context(), issue, nil, newsletter.Snapshot{Message: []byte("m")}, 2))(t)
		must(t, s.SiteWritten(t.Context(), []int64{1}))
		now := time.Now()
		for _, d := range pending(t, s)[:3] {
			if !journal(t, s, nil, d.ID, now) {
				t.Fatalf("delivery %d is not marked", d.ID)
			}
		}
		must(t, s.StopIssue(t.Context(), 1))
		if journal(t, s, ended(1, newsletter.DeliverySent), 4, now) {
			t.Error("a delivery is marked after the stop")
		}
		if undone := got(s.WithdrawIssue(t.Context(), 1))(t); undone {
			t.Error("an issue that has left is undone")
		}
		journal(t, s, ended(2, newsletter.DeliveryDeferred), 0, now)
		_, held := recoverAll(t, s)
		if held != 1 { // who was under way at a crash is in doubt, and not sent again
			t.Errorf("%d held, want 1", held)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 4, Sent: 1, Canceled: 2, InDoubt: 1})
		if n := got(s.ResolveResend(t.Context(), 1))(t); n != 0 {
			t.Errorf("%d in doubt are sent again", n)
		}
		if err := s.GoIssue(t.Context(), 1); !errors.Is(err, store.ErrWithdrawn) {
			t.Errorf("go: %v, want ErrWithdrawn", err)
		}
		if known := got(s.Threads(t.Context()))(t).Threads[0]; !known.Withdrawn || known.Issue != 1 {
			t.Errorf("thread: %+v, want it withdrawn", known)
		}
	})
}

// TestWithdrawWithoutMail: an issue that had nobody to go to is out with its
// feeds, so its threads are withdrawn and not free to go out again.
func TestWithdrawWithoutMail(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		a := thread("a", "A.")
		addThreads(t, s, a)
		_, err := s.Publish(t.Context(), issueOf(1, a), nil, snap, 10)
		must(t, err)
		if undone := got(s.WithdrawIssue(t.Context(), 1))(t); undone {
			t.Error("an issue of the feeds alone is undone")
		}
		if k := got(s.Threads(t.Context()))(t).Threads[0]; !k.Withdrawn || k.OutNumber == 0 {
			t.Errorf("its thread is not withdrawn: %+v", k)
		}
	})
}

func recoverAll(t testing.TB, s *store.Store) (again, held int) {
	t.Helper()
	again, held, err := s.Recover(t.Context(), true)
	must(t, err)
	return again, held
}

// A warning is taken once until it was over, and a slot once its mail left.
func TestTold(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		take := func(want string) {
			t.Helper()
			if w := got(s.TakeWarning(t.Context()))(t); w.Kind != want {
				t.Errorf("took warning %q, want %q", w.Kind, want)
			}
		}
		take("")
		must(t, s.Warn(t.Context(), "relay", "down"))
		take("relay")
		h := newsletter.Hold{Domain: "example.org", Kind: newsletter.HoldPolicy, Reason: "550 no", Since: at(1), ProbeAt: at(16)}
		must(t, s.SetHold(t.Context(), h))
		must(t, s.SetHold(t.Context(), newsletter.Hold{Kind: newsletter.HoldQuota, Since: at(1), ProbeAt: at(16)}))
		take("held")
		h.ProbeAt = at(17)
		must(t, s.SetHold(t.Context(), h))
		take("")
		h.Since = at(20)
		must(t, s.SetHold(t.Context(), h))
		take("held")
		take("")
		must(t, s.Warn(t.Context(), "relay", "still down"))
		take("")
		must(t, s.Unwarn(t.Context(), "relay"))
		must(t, s.Warn(t.Context(), "relay", "down again"))
		take("relay")

		addPeople(t, s, 1)
		addThreads(t, s, thread("a", "one"), thread("b", "two"))
		endedWell := func(want bool) {
			t.Helper()
			if got(s.TakeSlot(t.Context()))(t) != want {
				t.Errorf("a slot ended well: %v, want %v", !want, want)
			}
		}
		publishSlot := func(number int64, id, text string) {
			t.Helper()
			slot := newsletter.Slot{Key: id, Due: at(int(number))}
			got(s.Publish(t.Context(), issueOf(number, thread(id, text)), &slot, newsletter.Snapshot{Message: []byte("m")}, 10))(t)
			must(t, s.SiteWritten(t.Context(), []int64{number}))
		}
		publishSlot(1, "a", "one")
		endedWell(false)
		settleAll(t, s, ended(1, newsletter.DeliverySent)[0])
		endedWell(true)
		endedWell(false)
		publishSlot(2, "b", "two")
		settleAll(t, s, ended(2, newsletter.DeliveryFailed)[0])
		endedWell(false) // nobody got it
	})
}
