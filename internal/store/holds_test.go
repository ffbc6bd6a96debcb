package store_test

import (
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// end marks a delivery and records how it ended.
func end(t testing.TB, s *store.Store, e newsletter.DeliveryEnd) {
	t.Helper()
	if !journal(t, s, nil, e.ID, at(10)) {
		t.Fatalf("delivery %d may not go", e.ID)
	}
	journal(t, s, []newsletter.DeliveryEnd{e}, 0, at(10))
}

func statuses(t testing.TB, s *store.Store) map[newsletter.SubscriberStatus]int {
	t.Helper()
	return got(s.CountSubscribers(t.Context()))(t)
}

// wantBounces reads a count that nothing reads yet.
func wantBounces(t testing.TB, s *store.Store, subscriber int64, want int) {
	t.Helper()
	driver := "sqlite"
	if strings.HasPrefix(s.Path(), "postgres:") {
		driver = "pgx"
	}
	db := got(sql.Open(driver, s.Path()))(t)
	defer db.Close()
	var n int
	must(t, db.QueryRowContext(t.Context(), `SELECT bounces FROM subscribers WHERE id = $1`, subscriber).Scan(&n))
	if n != want {
		t.Errorf("subscriber %d has %d bounces, want %d", subscriber, n, want)
	}
}

func TestBounceAndUndo(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 5, 10)
		list := pending(t, s)
		dead := newsletter.DeliveryEnd{State: newsletter.DeliveryFailed, Attempts: 1, Code: 550, Answer: "5.1.1 no", Bounce: newsletter.BounceDead}
		var ids []int64
		for _, d := range list[:3] {
			dead.ID = d.ID
			end(t, s, dead)
			ids = append(ids, d.ID)
		}
		full := newsletter.DeliveryEnd{ID: list[3].ID, State: newsletter.DeliveryFailed, Attempts: 1, Code: 552, Bounce: newsletter.BounceFull}
		end(t, s, full)
		wantBounces(t, s, list[3].Subscriber, 1)
		want := map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 2, newsletter.SubscriberBounced: 3}
		if diff := cmp.Diff(want, statuses(t, s)); diff != "" {
			t.Error("statuses:", diff)
		}
		// One of them is removed meanwhile, and stays so.
		var keys []string
		for sub, err := range s.Subscribers(ctx) {
			must(t, err)
			keys = append(keys, sub.Key)
		}
		got(s.Suppress(ctx, keys[2], "removed"))(t)

		if n := got(s.UndoBounces(ctx, ids))(t); n != 3 {
			t.Errorf("%d deliveries go back, want 3", n)
		}
		want = map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 4, newsletter.SubscriberSuppressed: 1}
		if diff := cmp.Diff(want, statuses(t, s)); diff != "" {
			t.Error("statuses:", diff)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 5, Pending: 4, Failed: 1})
		for _, d := range pending(t, s) {
			if d.Attempts != 0 {
				t.Errorf("%s is charged with %d attempts", d.Email, d.Attempts)
			}
		}
		// What was counted is taken back as well, and only once.
		if n := got(s.UndoBounces(ctx, []int64{list[3].ID}))(t); n != 1 {
			t.Errorf("%d deliveries go back, want 1", n)
		}
		wantBounces(t, s, list[3].Subscriber, 0)
		// Nobody stays on the list of those who never get mail.
		res := got(s.AddSubscribers(ctx, []newsletter.Subscriber{{Email: keys[0], Key: keys[0], Status: newsletter.SubscriberActive}}))(t)
		if res[0] != newsletter.Unchanged {
			t.Errorf("add again: %v", res)
		}
	})
}

func TestHeldDeliveries(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 5, 10)
		list := pending(t, s)
		h := newsletter.Hold{Domain: "example.org", Kind: newsletter.HoldPolicy, Reason: "550 blocked", Since: at(1), ProbeAt: at(16), Step: 2, Undo: []int64{}}
		must(t, s.SetHold(ctx, h))
		if diff := cmp.Diff([]newsletter.Hold{h}, got(s.Holds(ctx))(t)); diff != "" {
			t.Error(diff)
		}
		end(t, s, newsletter.DeliveryEnd{ID: list[0].ID, State: newsletter.DeliveryDeferred, Hold: h.Domain, NextAt: at(17)})
		must(t, s.HoldBack(ctx, h.Domain, []int64{list[1].ID, list[2].ID}, at(17)))
		wantCounts(t, s, newsletter.Counts{Recipients: 5, Pending: 2, Deferred: 3})
		for _, u := range got(s.Unsettled(ctx, 1))(t) {
			if u.Hold != h.Domain || !u.NextAt.Equal(at(17)) {
				t.Errorf("%+v does not name its hold", u)
			}
		}
		if d := got(s.WakeHeld(ctx, h.Domain))(t); d.ID != list[1].ID || d.Batch != list[1].Batch {
			t.Errorf("the probe is %+v, want one that was not tried yet", d)
		}
		if d := got(s.WakeHeld(ctx, "example.net"))(t); d.ID != 0 {
			t.Errorf("the probe of another domain is %+v", d)
		}
		if w := got(s.Warnings(ctx))(t); len(w) != 1 || w[0].Text != "mail to example.org is held: 550 blocked" {
			t.Errorf("warnings %+v", w)
		}
		for _, want := range []string{"held", ""} { // told once
			if w := got(s.TakeWarning(ctx))(t); w.Kind != want {
				t.Errorf("took %+v, want %q", w, want)
			}
		}
		again := h
		again.Since = at(18)
		must(t, s.SetHold(ctx, again))
		if w := got(s.TakeWarning(ctx))(t); w.Text != "mail to example.org is held: 550 blocked" || !w.Since.Equal(again.Since) {
			t.Errorf("took %+v of a later hold", w)
		}
		quota := newsletter.Hold{Domain: "", Kind: newsletter.HoldQuota, Since: at(18)}
		must(t, s.SetHold(ctx, quota))
		if w := got(s.TakeWarning(ctx))(t); w.Kind != "" {
			t.Errorf("took %+v of a quota, which opens by itself", w)
		}
		quota.Lifted = true
		must(t, s.SetHold(ctx, quota))
		got(s.WakeLifted(ctx, "", 1))(t)
		h.Lifted = true
		must(t, s.SetHold(ctx, h))
		if w := got(s.Warnings(ctx))(t); len(w) > 0 {
			t.Errorf("warnings %+v of a hold that is lifted", w)
		}
		counts := []int{got(s.WakeLifted(ctx, h.Domain, 1))(t), got(s.WakeLifted(ctx, h.Domain, 1))(t), got(s.WakeLifted(ctx, h.Domain, 1))(t)}
		if !slices.Equal(counts, []int{1, 1, 0}) {
			t.Errorf("woken: %v", counts)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 5, Pending: 5})
		if holds := got(s.Holds(ctx))(t); len(holds) > 0 {
			t.Errorf("holds %+v, want none", holds)
		}
	})
}

// An envelope can be refused before its delivery is marked: that was its first
// attempt all the same.
func TestFirstAttemptRefusedAhead(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		publish(t, s, 2, 10)
		list := pending(t, s)
		journal(t, s, []newsletter.DeliveryEnd{
			{ID: list[0].ID, State: newsletter.DeliveryPending, Attempts: 1},
			{ID: list[1].ID, State: newsletter.DeliveryPending},
		}, 0, at(10))
		list = pending(t, s)
		if list[0].FirstAt.IsZero() || !list[1].FirstAt.IsZero() {
			t.Errorf("first attempts %v and %v, want only that which was charged", list[0].FirstAt, list[1].FirstAt)
		}
	})
}

// TestUndoOnce takes back what the last refusal did, and not an earlier one
// that stands, and lets nothing of a withdrawn issue go again.
func TestUndoOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 2, 10)
		d := pending(t, s)[0]
		end(t, s, newsletter.DeliveryEnd{ID: d.ID, State: newsletter.DeliveryFailed, Attempts: 1, Code: 552, Bounce: newsletter.BounceFull})
		got(s.Retry(ctx, 1))(t)
		end(t, s, newsletter.DeliveryEnd{ID: d.ID, State: newsletter.DeliveryFailed, Attempts: 1, Code: 550, Bounce: newsletter.BounceDead})
		got(s.WithdrawIssue(ctx, 1))(t)
		if n := got(s.UndoBounces(ctx, []int64{d.ID}))(t); n != 1 {
			t.Errorf("%d deliveries are taken back", n)
		}
		wantBounces(t, s, d.Subscriber, 1)
		wantCounts(t, s, newsletter.Counts{Recipients: 2, Canceled: 2})
		if !finished(t, s) {
			t.Error("the issue is open again")
		}
	})
}
