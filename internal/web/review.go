package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// Reviews takes the author's answers about issues to come.
type Reviews interface {
	// Review is what a token names; audience.ErrToken where it names nothing.
	Review(ctx context.Context, token string) (newsletter.Review, error)
	// Answer does the same, and what is answered unless there is an answer already
	// or the time is over.
	Answer(ctx context.Context, token string, answer newsletter.ReviewAnswer) (newsletter.Review, error)
}

const reviewPath = "/review/"

// askReview shows the page with the buttons. It changes nothing: scanners of mail
// open every link.
func (s *server) askReview(w http.ResponseWriter, r *http.Request) error {
	review, err := s.Reviews.Review(r.Context(), r.PathValue("token"))
	return s.reviewed(w, r, review, err)
}

func (s *server) answerReview(w http.ResponseWriter, r *http.Request) error {
	form, err := s.form(w, r)
	if err != nil {
		return err
	}
	answer := newsletter.ReviewAnswer(form.Get("do"))
	switch answer {
	case newsletter.ReviewHold, newsletter.ReviewSkip, newsletter.ReviewSend:
	default:
		return errBody
	}
	review, err := s.Reviews.Answer(r.Context(), r.PathValue("token"), answer)
	return s.reviewed(w, r, review, err)
}

func (s *server) reviewed(w http.ResponseWriter, r *http.Request, review newsletter.Review, err error) error {
	code := http.StatusOK
	page := render.Review{Review: review, Action: r.URL.EscapedPath(), Asked: newsletter.ReviewAnswer(r.URL.Query().Get("do"))}
	switch {
	case errors.Is(err, audience.ErrToken):
		code, page = http.StatusBadRequest, render.Review{Invalid: true}
	case err != nil:
		return err
	case review.Over && review.Answer == "":
		code = http.StatusGone
	}
	html, err := s.Templates().ReviewPage(s.Publication, page)
	if err != nil {
		return fmt.Errorf("render the page of a review: %w", err)
	}
	answerPage(w, code, html)
	return nil
}
