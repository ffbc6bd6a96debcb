package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// A skipped slot cannot be published, whatever was decided before, and one that
// is over cannot be skipped.
func TestSkips(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		before := got(s.Revision(ctx))(t)
		must(t, s.Skip(ctx, *slotAt(20), at(5)))
		must(t, s.Skip(ctx, *slotAt(10), at(5)))
		must(t, s.Skip(ctx, *slotAt(10), at(5)))
		if got(s.Revision(ctx))(t) == before {
			t.Error("the site is not written anew, which names the next issue")
		}
		wantSkips := func(what string, want ...newsletter.Slot) {
			t.Helper()
			if diff := cmp.Diff(want, got(s.Skips(ctx))(t)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		wantSkips("two slots", *slotAt(10), *slotAt(20))
		issue := newsletter.Issue{Number: 1, Slug: "a", Title: "A", Subject: "A", PublishedAt: at(10)}
		if _, err := s.Publish(ctx, issue, slotAt(10), newsletter.Snapshot{}, 10); !errors.Is(err, newsletter.ErrTaken) {
			t.Errorf("an issue for a skipped slot: %v, want ErrTaken", err)
		}
		must(t, s.ClaimSlot(ctx, *slotAt(10), newsletter.SlotSkipped, at(10)))
		for _, change := range []error{s.Skip(ctx, *slotAt(10), at(11)), s.Unskip(ctx, *slotAt(10), at(11))} {
			if !errors.Is(change, newsletter.ErrSlotOver) {
				t.Errorf("a change of one that is over: %v, want ErrSlotOver", change)
			}
		}
		if err := s.Unskip(ctx, *slotAt(30), at(11)); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("undo of one that is not skipped: %v, want ErrNotFound", err)
		}
		must(t, s.Skip(ctx, *slotAt(30), at(11)))
		wantSkips("the one that passed is forgotten", *slotAt(20), *slotAt(30))
		must(t, s.Unskip(ctx, *slotAt(20), at(11)))
		wantSkips("one was taken back", *slotAt(30))
	})
}

// The calendar's address has a key once somebody asked for it, and only one.
func TestCalendarKey(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if _, err := s.CalendarKey(ctx); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("nobody asked yet: %v, want ErrNotFound", err)
		}
		must(t, s.MakeCalendarKey(ctx, false))
		first := got(s.CalendarKey(ctx))(t)
		must(t, s.MakeCalendarKey(ctx, false))
		if diff := cmp.Diff(first, got(s.CalendarKey(ctx))(t)); diff != "" {
			t.Errorf("asked again (-want +got):\n%s", diff)
		}
		must(t, s.MakeCalendarKey(ctx, true))
		if again := got(s.Keys(ctx, store.KeyCalendar))(t); len(again) != 1 || string(again[0].Secret) == string(first.Secret) {
			t.Errorf("renewed: %d keys, or the same", len(again))
		}
	})
}
