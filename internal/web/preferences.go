package web

import (
	"context"
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

// askPreferences shows what a reader chose, the question before all is erased,
// or the one whether an address is to be used. It changes nothing.
func (s *server) askPreferences(w http.ResponseWriter, r *http.Request) error {
	ctx, token := r.Context(), r.PathValue("token")
	if _, email, err := s.Audience.Moving(ctx, token); !errors.Is(err, audience.ErrToken) {
		return s.choose(w, r, audience.Reader{Subscriber: newsletter.Subscriber{Email: email}}, render.Preferences{Step: render.StepMove}, err)
	}
	reader, err := s.Audience.Reader(ctx, token)
	page := render.Preferences{}
	if r.URL.Query().Has("erase") {
		page.Step = render.StepErase
	}
	return s.choose(w, r, reader, page, err)
}

// deeds are what the forms of these pages ask for.
func (s *server) deeds() map[string]deed {
	return map[string]deed{
		"save": s.save, "resume": s.resume, "download": s.download, "erase": s.erase, "move": s.move,
		"return": s.comeBack, "pause": s.pause, "tell": s.tell,
	}
}

type deed func(w http.ResponseWriter, r *http.Request, token string, fields url.Values) error

// preferences does what a form asks for; one that asks for nothing known is
// answered as if it were only looked at.
func (s *server) preferences(w http.ResponseWriter, r *http.Request) error {
	fields, err := s.form(w, r)
	if err != nil {
		return err
	}
	do, known := s.deeds()[fields.Get("do")]
	if !known {
		return s.askPreferences(w, r)
	}
	return do(w, r, r.PathValue("token"), fields)
}

func (s *server) save(w http.ResponseWriter, r *http.Request, token string, fields url.Values) error {
	weeks, _ := strconv.Atoi(fields.Get("weeks"))
	topics, err := s.topics(r.Context(), nil)
	if err != nil {
		return err
	}
	wish := audience.Wish{
		Name: fields.Get("name"), Frequency: newsletter.Frequency(fields.Get("often")), Wants: tickedOf(topics, fields["topic"]),
		Pause: audience.Pause(fields.Get("pause")), Weeks: weeks, Address: strings.TrimSpace(fields.Get("email")),
	}
	reader, err := s.Audience.Save(r.Context(), token, wish)
	page := render.Preferences{Saved: true, Asked: wish.Address}
	if _, bad := errors.AsType[*audience.AddressError](err); bad {
		page.Asked, page.Refused, err = "", wish.Address, nil
	}
	return s.choose(w, r, reader, page, err)
}

// resume ends a pause.
func (s *server) resume(w http.ResponseWriter, r *http.Request, token string, _ url.Values) error {
	_, _, err := s.Audience.PauseFor(r.Context(), token, 0)
	if err != nil {
		return s.choose(w, r, audience.Reader{}, render.Preferences{}, err)
	}
	reader, err := s.Audience.Reader(r.Context(), token)
	return s.choose(w, r, reader, render.Preferences{Saved: true}, err)
}

func (s *server) download(w http.ResponseWriter, r *http.Request, token string, _ url.Values) error {
	all, err := s.Audience.Download(r.Context(), token)
	if err != nil || all == nil {
		return s.choose(w, r, audience.Reader{}, render.Preferences{}, err)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("write what is kept of a subscriber: %w", err)
	}
	private(w.Header())
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="subscription.json"`)
	_, _ = w.Write(append(text, '\n'))
	return nil
}

func (s *server) erase(w http.ResponseWriter, r *http.Request, token string, _ url.Values) error {
	err := s.Audience.Erase(r.Context(), token)
	return s.choose(w, r, audience.Reader{}, render.Preferences{Step: render.StepErased}, err)
}

// move uses the address that a letter asked about.
func (s *server) move(w http.ResponseWriter, r *http.Request, token string, _ url.Values) error {
	sub, err := s.Audience.Move(r.Context(), token)
	page := render.Preferences{Step: render.StepMoved}
	if errors.Is(err, newsletter.ErrAddressTaken) {
		page.Step, err = render.StepTaken, nil
	}
	return s.choose(w, r, audience.Reader{Subscriber: sub}, page, err)
}

// comeBack undoes a goodbye, at once or later. Whoever left during a pause finds
// it where it can be ended, since nothing comes before.
func (s *server) comeBack(w http.ResponseWriter, r *http.Request, token string, _ url.Values) error {
	sub, err := s.Audience.Resubscribe(r.Context(), token)
	if err == nil && audience.Subscribed(sub) {
		reader, err := s.Audience.Reader(r.Context(), token)
		if err != nil || reader.Paused() {
			return s.choose(w, r, reader, render.Preferences{Back: true}, err)
		}
	}
	return s.goodbye(w, r, sub, render.Unsubscribe{Back: audience.Subscribed(sub)}, err)
}

// shortPause is the pause that stands beside the goodbye, in weeks.
const shortPause = 4

func (s *server) pause(w http.ResponseWriter, r *http.Request, token string, _ url.Values) error {
	sub, until, err := s.Audience.PauseFor(r.Context(), token, shortPause)
	return s.goodbye(w, r, sub, render.Unsubscribe{PausedUntil: until}, err)
}

// tell keeps why somebody left.
func (s *server) tell(w http.ResponseWriter, r *http.Request, token string, fields url.Values) error {
	words := strings.Trim(fields.Get("reason")+": "+fields.Get("words"), ": ")
	sub, err := s.Audience.Tell(r.Context(), token, words)
	return s.goodbye(w, r, sub, render.Unsubscribe{Thanks: true}, err)
}

// choose shows what a reader chose, or another step. Somebody of whom nothing is
// kept has nothing to choose.
func (s *server) choose(w http.ResponseWriter, r *http.Request, reader audience.Reader, page render.Preferences, err error) error {
	code := http.StatusOK
	switch {
	case errors.Is(err, audience.ErrToken):
		code, page = http.StatusBadRequest, render.Preferences{Step: render.StepBad}
	case err != nil:
		return err
	case reader.Email == "":
		page = render.Preferences{Step: render.StepErased}
	case page.Step == render.StepForm:
		if page, err = s.chosen(r.Context(), reader, page); err != nil {
			return err
		}
	}
	page.Action, page.Leave = s.beside(r, preferencesPath), s.beside(r, unsubscribePath)
	if reader.Email != "" {
		page.Email = audience.Mask(reader.Email)
	}
	if page.Step == render.StepMove || page.Step == render.StepMoved {
		page.Email = reader.Email // whoever opened this reads that mailbox
	}
	html, err := s.Templates().PreferencesPage(s.Publication, page)
	if err != nil {
		return fmt.Errorf("render the preferences: %w", err)
	}
	answerPage(w, code, html)
	return nil
}

// chosen fills the form.
func (s *server) chosen(ctx context.Context, reader audience.Reader, page render.Preferences) (render.Preferences, error) {
	page.Name, page.Monthly = reader.Chosen.Name, reader.Chosen.Frequency == newsletter.FrequencyMonthly
	page.Left, page.Return = !audience.Subscribed(reader.Subscriber), audience.MayReturn(reader.Subscriber)
	if reader.Paused() {
		if page.Open = reader.Chosen.PausedUntil.Equal(newsletter.UntilLifted); !page.Open {
			page.PausedUntil = reader.Chosen.PausedUntil
		}
	}
	var err error
	page.Topics, err = s.topics(ctx, reader.Chosen.Wants)
	return page, err
}

// maxTopics bounds how many tags are offered.
const maxTopics = 100

// topics are the tags of the threads that are out, with those wanted turned on.
func (s *server) topics(ctx context.Context, wanted []string) ([]render.Option, error) {
	if s.Tags == nil {
		return nil, nil
	}
	names, err := s.Tags(ctx)
	if err != nil {
		return nil, err
	}
	on := map[string]bool{}
	for _, name := range wanted {
		on[newsletter.TagPath(name)] = true
	}
	var list []render.Option
	for _, name := range names[:min(len(names), maxTopics)] {
		path := newsletter.TagPath(name)
		list = append(list, render.Option{Value: path, Title: name, On: on[path]})
	}
	return list, nil
}

// tickedOf are the names of the tags that a form has ticked.
func tickedOf(topics []render.Option, ticked []string) []string {
	is := map[string]bool{}
	for _, value := range ticked {
		is[value] = true
	}
	var names []string
	for _, t := range topics {
		if is[t.Value] {
			names = append(names, t.Title)
		}
	}
	return names
}
