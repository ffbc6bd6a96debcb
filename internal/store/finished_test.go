package store_test

import (
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// What follows an issue is taken once, when the issue is finished and its page in
// place, and never for one that was withdrawn.
func TestFinished(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		a := thread("a", "First.")
		addThreads(t, s, a)
		for n, th := range [][]newsletter.Thread{{a}, nil, nil} { // to nobody: finished at once
			got(s.Publish(ctx, issueOf(int64(n+1), th...), nil, snap, 2))(t)
		}
		take := func(what string, want int64) {
			t.Helper()
			if n := got(s.TakeHooked(ctx))(t); n != want {
				t.Errorf("%s: issue %d, want %d", what, n, want)
			}
		}
		take("without a page", 0)
		must(t, s.SiteWritten(ctx, []int64{1, 3}))
		got(s.WithdrawIssue(ctx, 1))(t)
		take("finished", 3)
		take("again", 0)
		must(t, s.SiteWritten(ctx, []int64{2}))
		must(t, s.Exec(ctx, `UPDATE issues SET finished_at = $1`, at(10).UnixMilli()))
		report := func(what string, before time.Time, want int64) {
			t.Helper()
			if n := got(s.TakeReported(ctx, before))(t); n != want {
				t.Errorf("%s: report of issue %d, want %d", what, n, want)
			}
		}
		report("too early", at(9), 0)
		report("far too late", at(10).Add(8*24*time.Hour), 0)
		report("in time", at(10), 2)
		must(t, s.ReturnReported(ctx, 2))
		report("not sent", at(10), 2)
		report("the other", at(10), 3)
		report("all", at(10), 0)
	})
}
