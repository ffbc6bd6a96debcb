package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// sendAll sends whatever is pending of an issue, and returns to whom.
func sendAll(t testing.TB, s *store.Store, issue int64) (names []string) {
	t.Helper()
	for _, b := range got(s.OpenBatches(t.Context(), 100))(t) {
		if b.Issue != issue {
			continue
		}
		for _, d := range got(s.TakeBatch(t.Context(), b))(t) {
			if journal(t, s, nil, d.ID, at(10)) {
				journal(t, s, ended(d.ID, newsletter.DeliverySent), 0, at(10))
				names = append(names, d.Name)
			}
		}
		must(t, s.CloseBatch(t.Context(), b))
	}
	return names
}

func idOf(t testing.TB, s *store.Store, name string) int64 {
	t.Helper()
	return got(s.SubscriberByKey(t.Context(), person(name).Key))(t).ID
}

func TestSendIssue(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 3, 2)
		sendAll(t, s, 1)
		if row := got(s.Issue(ctx, 1))(t); row.FinishedAt.IsZero() {
			t.Fatal("the issue is not finished")
		}
		left := person("left")
		left.Status = newsletter.SubscriberUnsubscribed
		_, err := s.AddSubscribers(ctx, []newsletter.Subscriber{person("new"), left, person("gone")})
		must(t, err)
		_, err = s.Suppress(ctx, person("gone").Key, "asked")
		must(t, err)
		all := []int64{idOf(t, s, "new"), idOf(t, s, "left"), idOf(t, s, "gone"), idOf(t, s, "s1"), 999}
		if n := got(s.SendIssue(ctx, 1, all...))(t); n != 1 {
			t.Errorf("%d more get it, want 1", n)
		}
		row := got(s.Issue(ctx, 1))(t)
		if want := (newsletter.Counts{Recipients: 4, Pending: 1, Sent: 3}); row.Counts != want || !row.FinishedAt.IsZero() {
			t.Errorf("counts %+v, want %+v; finished %v", row.Counts, want, row.FinishedAt)
		}
		if diff := cmp.Diff([]string{"new"}, sendAll(t, s, 1)); diff != "" {
			t.Error("sent:", diff)
		}
		for range 2 { // a third time it goes to nobody
			if n := got(s.SendIssue(ctx, 1, all...))(t); n != 0 {
				t.Errorf("%d get it twice", n)
			}
		}
		row = got(s.Issue(ctx, 1))(t)
		if want := (newsletter.Counts{Recipients: 4, Sent: 4}); row.Counts != want || row.FinishedAt.IsZero() {
			t.Errorf("counts %+v, want %+v; finished %v", row.Counts, want, row.FinishedAt)
		}
		if _, err := s.SendIssue(ctx, 9, 1); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("an issue that is not there: %v", err)
		}
		_, err = s.WithdrawIssue(ctx, 1)
		must(t, err)
		if _, err := s.SendIssue(ctx, 1, all...); !errors.Is(err, store.ErrWithdrawn) {
			t.Errorf("a withdrawn issue: %v", err)
		}
		_, err = s.Publish(ctx, issueOf(2), nil, newsletter.Snapshot{}, 2)
		must(t, err)
		if _, err := s.Missed(ctx, 2); !errors.Is(err, store.ErrNotMailed) {
			t.Errorf("an issue without a mail: %v", err)
		}
	})
}

func TestSendMissed(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 2)
		issue := issueOf(1)
		issue.Topics = []string{"go"}
		got(s.Publish(ctx, issue, nil, snap, 2))(t)
		must(t, s.SiteWritten(ctx, []int64{1}))
		sendAll(t, s, 1)
		addWishful(t, s) // among them those who would not have got it
		missed := []string{"anna", "ben", "carla", "femi", "gina"}
		if n := len(got(s.Missed(ctx, 1))(t)); n != len(missed) {
			t.Errorf("%d missed it", n)
		}
		if n := got(s.SendMissed(ctx, 1, 2))(t); n != len(missed) {
			t.Errorf("it went to %d", n)
		}
		if diff := cmp.Diff(missed, sendAll(t, s, 1)); diff != "" {
			t.Error("sent:", diff)
		}
		if n := got(s.SendMissed(ctx, 1, 2))(t); n != 0 {
			t.Errorf("it went to %d again", n)
		}
		if n := got(s.LatestIssue(ctx))(t); n != 1 {
			t.Errorf("the latest issue is %d", n)
		}
	})
}

func TestWelcome(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 1)
		for i, name := range []string{"first", "second", "members"} {
			th := thread(name, fmt.Sprint("Thread ", i))
			addThreads(t, s, th)
			issue := issueOf(int64(i+1), th)
			if name == "members" {
				issue.To = newsletter.Segment{name}
			}
			got(s.Publish(ctx, issue, nil, snap, 2))(t)
		}
		must(t, s.SiteWritten(ctx, []int64{1, 2, 3}))
		sendAll(t, s, 1)
		sendAll(t, s, 2)
		addThreads(t, s, thread("unsent", "Nobody has it."))
		member := person("member")
		member.Tags = []string{"members"}
		_, err := s.AddSubscribers(ctx, []newsletter.Subscriber{person("a"), person("b"), person("c"), member})
		must(t, err)
		must(t, s.Welcome(ctx, idOf(t, s, "a"), ""))
		must(t, s.Welcome(ctx, idOf(t, s, "a"), "unsent"))
		must(t, s.Welcome(ctx, idOf(t, s, "b"), "first"))
		must(t, s.Welcome(ctx, idOf(t, s, "b"), "members"))
		must(t, s.Welcome(ctx, idOf(t, s, "c"), store.WelcomeLatest))
		must(t, s.Welcome(ctx, idOf(t, s, "c"), store.WelcomeLatest))
		must(t, s.Welcome(ctx, idOf(t, s, "member"), store.WelcomeLatest))
		_, err = s.WithdrawIssue(ctx, 2)
		must(t, err)
		must(t, s.Welcome(ctx, idOf(t, s, "a"), store.WelcomeLatest))
		want := map[int64][]string{1: {"b", "a"}, 3: {"member"}}
		for issue := range int64(3) {
			if diff := cmp.Diff(want[issue+1], sendAll(t, s, issue+1)); diff != "" {
				t.Errorf("issue %d: %s", issue+1, diff)
			}
		}
	})
}

// Who confirms is welcomed in the same transaction, and once.
func TestConfirmWelcomes(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 1, 2)
		sendAll(t, s, 1)
		u := asks("new@example.com", at(20))
		u.Name = "new"
		got(s.SignUp(ctx, u))(t)
		c := says(idOf(t, s, "new"), at(20), at(21))
		c.Welcome = store.WelcomeLatest
		for range 2 {
			got(s.Confirm(ctx, c))(t)
		}
		if diff := cmp.Diff([]string{"new"}, sendAll(t, s, 1)); diff != "" {
			t.Error("sent:", diff)
		}
	})
}

// What is asked for after an issue is published counts for the next one.
func TestPausedAfterPublishing(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		publish(t, s, 2, 2)
		must(t, s.Exec(t.Context(), `UPDATE subscribers SET paused_until = $1`, time.Now().Add(time.Hour).UnixMilli()))
		if n := len(sendAll(t, s, 1)); n != 2 {
			t.Errorf("%d sent, want 2", n)
		}
		if n := got(s.Publish(t.Context(), newsletter.Issue{Number: 2, PublishedAt: time.Now()}, nil, snap, 2))(t); n != 0 {
			t.Errorf("%d get the next one", n)
		}
	})
}

// Who gets an issue long after it was published has as much time as others had.
func TestSendIssueHeld(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 1, 10)
		sendAll(t, s, 1)
		got(s.AddSubscribers(ctx, []newsletter.Subscriber{person("new")}))(t)
		got(s.SendIssue(ctx, 1, idOf(t, s, "new")))(t)
		for want, before := range []time.Time{time.Now().Add(-time.Hour), time.Now().Add(time.Hour)} {
			if n := got(s.GiveUpHeld(ctx, newsletter.Hold{Reason: "451 later"}, before, 10))(t); n != want {
				t.Errorf("%d are given up, want %d", n, want)
			}
		}
	})
}
