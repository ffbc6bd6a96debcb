package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func TestEvents(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		addPeople(t, s, 3)
		asked := newsletter.SubscriberEvent{Subscriber: 1, At: at(1), Kind: newsletter.EventAsked, Form: "/subscribe", Network: "abc", Text: "Send me \x00mail"}
		left := newsletter.SubscriberEvent{Subscriber: 1, At: at(2), Kind: newsletter.EventUnsubscribed, Issue: 7}
		other := newsletter.SubscriberEvent{Subscriber: 2, At: at(1), Kind: newsletter.EventAdded}
		for _, e := range []newsletter.SubscriberEvent{asked, other, left} {
			must(t, s.AddEvent(ctx, e))
		}
		asked.Text = "Send me \ufffdmail"
		have := got(s.Events(ctx, 1))(t)
		if diff := cmp.Diff([]newsletter.SubscriberEvent{asked, left}, have, cmpopts.IgnoreFields(newsletter.SubscriberEvent{}, "ID")); diff != "" {
			t.Error(diff)
		}
		must(t, s.AddEvent(ctx, newsletter.SubscriberEvent{Subscriber: 3, Kind: newsletter.EventAdded}))
		if have := got(s.Events(ctx, 3))(t); len(have) != 1 || have[0].At.IsZero() {
			t.Errorf("without a time: %+v", have)
		}
		must(t, s.AddEvent(ctx, newsletter.SubscriberEvent{Subscriber: 4, Kind: newsletter.EventBounced, Text: "of nobody"}))
		if have := got(s.Events(ctx, 4))(t); len(have) != 0 {
			t.Errorf("of somebody who is not there: %+v", have)
		}
	})
}
