package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// told is a report of a kind and class about an issue of a subscriber.
func told(subscriber, issue int64, kind newsletter.ReportKind, class newsletter.Bounce) newsletter.Report {
	return newsletter.Report{
		Digest: fmt.Sprint(subscriber, issue, kind, class), At: at(int(issue)), Subscriber: subscriber, Issue: issue,
		Kind: kind, Class: class, Source: "smtp", Status: "5.0.0", Text: "550 no",
	}
}

func wantOutcome(t testing.TB, s *store.Store, r newsletter.Report, want newsletter.ReportOutcome) {
	t.Helper()
	if outcome := got(s.TakeReport(t.Context(), r))(t); outcome != want {
		t.Errorf("%s %s about %d in issue %d: %s, want %s", r.Class, r.Kind, r.Subscriber, r.Issue, outcome, want)
	}
}

func wantStatus(t testing.TB, s *store.Store, subscriber int64, want newsletter.SubscriberStatus) {
	t.Helper()
	if sub := got(s.Subscriber(t.Context(), subscriber))(t); sub.Status != want {
		t.Errorf("subscriber %d is %s, want %s", subscriber, sub.Status, want)
	}
}

// sendIssues publishes issues 1 to n to everybody and sends them.
func sendIssues(t testing.TB, s *store.Store, n int) {
	t.Helper()
	for i := range int64(n) {
		_, err := s.Publish(t.Context(), issueOf(i+1), nil, snap, 10)
		must(t, err)
		must(t, s.SiteWritten(t.Context(), []int64{i + 1}))
		for _, d := range pending(t, s) {
			journal(t, s, nil, d.ID, at(1))
			journal(t, s, ended(d.ID, newsletter.DeliverySent), 0, at(1))
		}
		for _, b := range got(s.OpenBatches(t.Context(), 10))(t) {
			must(t, s.CloseBatch(t.Context(), b))
		}
	}
}

func TestTakeReport(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 5)
		sendIssues(t, s, 1)
		dead := told(1, 1, newsletter.ReportBounce, newsletter.BounceDead)
		dead.Text = "550 no \x00such user"
		wantOutcome(t, s, dead, newsletter.ReportBounced)
		wantOutcome(t, s, dead, newsletter.ReportTwice)
		wantOutcome(t, s, told(2, 1, newsletter.ReportComplaint, ""), newsletter.ReportComplained)
		wantOutcome(t, s, told(3, 1, newsletter.ReportDelay, ""), newsletter.ReportNoted)
		wantOutcome(t, s, told(3, 1, newsletter.ReportBounce, newsletter.BouncePolicy), newsletter.ReportNoted)
		wantOutcome(t, s, told(99, 1, newsletter.ReportBounce, newsletter.BounceDead), newsletter.ReportIgnored)
		for id, want := range map[int64]newsletter.SubscriberStatus{1: newsletter.SubscriberBounced, 2: newsletter.SubscriberComplained, 3: newsletter.SubscriberActive} {
			wantStatus(t, s, id, want)
		}
		must(t, s.SetSubscriberStatus(ctx, 4, newsletter.SubscriberUnsubscribed, "asked"))
		wantOutcome(t, s, told(4, 1, newsletter.ReportBounce, newsletter.BounceDead), newsletter.ReportBounced)
		wantStatus(t, s, 4, newsletter.SubscriberUnsubscribed)

		dead.Text = "550 no \ufffdsuch user"
		if diff := cmp.Diff([]newsletter.Report{dead}, got(s.Reports(ctx, 1))(t), cmpopts.IgnoreFields(newsletter.Report{}, "ID")); diff != "" {
			t.Error(diff)
		}
		events := got(s.Events(ctx, 2))(t)
		if len(events) != 1 || events[0].Kind != newsletter.EventComplained || events[0].Issue != 1 {
			t.Errorf("events %+v", events)
		}
		row := got(s.Issue(ctx, 1))(t)
		if row.Bounced != 3 || row.Complained != 1 || row.Sent != 5 {
			t.Errorf("issue 1: %d bounced, %d complained of %+v", row.Bounced, row.Complained, row.Counts)
		}
		if n, words, err := s.Blamed(ctx, at(0)); n != 1 || words != "550 no" || err != nil {
			t.Errorf("blamed %d, %q, %v", n, words, err)
		}
		if n := got(s.LastSent(ctx, 1))(t) + got(s.LastIssue(ctx))(t); n != 2 {
			t.Error("the last issue is another one")
		}
	})
}

// A mailbox that is full for a few issues in a row loses them, one that was
// full now and then does not.
func TestReportsAreCountedOverIssues(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		s.SuppressAfter(3)
		addPeople(t, s, 2)
		sendIssues(t, s, 6)
		full, soft := newsletter.BounceFull, newsletter.BounceSoft
		wantOutcome(t, s, told(1, 1, newsletter.ReportBounce, full), newsletter.ReportCounted)
		wantOutcome(t, s, told(1, 1, newsletter.ReportBounce, soft), newsletter.ReportNoted) // the same issue
		wantOutcome(t, s, told(1, 2, newsletter.ReportBounce, soft), newsletter.ReportCounted)
		wantBounces(t, s, 1, 2)
		wantOutcome(t, s, told(1, 3, newsletter.ReportBounce, full), newsletter.ReportBounced)
		wantStatus(t, s, 1, newsletter.SubscriberBounced)
		for _, issue := range []int64{1, 2, 4, 5} { // 3 arrived
			wantOutcome(t, s, told(2, issue, newsletter.ReportBounce, full), newsletter.ReportCounted)
		}
		wantBounces(t, s, 2, 2)
		wantStatus(t, s, 2, newsletter.SubscriberActive)
		wantOutcome(t, s, told(2, 6, newsletter.ReportBounce, full), newsletter.ReportBounced)
	})
}

// A refusal during SMTP counts, and what is reported of it later does not count
// again, in either order.
func TestReportOfFailedDelivery(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		s.SuppressAfter(2)
		publish(t, s, 2, 10)
		list := pending(t, s)
		full := newsletter.DeliveryEnd{ID: list[0].ID, State: newsletter.DeliveryFailed, Attempts: 1, Code: 552, Bounce: newsletter.BounceFull}
		end(t, s, full)
		wantOutcome(t, s, told(list[0].Subscriber, 1, newsletter.ReportBounce, newsletter.BounceFull), newsletter.ReportNoted)
		wantBounces(t, s, list[0].Subscriber, 1)
		wantOutcome(t, s, told(list[1].Subscriber, 1, newsletter.ReportBounce, newsletter.BounceFull), newsletter.ReportCounted)
		full.ID = list[1].ID
		end(t, s, full)
		wantBounces(t, s, list[1].Subscriber, 1)
		if row := got(s.Issue(t.Context(), 1))(t); row.Bounced != 0 || row.Failed != 2 {
			t.Errorf("%d bounced, %d failed, want 0 and 2", row.Bounced, row.Failed)
		}
	})
}

// Mail to somebody who complained during the send does not leave.
func TestComplaintDuringTheSend(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		publish(t, s, 1, 10)
		d := pending(t, s)[0]
		wantOutcome(t, s, told(d.Subscriber, 0, newsletter.ReportComplaint, ""), newsletter.ReportComplained)
		if journal(t, s, nil, d.ID, at(5)) {
			t.Error("the mail leaves")
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 1, Canceled: 1})
	})
}

// That an address is none which a subscriber has left says nothing about the one
// that they have now.
func TestReportsAfterMove(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 4)
		sendIssues(t, s, 1)
		_, err := s.Publish(ctx, issueOf(2), nil, snap, 10)
		must(t, err)
		must(t, s.SiteWritten(ctx, []int64{2}))
		list := pending(t, s) // with the address as it was
		for id := range int64(3) {
			email := fmt.Sprintf("new%d@example.com", id+1)
			must(t, s.MoveSubscriber(ctx, id+1, email, email, newsletter.SubscriberEvent{Kind: newsletter.EventMoved}))
		}
		wantOutcome(t, s, told(1, 1, newsletter.ReportBounce, newsletter.BounceDead), newsletter.ReportNoted)
		unknown := told(2, 0, newsletter.ReportBounce, newsletter.BounceDead)
		unknown.At = time.Now().Add(24 * time.Hour)
		wantOutcome(t, s, unknown, newsletter.ReportNoted)
		now := time.Now()
		journal(t, s, nil, list[2].ID, now)
		journal(t, s, []newsletter.DeliveryEnd{{ID: list[2].ID, State: newsletter.DeliveryFailed, Attempts: 1, Code: 550, Answer: "no", Bounce: newsletter.BounceDead}}, 0, now)
		for id := range int64(3) {
			wantStatus(t, s, id+1, newsletter.SubscriberActive)
		}

		unknown.At, unknown.Digest = unknown.At.Add(30*24*time.Hour), "later"
		wantOutcome(t, s, unknown, newsletter.ReportBounced)
		wantOutcome(t, s, told(3, 1, newsletter.ReportComplaint, ""), newsletter.ReportComplained)
		wantOutcome(t, s, told(4, 1, newsletter.ReportBounce, newsletter.BounceDead), newsletter.ReportBounced)
	})
}

// Several reports about one delivery that come at once count once.
func TestReportsAtOnce(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		addPeople(t, s, 10)
		sendIssues(t, s, 1)
		var all sync.WaitGroup
		for id := range int64(10) {
			for _, class := range []newsletter.Bounce{newsletter.BounceFull, newsletter.BounceSoft} {
				all.Go(func() {
					if _, err := s.TakeReport(t.Context(), told(id+1, 1, newsletter.ReportBounce, class)); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
		for id := range int64(10) {
			if n := got(s.History(t.Context(), id+1))(t).Bounces; n != 1 {
				t.Errorf("subscriber %d: %d bounces, want 1", id+1, n)
			}
		}
	})
}
