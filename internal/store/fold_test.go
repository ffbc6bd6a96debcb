package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func TestFoldDeliveries(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := thread("a", "First.")
		addThreads(t, s, a)
		addPeople(t, s, 5)
		for n, th := range [][]newsletter.Thread{{a}, nil, nil} {
			got(s.Publish(ctx, issueOf(int64(n+1), th...), nil, snap, 2))(t)
		}
		must(t, s.SiteWritten(ctx, []int64{1, 2, 3}))
		list := pending(t, s) // of all three
		for i, d := range list {
			state := newsletter.DeliverySent
			switch {
			case d.Issue == 1 && i == 0:
				state = newsletter.DeliveryFailed
			case d.Issue == 3 && i == len(list)-1:
				state = newsletter.DeliveryInDoubt
			}
			journal(t, s, nil, d.ID, at(10))
			end := ended(d.ID, state)
			if state == newsletter.DeliveryInDoubt {
				end[0].Doubts = 1
			}
			journal(t, s, end, 0, at(10))
		}
		for _, d := range list {
			must(t, s.CloseBatch(ctx, newsletter.Batch{ID: d.Batch, Issue: d.Issue}))
		}
		must(t, s.Exec(ctx, `UPDATE issues SET finished_at = $1 WHERE number <> 2`, at(20).UnixMilli()))
		before := got(s.Issues(ctx))(t)
		if n := got(s.FoldDeliveries(ctx, at(20)))(t); n != 0 {
			t.Errorf("%d folded that are not old", n)
		}
		for _, want := range []int{1, 0} { // again there is nothing to do; one has a delivery in doubt
			if n := got(s.FoldDeliveries(ctx, at(21)))(t); n != want {
				t.Errorf("%d folded, want %d", n, want)
			}
		}
		after := got(s.Issues(ctx))(t)
		for i := range after {
			if diff := cmp.Diff(before[i].Counts, after[i].Counts); diff != "" {
				t.Errorf("counts of issue %d: %s", i+1, diff)
			}
			if folded := !after[i].FoldedAt.IsZero(); folded != (i == 0) {
				t.Errorf("issue %d is folded: %v", i+1, folded)
			}
		}
		if left := got(s.Unsettled(ctx, 1))(t); len(left) > 0 {
			t.Errorf("deliveries of issue 1: %v", left)
		}
		must(t, s.CloseBatch(ctx, newsletter.Batch{ID: list[0].Batch, Issue: 1})) // a job that runs late
		if diff := cmp.Diff(before[0].Counts, got(s.Issue(ctx, 1))(t).Counts); diff != "" {
			t.Errorf("counts of issue 1: %s", diff)
		}
		for what, do := range map[string]func(context.Context, int64) (int, error){
			"retry": s.Retry, "resend": s.ResolveResend, "skip": s.ResolveSkip,
			"send":   func(ctx context.Context, n int64) (int, error) { return s.SendIssue(ctx, n, 1) },
			"missed": func(ctx context.Context, n int64) (int, error) { return s.SendMissed(ctx, n, 1) },
		} {
			if _, err := do(ctx, 1); !errors.Is(err, store.ErrFolded) {
				t.Errorf("%s: %v", what, err)
			}
		}
		// Its threads went out, though nobody knows to whom: they are not free again.
		if undone := got(s.WithdrawIssue(ctx, 1))(t); undone {
			t.Error("a folded issue was undone")
		}
		if n := got(s.LatestIssue(ctx))(t); n != 3 {
			t.Errorf("the latest issue is %d", n)
		}
	})
}

func TestMonthsAreClaimedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if m := got(s.LastMonth(ctx))(t); m != "" {
			t.Errorf("a new publication has had %s", m)
		}
		must(t, s.EndMonth(ctx, "2026-01"))
		must(t, s.EndMonth(ctx, "2025-12")) // over long ago
		digest := issueOf(1)
		digest.Month, digest.Monthly = "2026-02", true
		addWishful(t, s)
		if n := got(s.Publish(ctx, digest, nil, snap, 2))(t); n != 2 {
			t.Errorf("%d recipients", n)
		}
		digest.Number = 2
		if _, err := s.Publish(ctx, digest, nil, snap, 2); !errors.Is(err, newsletter.ErrTaken) {
			t.Errorf("the month a second time: %v", err)
		}
		if m := got(s.LastMonth(ctx))(t); m != "2026-02" {
			t.Errorf("the last month is %s", m)
		}
		if last, _, err := s.LastSlot(ctx, time.Now()); err != nil || !last.IsZero() {
			t.Errorf("a digest counts as a slot: %v, %v", last, err)
		}
		if n := got(s.LatestIssue(ctx))(t); n != 0 {
			t.Errorf("newcomers would get the digest of a month, issue %d", n)
		}
	})
}
