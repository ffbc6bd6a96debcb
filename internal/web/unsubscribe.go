package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// The places of the pages behind the links in mails, below each base.
const (
	unsubscribePath = "/unsubscribe/"
	preferencesPath = "/preferences/"
)

// askUnsubscribe shows the page with the button. It changes nothing: scanners
// of mail open every link (RFC 8058, section 1).
func (s *server) askUnsubscribe(w http.ResponseWriter, r *http.Request) error {
	sub, err := s.Audience.Recipient(r.Context(), r.PathValue("token"))
	return s.goodbye(w, r, sub, render.Unsubscribe{}, err)
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
	return s.goodbye(w, r, sub, render.Unsubscribe{Fresh: true}, err)
}

// goodbye shows how the subscription stands, or that the link is not valid.
func (s *server) goodbye(w http.ResponseWriter, r *http.Request, sub newsletter.Subscriber, page render.Unsubscribe, err error) error {
	code := http.StatusOK
	page.Action, page.Done = s.beside(r, unsubscribePath), !audience.Subscribed(sub)
	switch {
	case errors.Is(err, audience.ErrToken):
		code, page = http.StatusBadRequest, render.Unsubscribe{Invalid: true}
	case err != nil:
		return err
	case sub.Email != "":
		page.Email, page.Choose, page.Return = audience.Mask(sub.Email), s.beside(r, preferencesPath), audience.MayReturn(sub)
	}
	html, err := s.Templates().UnsubscribePage(s.Publication, page)
	if err != nil {
		return fmt.Errorf("render the unsubscribe page: %w", err)
	}
	answerPage(w, code, html)
	return nil
}

// beside is the path of another page that the token of a request opens.
func (s *server) beside(r *http.Request, place string) string {
	path := r.URL.EscapedPath()
	for _, here := range []string{unsubscribePath, preferencesPath} {
		if i := strings.LastIndex(path, here); i >= 0 {
			return path[:i] + place + path[i+len(here):]
		}
	}
	return path
}

// private are the headers of an answer that is somebody's own: no cache and no
// index keeps it, and its address, which may be a key, reaches no other site.
func private(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
}
