package store_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func TestAddSubscribers(t *testing.T) {
	const (
		pending      = newsletter.SubscriberPending
		active       = newsletter.SubscriberActive
		unsubscribed = newsletter.SubscriberUnsubscribed
		bounced      = newsletter.SubscriberBounced
		complained   = newsletter.SubscriberComplained
	)
	type sub = newsletter.Subscriber
	for _, tt := range []struct {
		name     string
		old, add sub
		result   newsletter.AddResult
		want     sub
	}{
		{"the same again", sub{Name: "Ada", Status: active}, sub{Name: "Ada", Status: active}, newsletter.Unchanged, sub{Name: "Ada", Status: active}},
		{"a name for none", sub{Status: active}, sub{Name: "Ada", Status: active}, newsletter.Completed, sub{Name: "Ada", Status: active}},
		{"another name", sub{Name: "Ada", Status: active}, sub{Name: "A.", Status: active}, newsletter.Unchanged, sub{Name: "Ada", Status: active}},
		{"more tags", sub{Status: active, Tags: []string{"a"}}, sub{Status: active, Tags: []string{"b", "a"}}, newsletter.Completed, sub{Status: active, Tags: []string{"a", "b"}}},
		{"pending becomes active", sub{Status: pending}, sub{Status: active}, newsletter.Completed, sub{Status: active}},
		{"active stays active", sub{Status: active}, sub{Status: pending}, newsletter.Unchanged, sub{Status: active}},
		{"left elsewhere", sub{Status: active}, sub{Status: unsubscribed}, newsletter.Completed, sub{Status: unsubscribed}},
		{"bounced elsewhere", sub{Status: pending}, sub{Status: bounced}, newsletter.Completed, sub{Status: bounced}},
		{"never raised", sub{Status: unsubscribed}, sub{Status: active}, newsletter.Kept, sub{Status: unsubscribed}},
		{"never raised, with a name", sub{Status: complained}, sub{Name: "Ada", Status: active}, newsletter.Kept, sub{Name: "Ada", Status: complained}},
		{"never changed", sub{Status: bounced}, sub{Status: unsubscribed}, newsletter.Kept, sub{Status: bounced}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, s *store.Store) {
				ctx, tt := t.Context(), tt // each has its own
				for _, p := range []*sub{&tt.old, &tt.add, &tt.want} {
					p.Key, p.Email, p.CreatedAt = "ada@example.com", "Ada@example.com", at(1)
				}
				tt.add.Email, tt.add.CreatedAt = "ADA@example.com", at(9)
				results := got(s.AddSubscribers(ctx, []sub{tt.old, tt.add}))(t)
				if diff := cmp.Diff([]newsletter.AddResult{newsletter.Added, tt.result}, results); diff != "" {
					t.Error(diff)
				}
				have := got(s.SubscriberByKey(ctx, "ada@example.com"))(t)
				if tt.want.ID = have.ID; tt.want.Tags == nil {
					tt.want.Tags = []string{}
				}
				if diff := cmp.Diff(tt.want, have); diff != "" {
					t.Error(diff)
				}
				if diff := cmp.Diff(have, got(s.Subscriber(ctx, have.ID))(t)); diff != "" {
					t.Error("by id:", diff)
				}
			})
		})
	}
}

func TestSetSubscriberStatus(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 2)
		first := got(s.SubscriberByKey(ctx, "s1@example.com"))(t)
		must(t, s.SetSubscriberStatus(ctx, first.ID, newsletter.SubscriberSuppressed, "asked"))
		must(t, s.SetSubscriberStatus(ctx, first.ID, newsletter.SubscriberSuppressed, "asked again"))
		if sub := got(s.Subscriber(ctx, first.ID))(t); sub.Status != newsletter.SubscriberSuppressed {
			t.Errorf("status %s", sub.Status)
		}
		if err := s.SetSubscriberStatus(ctx, 99, newsletter.SubscriberSuppressed, ""); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		if _, err := s.Subscriber(ctx, 99); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		if _, err := s.SubscriberByKey(ctx, "nobody"); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("nobody: %v", err)
		}
		want := map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 1, newsletter.SubscriberSuppressed: 1}
		if diff := cmp.Diff(want, got(s.CountSubscribers(ctx))(t)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSubscribers(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		for range s.Subscribers(ctx) {
			t.Error("somebody is there")
		}
		for _, n := range []int{999, 1000, 2001} { // around the size of a page
			addPeople(t, s, n)
			var last int64
			count := 0
			for sub, err := range s.Subscribers(ctx) {
				must(t, err)
				if sub.ID <= last {
					t.Fatalf("subscriber %d comes after %d", sub.ID, last)
				}
				last = sub.ID
				count++
			}
			if count != n {
				t.Errorf("%d subscribers, want %d", count, n)
			}
		}
		for range s.Subscribers(ctx) {
			break // a reader may stop early
		}
		canceled, cancel := context.WithCancel(ctx)
		cancel()
		errs := 0
		for _, err := range s.Subscribers(canceled) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("after a stop: %v", err)
			}
			errs++
		}
		if errs != 1 {
			t.Errorf("%d errors, want one", errs)
		}
	})
}

// Only a bounce is lifted, and not once the operator removed the mailbox.
func TestLiftBounce(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 6)
		for key, status := range map[string]newsletter.SubscriberStatus{
			"s1@example.com": newsletter.SubscriberBounced,
			"s2@example.com": newsletter.SubscriberUnsubscribed,
			"s3@example.com": newsletter.SubscriberComplained,
			"s4@example.com": newsletter.SubscriberSuppressed,
		} {
			sub := got(s.SubscriberByKey(ctx, key))(t)
			must(t, s.SetSubscriberStatus(ctx, sub.ID, status, "for a test"))
		}
		sub := got(s.SubscriberByKey(ctx, "s5@example.com"))(t)
		must(t, s.SetSubscriberStatus(ctx, sub.ID, newsletter.SubscriberSuppressed, "bounced"))
		for key, want := range map[string]bool{
			"s1@example.com": true, "s2@example.com": false, "s3@example.com": false, "s4@example.com": false,
			"s5@example.com": true, "s6@example.com": false, "nobody": false,
		} {
			if lifted := got(s.LiftBounce(ctx, key))(t); lifted != want {
				t.Errorf("%s: lifted %v, want %v", key, lifted, want)
			}
		}
		must(t, s.SetSubscriberStatus(ctx, sub.ID, newsletter.SubscriberSuppressed, "bounced"))
		got(s.Suppress(ctx, "s5@example.com", "removed"))(t)
		if got(s.LiftBounce(ctx, "s5@example.com"))(t) {
			t.Error("a removed mailbox is brought back")
		}
	})
}
