package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

const adaKey, adaEmail = "ada@example.org", "Ada@example.org"

// lovelace is somebody with a row in every table that may hold something of a
// person. Others stand before and after her.
func lovelace(t *testing.T, s *store.Store) newsletter.Subscriber {
	t.Helper()
	ctx := t.Context()
	got(s.AddSubscribers(ctx, []newsletter.Subscriber{person("first"), {
		Key: adaKey, Email: adaEmail, Name: "Ada Lovelace", Status: newsletter.SubscriberActive, Tags: []string{"mathematics"}, CreatedAt: at(0),
	}}))(t)
	sub := got(s.SubscriberByKey(ctx, adaKey))(t)
	publish(t, s, 0, 10)
	for _, d := range pending(t, s) {
		if d.Subscriber == sub.ID {
			journal(t, s, []newsletter.DeliveryEnd{{ID: d.ID, State: newsletter.DeliveryDeferred, Attempts: 1, NextAt: at(90), Code: 450, Answer: "450 <Ada@example.org>: Lovelace is busy"}}, 0, at(9))
		}
	}
	must(t, s.AddEvent(ctx, newsletter.SubscriberEvent{Subscriber: sub.ID, At: at(1), Kind: newsletter.EventAsked, Text: "Ada Lovelace asked"}))
	must(t, s.SetPreferences(ctx, sub.ID, newsletter.Preferences{Name: "Ada Lovelace", Frequency: newsletter.FrequencyMonthly, Wants: []string{"engines"}, PausedUntil: at(3)},
		newsletter.SubscriberEvent{At: at(2), Kind: newsletter.EventPreferences}))
	must(t, s.AskMove(ctx, sub.ID, "lovelace@example.com", "lovelace@example.com", at(0), 3))
	must(t, s.Warn(ctx, "test", "550 <Ada@example.org>: no"))
	return sub
}

// everything is all rows of all tables as text, or the file of the database.
func everything(t *testing.T, s *store.Store) string {
	t.Helper()
	if s.Pool() == nil {
		db := got(sql.Open("sqlite", s.Path()))(t)
		_ = got(db.ExecContext(t.Context(), `VACUUM`))(t)
		_ = got(db.ExecContext(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`))(t)
		must(t, db.Close())
		var all bytes.Buffer
		for _, end := range []string{"", "-wal"} {
			text, err := os.ReadFile(s.Path() + end)
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
			all.Write(text)
		}
		return all.String()
	}
	var names []string
	must(t, s.Pool().QueryRow(t.Context(), `SELECT array_agg(relname::text) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace`).Scan(&names))
	var all strings.Builder
	for _, name := range names {
		var text *string
		must(t, s.Pool().QueryRow(t.Context(), `SELECT string_agg(t::text, E'\n') FROM "`+name+`" t`).Scan(&text))
		if text != nil {
			all.WriteString(*text)
		}
	}
	return all.String()
}

// TestForget leaves no word of a person in any table, and nobody but themselves
// brings them back.
func TestForget(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		sub := lovelace(t, s)
		words := []string{"ada@", "lovelace", "mathematics", "engines"}
		for _, w := range words {
			if !strings.Contains(strings.ToLower(everything(t, s)), w) {
				t.Errorf("there is no %q to begin with", w)
			}
		}
		for _, known := range []bool{true, false} { // the second time there is nobody
			if got(s.Forget(ctx, adaKey, adaEmail))(t) != known {
				t.Errorf("known is not %v", known)
			}
		}
		all := strings.ToLower(everything(t, s))
		for _, w := range words {
			if strings.Contains(all, w) {
				t.Errorf("%q is left", w)
			}
		}
		if _, err := s.History(ctx, sub.ID); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("the history is left: %v", err)
		}
		row := got(s.Issue(ctx, 1))(t)
		if row.Recipients != 2 {
			t.Errorf("the issue has %d recipients left", row.Recipients)
		}
		wantForgotten(t, s)
	})
}

// wantForgotten tries all that the operator may do to bring Ada back.
func wantForgotten(t *testing.T, s *store.Store) {
	t.Helper()
	ctx := t.Context()
	if !got(s.Forgotten(ctx, adaKey))(t) || got(s.Forgotten(ctx, "eve@example.org"))(t) {
		t.Error("who was forgotten is not known")
	}
	again := newsletter.Subscriber{Key: adaKey, Email: adaEmail, Status: newsletter.SubscriberActive}
	results := got(s.AddSubscribers(ctx, []newsletter.Subscriber{again, person("eve"), again}))(t)
	if diff := cmp.Diff([]newsletter.AddResult{newsletter.Kept, newsletter.Added, newsletter.Kept}, results); diff != "" {
		t.Error("added again:", diff)
	}
	if got(s.Suppress(ctx, adaKey, "removed"))(t) || got(s.LiftBounce(ctx, adaKey))(t) {
		t.Error("removed or lifted")
	}
	eve := got(s.SubscriberByKey(ctx, "eve@example.com"))(t)
	must(t, s.AskMove(ctx, eve.ID, adaEmail, adaKey, at(0), 3))
	if strings.Contains(strings.ToLower(everything(t, s)), adaKey) {
		t.Error("her address came back")
	}
	if _, err := s.SubscriberByKey(ctx, adaKey); !errors.Is(err, newsletter.ErrNotFound) {
		t.Errorf("she came back: %v", err)
	}
	must(t, s.Recall(ctx, adaKey))
	if results := got(s.AddSubscribers(ctx, []newsletter.Subscriber{again}))(t); results[0] != newsletter.Added {
		t.Errorf("after her own word: %s", results[0])
	}
}

// TestForgetCancels keeps what is pending for somebody who is forgotten while
// an issue goes out, and gives their number to nobody.
func TestForgetCancels(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 2, 10)
		list := pending(t, s)
		_ = got(s.Forget(ctx, "s2@example.com", "s2@example.com"))(t)
		_ = got(s.AddSubscribers(ctx, []newsletter.Subscriber{person("eve")}))(t)
		if eve := got(s.SubscriberByKey(ctx, "eve@example.com"))(t); eve.ID <= list[1].Subscriber {
			t.Errorf("eve has the number %d, which was taken", eve.ID)
		}
		goes := got(s.Journal(ctx, []newsletter.JournalEntry{{Next: list[0].ID, At: at(10)}, {Next: list[1].ID, At: at(10)}}))(t)
		if diff := cmp.Diff([]bool{true, false}, goes); diff != "" {
			t.Error(diff)
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 2, Canceled: 1, Pending: 1})
	})
}

func TestHistory(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		sub := lovelace(t, s)
		sub.Name = "Ada Lovelace"
		want := newsletter.History{
			Subscriber:  sub,
			Preferences: newsletter.Preferences{Name: "Ada Lovelace", Frequency: newsletter.FrequencyMonthly, Wants: []string{"engines"}, PausedUntil: at(3)},
			Events: []newsletter.SubscriberEvent{
				{Subscriber: sub.ID, At: at(1), Kind: newsletter.EventAsked, Text: "Ada Lovelace asked"},
				{Subscriber: sub.ID, At: at(2), Kind: newsletter.EventPreferences},
			},
			Deliveries: []newsletter.PastDelivery{{Issue: 1, Title: "Issue 1", State: newsletter.DeliveryDeferred, Attempts: 1, Code: 450, Answer: "450 <Ada@example.org>: Lovelace is busy"}},
			Letters:    []newsletter.PastLetter{{Kind: newsletter.LetterMove, Email: "lovelace@example.com"}},
		}
		have := got(s.History(t.Context(), sub.ID))(t)
		if diff := cmp.Diff(want, have, cmpopts.IgnoreFields(newsletter.SubscriberEvent{}, "ID"), cmpopts.IgnoreFields(newsletter.PastDelivery{}, "FirstAt", "ChangedAt"),
			cmpopts.IgnoreFields(newsletter.PastLetter{}, "CreatedAt"), cmpopts.IgnoreFields(newsletter.History{}, "StatusAt")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLeaveAndReturn(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 1)
		id := got(s.SubscriberByKey(ctx, "s1@example.com"))(t).ID
		left := newsletter.SubscriberEvent{Kind: newsletter.EventUnsubscribed, Issue: 3}
		back := newsletter.SubscriberEvent{Kind: newsletter.EventResubscribed}
		do := func(change func(context.Context, int64, string, newsletter.SubscriberEvent) (bool, error), e newsletter.SubscriberEvent, changed bool, status newsletter.SubscriberStatus) {
			t.Helper()
			if got(change(ctx, id, "link in issue 3", e))(t) != changed {
				t.Errorf("%s: changed is not %v", e.Kind, changed)
			}
			if now := got(s.Subscriber(ctx, id))(t).Status; now != status {
				t.Errorf("%s: the status is %s", e.Kind, now)
			}
		}
		do(s.Return, back, false, newsletter.SubscriberActive)
		do(s.Leave, left, true, newsletter.SubscriberUnsubscribed)
		do(s.Leave, left, false, newsletter.SubscriberUnsubscribed)
		do(s.Return, back, true, newsletter.SubscriberActive)
		if n := len(got(s.Events(ctx, id))(t)); n != 2 {
			t.Errorf("%d events", n)
		}
		for _, gone := range []newsletter.SubscriberStatus{newsletter.SubscriberBounced, newsletter.SubscriberComplained, newsletter.SubscriberSuppressed} {
			must(t, s.SetSubscriberStatus(ctx, id, gone, "test"))
			do(s.Return, back, false, gone)
			do(s.Leave, left, false, gone)
		}
	})
}

func TestMoveSubscriber(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 2)
		_ = got(s.Suppress(ctx, "never@example.com", "removed"))(t)
		id := got(s.SubscriberByKey(ctx, "s1@example.com"))(t).ID
		since := time.Now().Add(-time.Hour)
		for _, to := range []string{"s2@example.com", "never@example.com", "a@example.com", "b@example.com", "c@example.com"} {
			must(t, s.AskMove(ctx, id, to, to, since, 4))
		}
		var letters []string
		for _, l := range got(s.History(ctx, id))(t).Letters {
			letters = append(letters, string(l.Kind)+" "+l.Email)
		}
		if diff := cmp.Diff([]string{"silent ", "silent ", "move a@example.com", "move b@example.com"}, letters); diff != "" {
			t.Error("letters:", diff)
		}
		e := newsletter.SubscriberEvent{Kind: newsletter.EventMoved}
		for _, taken := range []string{"s2@example.com", "never@example.com"} {
			if err := s.MoveSubscriber(ctx, id, taken, taken, e); !errors.Is(err, newsletter.ErrAddressTaken) {
				t.Errorf("to %s: %v", taken, err)
			}
		}
		must(t, s.SetSubscriberStatus(ctx, id, newsletter.SubscriberBounced, "test"))
		for range 2 {
			must(t, s.MoveSubscriber(ctx, id, "B@example.com", "b@example.com", e))
		}
		sub := got(s.Subscriber(ctx, id))(t)
		if sub.Email != "B@example.com" || sub.Key != "b@example.com" || sub.Status != newsletter.SubscriberActive || len(got(s.Events(ctx, id))(t)) != 1 {
			t.Errorf("moved: %+v", sub)
		}
		if err := s.MoveSubscriber(ctx, 99, "x@example.com", "x@example.com", e); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// Whoever was forgotten comes back by answering a mail that they asked for.
func TestForgottenSignsUp(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		_ = got(s.Forget(ctx, adaKey, adaEmail))(t)
		asked := time.Now().Truncate(time.Millisecond)
		if kind := got(s.SignUp(ctx, newsletter.SignUp{Email: adaEmail, Key: adaKey, At: asked, PerDay: 3}))(t); kind != newsletter.LetterConfirm {
			t.Fatalf("the letter is %q", kind)
		}
		// Until then the operator can do no more than before.
		again := newsletter.Subscriber{Key: adaKey, Email: adaEmail, Status: newsletter.SubscriberActive}
		if results := got(s.AddSubscribers(ctx, []newsletter.Subscriber{again}))(t); results[0] != newsletter.Kept {
			t.Errorf("added: %s", results[0])
		}
		sub := got(s.SubscriberByKey(ctx, adaKey))(t)
		if sub.Status != newsletter.SubscriberPending {
			t.Errorf("the status is %s", sub.Status)
		}
		_ = got(s.Confirm(ctx, newsletter.Confirmation{Subscriber: sub.ID, Asked: asked, Since: asked.Add(-time.Hour), At: time.Now()}))(t)
		if got(s.Forgotten(ctx, adaKey))(t) || got(s.Subscriber(ctx, sub.ID))(t).Status != newsletter.SubscriberActive {
			t.Error("she is still forgotten")
		}
	})
}

// What the relay says of a message that was under way when its owner was
// forgotten does not bring them back.
func TestForgetUnderWay(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ada := person("ada")
		got(s.AddSubscribers(t.Context(), []newsletter.Subscriber{ada}))(t)
		publish(t, s, 0, 10)
		d := pending(t, s)[0]
		journal(t, s, nil, d.ID, at(9))
		got(s.Forget(t.Context(), ada.Key, ada.Email))(t)
		end := newsletter.DeliveryEnd{ID: d.ID, State: newsletter.DeliveryFailed, Attempts: 1, Code: 550, Answer: ada.Email + ": no", Bounce: newsletter.BounceDead}
		journal(t, s, []newsletter.DeliveryEnd{end}, 0, at(9))
		if strings.Contains(everything(t, s), ada.Email) {
			t.Error("the address is there again")
		}
		wantCounts(t, s, newsletter.Counts{Recipients: 1, Failed: 1})
	})
}
