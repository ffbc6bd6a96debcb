package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func TestReviews(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		if _, err := s.Review(ctx, at(100)); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("a review of nothing: %v", err)
		}
		if err := s.AnswerReview(ctx, at(100), newsletter.ReviewHold); !errors.Is(err, newsletter.ErrNotFound) {
			t.Errorf("an answer to nothing: %v", err)
		}
		r := newsletter.Review{Slot: newsletter.Slot{Key: "slot", Due: at(100)}, Title: "A", Threads: []string{"a"}, MailedAt: at(10)}
		must(t, s.KeepReview(ctx, r))
		must(t, s.AnswerReview(ctx, r.Due, newsletter.ReviewSkip))
		if err := s.AnswerReview(ctx, r.Due, newsletter.ReviewSend); !errors.Is(err, newsletter.ErrTaken) {
			t.Errorf("a second answer: %v", err)
		}
		r.Title, r.Threads, r.MailedAt = "B", []string{"b", "c"}, at(20)
		must(t, s.KeepReview(ctx, r))
		r.Answer = newsletter.ReviewSkip
		if diff := cmp.Diff(r, got(s.Review(ctx, r.Due))(t)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]newsletter.Review{r}, got(s.AnsweredReviews(ctx))(t)); diff != "" {
			t.Error(diff)
		}
		must(t, s.ReviewDone(ctx, r.Due))
		if list := got(s.AnsweredReviews(ctx))(t); len(list) > 0 {
			t.Errorf("left: %v", list)
		}
	})
}

func TestAfterSiteDue(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		for _, due := range []bool{true, false, true} { // at first nobody has set it
			if is := got(s.AfterSiteDue(t.Context()))(t); is != due {
				t.Errorf("due %t, want %t", is, due)
			}
			must(t, s.SetAfterSiteDue(t.Context(), !due))
		}
	})
}
