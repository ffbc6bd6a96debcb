package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

const week = 7 * 24 * time.Hour

func asks(email string, when time.Time) newsletter.SignUp {
	return newsletter.SignUp{Email: email, Key: email, Name: "Jo", Tags: []string{"web"}, At: when, Form: "/subscribe", Network: "n", Text: "Mail.", PerDay: 3}
}

func says(sub int64, asked, when time.Time) newsletter.Confirmation {
	return newsletter.Confirmation{Subscriber: sub, Asked: asked, Since: when.Add(-week), At: when, Form: "/confirm", Network: "m", Text: "I agree."}
}

func kinds(list []newsletter.SubscriberEvent) string {
	var s []string
	for _, e := range list {
		s = append(s, string(e.Kind))
	}
	return strings.Join(s, " ")
}

func TestSignUpAndConfirm(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		now := time.Now().UTC().Truncate(time.Millisecond)
		if kind := got(s.SignUp(ctx, asks("jo@example.org", now)))(t); kind != newsletter.LetterConfirm {
			t.Errorf("somebody new gets the letter %q", kind)
		}
		sub := got(s.SubscriberByKey(ctx, "jo@example.org"))(t)
		if sub.Status != newsletter.SubscriberPending || sub.Name != "Jo" || !sub.CreatedAt.Equal(now) || len(sub.Tags) != 1 {
			t.Errorf("they are %+v", sub)
		}
		for name, c := range map[string]newsletter.Confirmation{
			"another letter": says(sub.ID, now.Add(time.Millisecond), now), "another person": says(sub.ID+1, now, now),
			"a letter that is too old": says(sub.ID, now, now.Add(week)),
		} {
			if _, err := s.Asked(ctx, c); !errors.Is(err, newsletter.ErrNotFound) {
				t.Errorf("%s asked: %v", name, err)
			}
			if _, err := s.Confirm(ctx, c); !errors.Is(err, newsletter.ErrNotFound) {
				t.Errorf("%s confirms: %v", name, err)
			}
		}
		if who := got(s.Asked(ctx, says(sub.ID, now, now)))(t); who.Status != newsletter.SubscriberPending {
			t.Errorf("a look makes them %s", who.Status)
		}
		for range 2 {
			if who := got(s.Confirm(ctx, says(sub.ID, now, now.Add(time.Hour))))(t); who.Status != newsletter.SubscriberActive || who.Email != sub.Email {
				t.Errorf("confirmed as %+v", who)
			}
		}
		events := got(s.Events(ctx, sub.ID))(t)
		if kinds(events) != "asked confirmed" || events[1].Text != "I agree." || events[1].Network != "m" || !events[1].At.Equal(now.Add(time.Hour)) {
			t.Errorf("their history is %+v", events)
		}
		if l, err := s.TakeLetter(ctx, time.Minute); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("the letter %+v, %v leaves after the confirmation", l, err)
		}
		must(t, s.SetSubscriberStatus(ctx, sub.ID, newsletter.SubscriberUnsubscribed, "link in issue 1"))
		if _, err := s.Confirm(ctx, says(sub.ID, now, now)); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("an old letter undoes a goodbye: %v", err)
		}
	})
}

func TestWhoGetsWhichLetter(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		now := time.Now().UTC().Truncate(time.Millisecond)
		tests := []struct {
			status newsletter.SubscriberStatus
			want   newsletter.LetterKind
			after  newsletter.SubscriberStatus // of a confirmation
		}{
			{newsletter.SubscriberActive, newsletter.LetterKnown, ""},
			{newsletter.SubscriberUnsubscribed, newsletter.LetterConfirm, newsletter.SubscriberActive},
			{newsletter.SubscriberBounced, newsletter.LetterConfirm, newsletter.SubscriberActive},
			{newsletter.SubscriberComplained, newsletter.LetterConfirm, newsletter.SubscriberActive},
			{newsletter.SubscriberSuppressed, newsletter.LetterSilent, ""},
		}
		for _, tt := range tests {
			email := string(tt.status) + "@example.org"
			got(s.AddSubscribers(ctx, []newsletter.Subscriber{{Email: email, Key: email, Status: newsletter.SubscriberActive, CreatedAt: now}}))(t)
			sub := got(s.SubscriberByKey(ctx, email))(t)
			must(t, s.SetSubscriberStatus(ctx, sub.ID, tt.status, "test"))
			when := time.Now().Truncate(time.Millisecond).Add(time.Second)
			if kind := got(s.SignUp(ctx, asks(email, when)))(t); kind != tt.want {
				t.Errorf("%s: the letter is %q, want %q", tt.status, kind, tt.want)
			}
			if sub = got(s.SubscriberByKey(ctx, email))(t); sub.Status != tt.status || sub.Name != "" {
				t.Errorf("%s: the form made them %+v", tt.status, sub)
			}
			_, err := s.Confirm(ctx, says(sub.ID, when, when))
			if sub = got(s.SubscriberByKey(ctx, email))(t); (err == nil) != (tt.after != "") || tt.after != "" && sub.Status != tt.after {
				t.Errorf("%s: a confirmation gives %v and makes them %s", tt.status, err, sub.Status)
			}
		}
		// Of somebody who was removed and is not on the list nothing is kept.
		got(s.Suppress(ctx, "gone@example.org", "removed by the operator"))(t)
		for range 5 {
			if kind := got(s.SignUp(ctx, asks("gone@example.org", now)))(t); kind != newsletter.LetterSilent {
				t.Errorf("the letter is %q", kind)
			}
		}
		if _, err := s.SubscriberByKey(ctx, "gone@example.org"); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("they are on the list: %v", err)
		}
	})
}

// An address that refused mail is asked once in a month, any other as often a
// day as the limit says and ten times a month, however often the form is sent.
func TestLettersToOneAddress(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		now := time.Now()
		count := func(email string, days int) string {
			var list []string
			for day := range days {
				for i := range 5 {
					kind := got(s.SignUp(ctx, asks(email, now.Add(time.Duration(day)*24*time.Hour+time.Duration(i)*time.Second))))(t)
					list = append(list, fmt.Sprintf("%.1s", kind))
				}
				list = append(list, "|")
			}
			return strings.Join(list, "")
		}
		if diff := cmp.Diff("ccc|ccc|", count("new@example.org", 2)); diff != "" {
			t.Error(diff)
		}
		if got := count("weary@example.org", 30); strings.Count(got, "c") != 10 {
			t.Errorf("a stranger has us write %s", got)
		}
		got(s.AddSubscribers(ctx, []newsletter.Subscriber{{Email: "known@example.org", Key: "known@example.org", Status: newsletter.SubscriberActive}}))(t)
		if got := count("known@example.org", 30); strings.Count(got, "k") != 10 {
			t.Errorf("a stranger has us write %s", got)
		}
		got(s.AddSubscribers(ctx, []newsletter.Subscriber{{Email: "b@example.org", Key: "b@example.org", Status: newsletter.SubscriberBounced}}))(t)
		if diff := cmp.Diff("css|sss|", count("b@example.org", 2)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLetters(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		take := func() newsletter.Letter {
			t.Helper()
			l, err := s.TakeLetter(ctx, time.Hour)
			if err != nil && !errors.Is(err, newsletter.ErrNotFound) {
				t.Fatal(err)
			}
			return l
		}
		past := time.Now().Add(-time.Minute)
		first := got(s.AddLetter(ctx, newsletter.Letter{Subscriber: 1, Kind: newsletter.LetterKnown, CreatedAt: past}))(t)
		got(s.AddLetter(ctx, newsletter.Letter{Subscriber: 1, Kind: newsletter.LetterSilent, CreatedAt: past}))(t)
		l := take()
		if l.ID != first || l.Attempts != 1 || l.CreatedAt.IsZero() {
			t.Errorf("due is %+v", l)
		}
		if l := take(); l.ID != 0 {
			t.Errorf("%+v is taken twice", l)
		}
		if n, since, err := s.WaitingLetters(ctx); n != 1 || !since.Equal(past.Truncate(time.Millisecond)) || err != nil {
			t.Errorf("%d letters wait since %s, %v", n, since, err)
		}
		must(t, s.LetterLater(ctx, first, past, "421 busy", true))
		if l := take(); l.ID != first || l.Attempts != 2 {
			t.Errorf("due is %+v", l)
		}
		must(t, s.LetterLater(ctx, first, past, "paused", false))
		if l := take(); l.ID != first || l.Attempts != 2 {
			t.Errorf("due is %+v", l)
		}
		must(t, s.LetterSent(ctx, first))
		second := got(s.AddLetter(ctx, newsletter.Letter{Subscriber: 1, Kind: newsletter.LetterMove, Email: "new@example.org", CreatedAt: past}))(t)
		if l := take(); l.ID != second || l.Email != "new@example.org" {
			t.Errorf("due is %+v", l)
		}
		must(t, s.LetterOver(ctx, second, "550 no"))
		if l := take(); l.ID != 0 {
			t.Errorf("%+v is due", l)
		}
		if n, since, err := s.WaitingLetters(ctx); n != 0 || !since.IsZero() || err != nil {
			t.Errorf("%d letters wait since %s, %v", n, since, err)
		}
	})
}

func TestRemindOnceAndForget(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		now := time.Now().UTC().Truncate(time.Millisecond)
		asked := now.Add(-25 * time.Hour)
		for _, email := range []string{"slow@example.org", "done@example.org", "unsent@example.org"} {
			got(s.SignUp(ctx, asks(email, asked)))(t)
		}
		got(s.SignUp(ctx, asks("new@example.org", now)))(t)
		slow, done := got(s.SubscriberByKey(ctx, "slow@example.org"))(t), got(s.SubscriberByKey(ctx, "done@example.org"))(t)
		for range 2 {
			must(t, s.LetterSent(ctx, got(s.TakeLetter(ctx, time.Hour))(t).ID))
		}
		got(s.Confirm(ctx, says(done.ID, asked, asked)))(t)
		remind := func() int64 { return got(s.Remind(ctx, now.Add(-24*time.Hour), now.Add(-week)))(t) }
		if n := remind(); n != 1 {
			t.Errorf("%d are reminded", n)
		}
		if n := remind(); n != 0 {
			t.Errorf("%d are reminded again", n)
		}
		if n := got(s.ForgetPending(ctx, asked.Add(-time.Second)))(t); n != 0 {
			t.Errorf("%d are forgotten too early", n)
		}
		if n := got(s.ForgetPending(ctx, asked.Add(time.Second)))(t); n != 1 { // unsent: the reminder of slow is younger
			t.Errorf("%d are forgotten", n)
		}
		if n := got(s.ForgetPending(ctx, time.Now().Add(time.Minute)))(t); n != 2 {
			t.Errorf("%d are forgotten", n)
		}
		for _, id := range []int64{slow.ID} {
			if _, err := s.Subscriber(ctx, id); !errors.Is(err, newsletter.ErrNotFound) {
				t.Errorf("%d is there: %v", id, err)
			}
			if events := got(s.Events(ctx, id))(t); len(events) > 0 {
				t.Errorf("%d has the history %v", id, events)
			}
		}
		if sub := got(s.Subscriber(ctx, done.ID))(t); sub.Status != newsletter.SubscriberActive {
			t.Errorf("who confirmed is %s", sub.Status)
		}
	})
}

// Tokens hold the number of a subscriber, so whoever signs up before and after
// somebody else must not see by their own numbers whether that one was known.
func TestNumbersTellNobody(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx, now := t.Context(), time.Now()
		number := func(email string) int64 {
			got(s.SignUp(ctx, asks(email, now)))(t)
			return got(s.SubscriberByKey(ctx, email))(t).ID
		}
		number("known@example.org")
		got(s.Suppress(ctx, "removed@example.org", "removed by the operator"))(t)
		last := number("a@example.org")
		for i, who := range []string{"known@example.org", "new@example.org", "removed@example.org", "removed@example.org"} {
			got(s.SignUp(ctx, asks(who, now)))(t)
			next := number(string(rune('b'+i)) + "@example.org")
			if next-last != 2 {
				t.Errorf("after %s the number is %d behind %d", who, next, last)
			}
			last = next
		}
	})
}
