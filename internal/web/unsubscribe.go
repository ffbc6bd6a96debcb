package web

import (
	"errors"
	"fmt"
	"net/http"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// askUnsubscribe shows the page with the button. It changes nothing: scanners
// of mail open every link (RFC 8058, section 1).
func (s *server) askUnsubscribe(w http.ResponseWriter, r *http.Request) error {
	sub, err := s.Audience.Recipient(r.Context(), r.PathValue("token"))
	return s.answer(w, r, sub, err)
}

// unsubscribe takes the one-click request of RFC 8058, section 3.2, and the
// button of our page. Neither needs a cookie or an origin, for whoever knows
// the token may use it; so the body is read to its end and not asked for
// anything.
func (s *server) unsubscribe(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.form(w, r); err != nil {
		return err
	}
	sub, err := s.Audience.Unsubscribe(r.Context(), r.PathValue("token"))
	return s.answer(w, r, sub, err)
}

// answer shows how the subscription stands, or that the link is not valid.
func (s *server) answer(w http.ResponseWriter, r *http.Request, sub newsletter.Subscriber, err error) error {
	code := http.StatusOK
	page := render.Unsubscribe{Action: r.URL.EscapedPath(), Done: !audience.Subscribed(sub)}
	switch {
	case errors.Is(err, audience.ErrToken):
		code, page = http.StatusBadRequest, render.Unsubscribe{Invalid: true}
	case err != nil:
		return err
	case sub.Email != "":
		page.Email = audience.Mask(sub.Email)
	}
	html, err := s.Templates().UnsubscribePage(s.Publication, page)
	if err != nil {
		return fmt.Errorf("render the unsubscribe page: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	// The address of this page is a key; it must not reach other sites or an
	// index.
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	w.WriteHeader(code)
	_, _ = w.Write(html)
	return nil
}
