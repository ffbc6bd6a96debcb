package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func TestFigures(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		none := got(s.Figures(t.Context()))(t)
		if none.Last.Number != 0 || none.Deliveries.Recipients != 0 {
			t.Errorf("of nothing: %+v", none)
		}
		publish(t, s, 5, 2)
		list := pending(t, s)
		journal(t, s, nil, list[0].ID, at(6))
		journal(t, s, ended(list[0].ID, newsletter.DeliverySent), list[1].ID, at(6))
		journal(t, s, ended(list[1].ID, newsletter.DeliveryFailed), 0, at(6))
		must(t, s.Warn(t.Context(), "slot", "it could not be published"))
		want := newsletter.Figures{
			Subscribers: map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 5},
			Deliveries:  newsletter.Counts{Recipients: 5, Pending: 3, Sent: 1, Failed: 1},
			Reports:     map[string]int{},
			Warnings:    map[string]int{"slot": 1},
		}
		want.Last.Number, want.Last.PublishedAt, want.Last.Counts = 1, at(5), want.Deliveries
		if diff := cmp.Diff(want, got(s.Figures(t.Context()))(t)); diff != "" {
			t.Errorf("figures (-want +got):\n%s", diff)
		}
	})
}

// BenchmarkFigures reads them from a list of 100,000.
func BenchmarkFigures(b *testing.B) {
	s := open(b, b.TempDir()+"/t.db")
	publish(b, s, 100_000, 500)
	for b.Loop() {
		if _, err := s.Figures(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
