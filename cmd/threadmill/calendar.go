package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"threadmill/internal/audience"
	"threadmill/internal/calendar"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
)

const (
	// calendarSlots is how many slots a calendar has unless somebody says it.
	calendarSlots = 52
	// calendarRefresh is how often who subscribes to it should look again.
	calendarRefresh = time.Hour
	calendarPath    = "/calendar/"
	calendarEnd     = ".ics"
)

// calendar is the plan of the slots after a time. Days of schedule.except are not
// in it: nothing was ever to come on them.
func (p *publication) calendar(planned []publish.Planned, now time.Time) calendar.Calendar {
	c := calendar.Calendar{Name: p.facts.Title, Stamp: now, Refresh: calendarRefresh}
	for _, s := range planned {
		if s.Out != newsletter.SlotExcepted {
			c.Events = append(c.Events, p.calendarEvent(s))
		}
	}
	return c
}

func (p *publication) calendarEvent(s publish.Planned) calendar.Event {
	key := s.Key
	if s.Month != "" {
		key = "month " + s.Month
	}
	sum := sha256.Sum256([]byte(key)) // a key has characters that few expect in a UID
	e := calendar.Event{UID: hex.EncodeToString(sum[:12]) + "@" + p.facts.Host(), At: s.Due, Status: calendar.Confirmed}
	switch {
	case s.Out != "" || s.Paused:
		e.Status, e.Summary = calendar.Canceled, p.facts.Title+": no issue"
		e.Text = "paused"
		if s.Out != "" {
			e.Text = outText(s.Out)
		}
	case len(s.Threads) == 0:
		e.Status, e.Summary, e.Text = calendar.Tentative, p.facts.Title+": no thread is ready", "Write one, or skip the slot."
	default:
		e.Summary = plannedTitle(s)
		var lines []string
		for _, t := range s.Threads {
			lines = append(lines, t.Title+" ("+t.Counts()+")")
		}
		e.Text = strings.Join(lines, "\n")
	}
	return e
}

// upcoming are the next slots, and the digest of the month among them.
func (p *publication) upcoming(ctx context.Context, from time.Time, n int) ([]publish.Planned, error) {
	planned, err := p.publisher.Upcoming(ctx, from, n)
	if err != nil {
		return nil, err
	}
	return p.publisher.WithMonth(ctx, from, planned)
}

// calendarAddress is where a calendar program finds the calendar. anew makes
// another one, and ends the one before.
func (p *publication) calendarAddress(ctx context.Context, anew bool) (string, error) {
	if p.Web.Listen == "" {
		return "", p.wrong("web.listen", errors.New("is off, so nobody would answer at the address of the calendar; `threadmill next --ics` writes it"))
	}
	if err := p.store.MakeCalendarKey(ctx, anew); err != nil {
		return "", err
	}
	k, err := p.store.CalendarKey(ctx)
	if err != nil {
		return "", err
	}
	return p.Web.URL + calendarPath + calendarTokens(k).SignFor(audience.PurposeCalendar, 0, 0) + calendarEnd, nil
}

// calendarTokens sign and verify the address of the calendar by its newest key
// alone, so that another key ends it.
func calendarTokens(k store.Key) *audience.Tokens { return audience.NewTokens(audience.Key(k)) }

// serveCalendar answers at the address of the calendar, and at no other.
func (p *publication) serveCalendar(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	text, err := p.calendarFor(r)
	switch {
	case errors.Is(err, audience.ErrToken) || errors.Is(err, newsletter.ErrNotFound):
		http.Error(w, http.StatusText(http.StatusNotFound), http.StatusNotFound)
	case err != nil:
		if r.Context().Err() == nil {
			p.log.Error("the calendar could not be made", "err", err)
		}
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
	default:
		h.Set("Content-Type", "text/calendar; charset=utf-8")
		_, _ = fmt.Fprint(w, text) // who hung up needs none
	}
}

// calendarFor is the calendar for a request with the right address.
func (p *publication) calendarFor(r *http.Request) (string, error) {
	token, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/"), calendarEnd)
	if !ok {
		return "", audience.ErrToken
	}
	k, err := p.store.CalendarKey(r.Context())
	if err != nil {
		return "", err
	}
	if _, _, err := calendarTokens(k).VerifyFor(audience.PurposeCalendar, token); err != nil {
		return "", err
	}
	now := time.Now()
	planned, err := p.upcoming(r.Context(), now, calendarSlots)
	if err != nil {
		return "", err
	}
	return p.calendar(planned, now).String(), nil
}
