package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// pending are all pending deliveries, in order.
func pending(t testing.TB, s *store.Store) []newsletter.Delivery {
	t.Helper()
	var list []newsletter.Delivery
	for _, b := range got(s.OpenBatches(t.Context(), 1000))(t) {
		list = append(list, got(s.TakeBatch(t.Context(), b))(t)...)
	}
	return list
}

// journal writes one entry and tells whether its Next goes.
func journal(t testing.TB, s *store.Store, ended []newsletter.DeliveryEnd, next int64, at time.Time) bool {
	t.Helper()
	return got(s.Journal(t.Context(), []newsletter.JournalEntry{{Ended: ended, Next: next, At: at}}))(t)[0]
}

func ended(id int64, state newsletter.DeliveryState) []newsletter.DeliveryEnd {
	return []newsletter.DeliveryEnd{{ID: id, State: state, Attempts: 1}}
}

func wantCounts(t testing.TB, s *store.Store, want newsletter.Counts) {
	t.Helper()
	row := got(s.Issue(t.Context(), 1))(t)
	if diff := cmp.Diff(want, row.Counts); diff != "" {
		t.Error("counts:", diff)
	}
	if c := row.Counts; c.Pending+c.Sent+c.Deferred+c.Failed+c.Canceled+c.InDoubt != c.Recipients {
		t.Errorf("the counts do not add up: %+v", c)
	}
}

func finished(t testing.TB, s *store.Store) bool {
	t.Helper()
	return !got(s.Issue(t.Context(), 1))(t).FinishedAt.IsZero()
}

func TestJournal(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		publish(t, s, 4, 10)
		list := pending(t, s)
		if !journal(t, s, nil, list[0].ID, at(10)) {
			t.Fatal("the first delivery may not go")
		}
		if journal(t, s, nil, list[0].ID, at(11)) {
			t.Error("a delivery goes that is being sent already")
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 4, Pending: 4})
		if u := got(s.Unsettled(t.Context(), 1))(t); len(u) != 1 || u[0].State != newsletter.DeliverySending {
			t.Errorf("unsettled: %+v", u)
		}
		// Two connections write in one commit: end and mark, and an end alone.
		goes := got(s.Journal(t.Context(), []newsletter.JournalEntry{
			{Ended: []newsletter.DeliveryEnd{{ID: list[0].ID, State: newsletter.DeliverySent, Attempts: 1, Code: 250}}, Next: list[1].ID, At: at(12)},
			{Next: list[2].ID, At: at(12)},
		}))(t)
		if diff := cmp.Diff([]bool{true, true}, goes); diff != "" {
			t.Error(diff)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 4, Sent: 1, Pending: 3})
		// What ended stays; what is pending may be refused before it is marked.
		journal(t, s, ended(list[0].ID, newsletter.DeliveryFailed), 0, time.Time{})
		journal(t, s, ended(list[3].ID, newsletter.DeliveryFailed), 0, time.Time{})
		wantCounts(t, s, newsletter.Counts{Recipients: 4, Sent: 1, Failed: 1, Pending: 2})
		if journal(t, s, nil, 12345, at(12)) {
			t.Error("a delivery goes that is not there")
		}
		if goes := got(s.Journal(t.Context(), nil))(t); len(goes) != 0 {
			t.Errorf("no entries: %v", goes)
		}
	})
}

// TestJournalCancels has subscribers leave between publishing and sending.
func TestJournalCancels(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		publish(t, s, 4, 10)
		list := pending(t, s)
		for i, status := range []newsletter.SubscriberStatus{
			newsletter.SubscriberUnsubscribed, newsletter.SubscriberBounced, newsletter.SubscriberSuppressed,
		} {
			must(t, s.SetSubscriberStatus(t.Context(), list[i].Subscriber, status, "test"))
		}
		var entries []newsletter.JournalEntry
		for _, d := range list {
			entries = append(entries, newsletter.JournalEntry{Next: d.ID, At: at(10)})
		}
		goes := got(s.Journal(t.Context(), entries))(t)
		if diff := cmp.Diff([]bool{false, false, false, true}, goes); diff != "" {
			t.Error(diff)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 4, Canceled: 3, Pending: 1})
		// Coming back does not revive a canceled delivery.
		must(t, s.SetSubscriberStatus(t.Context(), list[0].Subscriber, newsletter.SubscriberActive, "test"))
		if journal(t, s, nil, list[0].ID, at(11)) {
			t.Error("a canceled delivery goes")
		}
	})
}

func TestCloseBatch(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 3, 2)
		batches := got(s.OpenBatches(ctx, 10))(t)
		list := pending(t, s)
		for _, b := range batches {
			must(t, s.CloseBatch(ctx, b))
		}
		if open := got(s.OpenBatches(ctx, 10))(t); len(open) != 2 {
			t.Fatalf("batches with pending deliveries were closed: %v", open)
		}
		journal(t, s, nil, list[2].ID, at(10))
		must(t, s.CloseBatch(ctx, batches[1]))
		// The last one is being sent: there is nothing to hand out nor to close.
		if diff := cmp.Diff(batches[:1], got(s.OpenBatches(ctx, 10))(t)); diff != "" {
			t.Error(diff)
		}
		journal(t, s, ended(list[2].ID, newsletter.DeliverySent), 0, time.Time{})
		if diff := cmp.Diff(batches, got(s.OpenBatches(ctx, 10))(t)); diff != "" {
			t.Error("a batch that can be closed is shown:", diff)
		}
		must(t, s.CloseBatch(ctx, batches[1]))
		journal(t, s, nil, list[0].ID, at(10))
		journal(t, s, ended(list[0].ID, newsletter.DeliverySent), list[1].ID, at(10))
		journal(t, s, ended(list[1].ID, newsletter.DeliveryFailed), 0, time.Time{})
		if finished(t, s) {
			t.Error("finished before its last batch was closed")
		}
		must(t, s.CloseBatch(ctx, batches[0]))
		if !finished(t, s) || len(got(s.UnfinishedIssues(ctx))(t)) > 0 {
			t.Error("all is done, and yet the issue is not finished")
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 3, Sent: 2, Failed: 1})
	})
}

// settleAll journals every pending delivery with the given ends, in order, and
// closes the batches.
func settleAll(t testing.TB, s *store.Store, ends ...newsletter.DeliveryEnd) {
	t.Helper()
	batches := got(s.OpenBatches(t.Context(), 1000))(t)
	for i, d := range pending(t, s) {
		if !journal(t, s, nil, d.ID, at(10)) {
			t.Fatalf("delivery %d may not go", d.ID)
		}
		end := ends[min(i, len(ends)-1)]
		end.ID = d.ID
		journal(t, s, []newsletter.DeliveryEnd{end}, 0, time.Time{})
	}
	for _, b := range batches {
		must(t, s.CloseBatch(t.Context(), b))
	}
}

func TestDeferred(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 4, 2)
		if next := got(s.NextDeferred(ctx))(t); !next.IsZero() {
			t.Errorf("next deferred %v, want none", next)
		}
		later := func(minute int) newsletter.DeliveryEnd {
			return newsletter.DeliveryEnd{State: newsletter.DeliveryDeferred, Attempts: 1, NextAt: at(minute), Code: 451, Answer: "later"}
		}
		settleAll(t, s, newsletter.DeliveryEnd{State: newsletter.DeliverySent, Attempts: 1}, later(30), later(20), later(40))
		wantCounts(t, s, newsletter.Counts{Recipients: 4, Sent: 1, Deferred: 3})
		if finished(t, s) {
			t.Error("finished while deliveries are deferred")
		}
		oldest, next, err := s.Deferred(ctx)
		if err != nil || !oldest.Equal(at(10)) || !next.Equal(at(20)) {
			t.Errorf("oldest %v, next %v, %v", oldest, next, err)
		}
		nextAt := at(20)
		want := store.Unsettled{Email: "s3@example.com", State: newsletter.DeliveryDeferred, Attempts: 1, Code: 451, Answer: "later", NextAt: &nextAt}
		if diff := cmp.Diff(want, got(s.Unsettled(ctx, 1))(t)[1]); diff != "" {
			t.Error(diff)
		}

		if n := got(s.WakeDeferred(ctx, at(19), 10))(t); n != 0 {
			t.Errorf("woke %d before their time", n)
		}
		if n := got(s.WakeDeferred(ctx, at(30), 1))(t); n != 1 {
			t.Errorf("woke %d, want 1 as the limit says", n)
		}
		list := pending(t, s)
		if len(list) != 1 || list[0].Email != "s3@example.com" || list[0].Attempts != 1 || !list[0].FirstAt.Equal(at(10)) {
			t.Errorf("the earliest is awake, with its first attempt: %+v", list)
		}
		journal(t, s, nil, list[0].ID, at(25))
		journal(t, s, ended(list[0].ID, newsletter.DeliveryPending), 0, time.Time{})
		if first := pending(t, s)[0].FirstAt; !first.Equal(at(10)) {
			t.Errorf("the first attempt moved to %v", first)
		}
		if n := got(s.WakeDeferred(ctx, at(50), 10))(t); n != 2 {
			t.Errorf("woke %d, want the other 2", n)
		}
		settleAll(t, s, newsletter.DeliveryEnd{State: newsletter.DeliverySent, Attempts: 2})
		wantCounts(t, s, newsletter.Counts{Recipients: 4, Sent: 4})
		if !finished(t, s) {
			t.Error("not finished")
		}
	})
}

func TestRecover(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 3, 10)
		crash := func() { // while all pending ones are being sent
			for _, d := range pending(t, s) {
				journal(t, s, nil, d.ID, at(10))
			}
		}
		step := func(resend bool, wantAgain, wantHeld int, want newsletter.Counts) {
			t.Helper()
			again, held, err := s.Recover(ctx, resend)
			if err != nil || again != wantAgain || held != wantHeld {
				t.Errorf("recover: %d again, %d held, %v; want %d and %d", again, held, err, wantAgain, wantHeld)
			}
			wantCounts(t, s, want)
		}
		step(true, 0, 0, newsletter.Counts{Recipients: 3, Pending: 3})
		crash()
		step(true, 3, 0, newsletter.Counts{Recipients: 3, Pending: 3})
		if d := pending(t, s)[0]; d.Doubts != 1 || d.Attempts != 0 {
			t.Errorf("after the first doubt: %+v", d)
		}
		crash()
		step(true, 0, 3, newsletter.Counts{Recipients: 3, InDoubt: 3}) // the second doubt is held
		if n := got(s.ResolveResend(ctx, 1))(t); n != 3 {
			t.Errorf("%d to send again, want 3", n)
		}
		if d := pending(t, s)[0]; d.Doubts != 2 {
			t.Errorf("after the second doubt: %+v", d)
		}
		crash()
		step(false, 0, 3, newsletter.Counts{Recipients: 3, InDoubt: 3})
		if rows := got(s.UnfinishedIssues(ctx))(t); len(rows) != 1 {
			t.Error("an issue in doubt is not listed")
		}
		if n := got(s.ResolveSkip(ctx, 1))(t); n != 3 {
			t.Errorf("%d skipped, want 3", n)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 3, Sent: 3})
	})
}

// TestHold is recovery under in_doubt: hold, which asks even the first time.
func TestHold(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		publish(t, s, 1, 10)
		journal(t, s, nil, pending(t, s)[0].ID, at(10))
		if again, held, err := s.Recover(t.Context(), false); again != 0 || held != 1 || err != nil {
			t.Errorf("recover: %d again, %d held, %v", again, held, err)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 1, InDoubt: 1})
	})
}

// TestReopen sends deliveries again of an issue that is finished.
func TestReopen(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 4, 2)
		settleAll(t, s,
			newsletter.DeliveryEnd{State: newsletter.DeliverySent, Attempts: 1},
			newsletter.DeliveryEnd{State: newsletter.DeliveryFailed, Attempts: 3, Code: 550, Answer: "no"},
			newsletter.DeliveryEnd{State: newsletter.DeliveryInDoubt, Attempts: 1, Doubts: 1})
		wantCounts(t, s, newsletter.Counts{Recipients: 4, Sent: 1, Failed: 1, InDoubt: 2})
		if !finished(t, s) {
			t.Fatal("not finished; what is in doubt waits for the operator, not for the sender")
		}
		for _, f := range []func() (int, error){
			func() (int, error) { return s.Retry(ctx, 2) },
			func() (int, error) { return s.ResolveResend(ctx, 2) },
			func() (int, error) { return s.ResolveSkip(ctx, 2) },
		} {
			if n, err := f(); n != 0 || err != nil {
				t.Errorf("of an issue that is not there: %d, %v", n, err)
			}
		}
		gone := got(s.SubscriberByKey(ctx, "s2@example.com"))(t)
		must(t, s.SetSubscriberStatus(ctx, gone.ID, newsletter.SubscriberBounced, "550 no"))
		if n := got(s.Retry(ctx, 1))(t); n != 0 {
			t.Errorf("%d of somebody who gets no mail are tried again", n)
		}
		if diff := cmp.Diff(map[newsletter.SubscriberStatus]int{newsletter.SubscriberBounced: 1}, got(s.Failed(ctx, 1))(t)); diff != "" {
			t.Error("failed (-want +got):\n" + diff)
		}
		if diff := cmp.Diff([]store.Doubt{{Issue: 1, N: 2}}, got(s.InDoubt(ctx))(t)); diff != "" {
			t.Error("in doubt (-want +got):\n" + diff)
		}
		if !got(s.LiftBounce(ctx, "s2@example.com"))(t) {
			t.Error("the bounce is not lifted")
		}
		if n := got(s.Retry(ctx, 1))(t); n != 1 || finished(t, s) {
			t.Errorf("retry: %d, finished %v", n, finished(t, s))
		}
		if d := pending(t, s); len(d) != 1 || d[0].Email != "s2@example.com" || d[0].Attempts != 0 || !d[0].FirstAt.Equal(at(10)) {
			t.Errorf("pending after retry: %+v", d)
		}
		if n := got(s.ResolveResend(ctx, 1))(t); n != 2 {
			t.Errorf("resend: %d, want 2", n)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 4, Sent: 1, Pending: 3})
		settleAll(t, s, newsletter.DeliveryEnd{State: newsletter.DeliverySent, Attempts: 2})
		if !finished(t, s) {
			t.Error("not finished again")
		}
	})
}
