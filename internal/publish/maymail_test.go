package publish_test

import (
	"context"
	"errors"
	"testing"

	"threadmill/internal/publish"
)

// TestMayMail keeps mail back at a slot, which is taken when mail may leave.
func TestMayMail(t *testing.T) {
	inTime(t, func(t *testing.T) {
		d := newDesk(t, weekly)
		d.threads(1)
		d.subscribers(1)
		d.write("threads/2026-02-01-page.md", "---\nparams: {channels: [web]}\n---\n\nA thread for the web alone, of which no mail is made.\n")
		fault := errors.New("nobody could unsubscribe")
		o := d.options(weekly)
		o.MayMail = func(context.Context) error { return fault }
		d.Publisher = publish.New(o)
		until("2000-01-03T09:00:00Z")
		for range 2 {
			if got, err := d.PublishDue(t.Context(), ""); !errors.Is(err, fault) || got.Issue != nil {
				t.Fatalf("due: %v, %v", got, err)
			}
			if got, err := d.PublishNow(t.Context(), "", false); !errors.Is(err, fault) || got.Issue != nil {
				t.Fatalf("now: %v, %v", got, err)
			}
		}
		until("2000-01-04T09:00:00Z")
		fault = nil
		if got, err := d.PublishDue(t.Context(), ""); err != nil || got.Issue == nil || got.Issue.Slot == "" || got.Recipients != 1 {
			t.Errorf("afterwards: %v, %v", got, err)
		}
		fault = errors.New("nobody could unsubscribe")
		if got, err := d.PublishNow(t.Context(), "", false); err != nil || got.Issue == nil {
			t.Errorf("by the web alone: %v, %v", got, err)
		}
	})
}
