package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

const (
	signUpPath = "subscribe" // below the site
	// trapField is in our own forms, where nobody sees it; a machine fills it.
	trapField = "website"
	// retryAfter is when somebody may try again for whom there were too many
	// sign-ups, in seconds.
	retryAfter = 3600
)

// signUp takes the form, from our pages or from anybody's. What it answers for a
// proper address does not depend on who has it.
func (s *server) signUp(w http.ResponseWriter, r *http.Request) error {
	fields, err := s.form(w, r)
	if err != nil {
		return err
	}
	page := render.SignUp{Email: strings.TrimSpace(fields.Get("email"))}
	code := http.StatusOK
	if fields.Get(trapField) == "" {
		from := s.request(r, origin(r))
		from.Stamp, from.Proof = fields.Get("stamp"), fields.Get("proof")
		err = s.SignUps.Ask(r.Context(), page.Email, fields.Get("name"), fields["tags"], from)
	}
	switch {
	case errors.Is(err, audience.ErrAgain):
		code, page.Name, page.Tags = http.StatusPreconditionRequired, fields.Get("name"), fields["tags"]
		s.again(w.Header(), &page)
	case errors.Is(err, audience.ErrTooMany):
		code, page.Busy = http.StatusTooManyRequests, true
		w.Header().Set("Retry-After", strconv.Itoa(retryAfter))
	case isAddressError(err):
		code, page.Bad, page.Stamp = http.StatusUnprocessableEntity, true, s.SignUps.Stamp("")
	case err != nil:
		return err
	}
	if wantsJSON(r) {
		return answerJSON(w, code, page)
	}
	html, err := s.Templates().SignUpPage(s.Publication, page)
	if err != nil {
		return fmt.Errorf("render the answer to a sign-up: %w", err)
	}
	answerPage(w, code, html)
	return nil
}

func isAddressError(err error) bool {
	_, ok := errors.AsType[*audience.AddressError](err)
	return ok
}

// request is where a form came from, with what our pages say beside it.
func (s *server) request(r *http.Request, form string) audience.Request {
	return audience.Request{Form: form, From: s.clientAddr(r), Text: s.Templates().Agreement(s.Publication)}
}

// origin names the page of a form: our own by its path, another site by its
// host.
func origin(r *http.Request) string {
	u, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || u.Host == "" || u.Host == r.Host {
		return "/" + signUpPath
	}
	return u.Host
}

// wantsJSON tells whether whoever asks names JSON before pages.
func wantsJSON(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "text/html")
}

// signUpAnswer is the answer for a script. The form is to be sent again with the
// stamp where there is one, and with a proof where that needs bits.
type signUpAnswer struct {
	Status string `json:"status"`
	Stamp  string `json:"stamp,omitempty"`
	Bits   int    `json:"bits,omitempty"`
}

func answerJSON(w http.ResponseWriter, code int, page render.SignUp) error {
	answer := signUpAnswer{Status: "look_into_your_mail"}
	switch {
	case page.Again:
		answer = signUpAnswer{"again", page.Stamp, page.Bits}
	case page.Bad:
		answer.Status = "bad_address"
	case page.Busy:
		answer.Status = "too_many"
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Access-Control-Allow-Origin", "*") // it is the same for everybody
	w.WriteHeader(code)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// answerPage writes a page that is somebody's own.
func answerPage(w http.ResponseWriter, code int, html []byte) {
	h := w.Header()
	private(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(html)))
	w.WriteHeader(code)
	_, _ = w.Write(html)
}

// askConfirm shows the page with the button. It changes nothing: scanners of
// mail open every link.
func (s *server) askConfirm(w http.ResponseWriter, r *http.Request) error {
	_, err := s.SignUps.Asked(r.Context(), r.PathValue("token"))
	return s.answerConfirm(w, render.Confirm{Action: r.URL.EscapedPath()}, err)
}

// confirm takes the button. Whoever knows the token may press it, as often as
// they like.
func (s *server) confirm(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.form(w, r); err != nil {
		return err
	}
	sub, err := s.SignUps.Confirm(r.Context(), r.PathValue("token"), s.request(r, "/confirm"))
	if err != nil {
		return s.answerConfirm(w, render.Confirm{}, err)
	}
	page := render.Confirm{Done: true, Email: audience.Mask(sub.Email)}
	if s.Next != nil {
		page.Next = s.Templates().Day(s.Publication, s.Next())
	}
	return s.answerConfirm(w, page, nil)
}

func (s *server) answerConfirm(w http.ResponseWriter, page render.Confirm, err error) error {
	code := http.StatusOK
	switch {
	case errors.Is(err, audience.ErrToken), errors.Is(err, newsletter.ErrNotFound):
		code, page = http.StatusBadRequest, render.Confirm{Invalid: true}
	case err != nil:
		return err
	}
	html, err := s.Templates().ConfirmPage(s.Publication, page)
	if err != nil {
		return fmt.Errorf("render the page to confirm: %w", err)
	}
	answerPage(w, code, html)
	return nil
}
