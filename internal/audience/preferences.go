package audience

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// Reader is somebody who opened the page of their preferences.
type Reader struct {
	newsletter.Subscriber
	Chosen newsletter.Preferences
}

// Reader returns whom a token names with what they chose, without any change.
// The error is [ErrToken] for a forged token; of somebody who was forgotten only
// the ID is left.
func (a *Audience) Reader(ctx context.Context, token string) (Reader, error) {
	sub, _, err := a.recipient(ctx, token)
	if err != nil || sub.Email == "" {
		return Reader{Subscriber: sub}, err
	}
	p, err := a.store.Preferences(ctx, sub.ID)
	if errors.Is(err, newsletter.ErrNotFound) { // forgotten a moment ago
		return Reader{Subscriber: newsletter.Subscriber{ID: sub.ID, Status: newsletter.SubscriberUnsubscribed}}, nil
	}
	return Reader{sub, p}, err
}

// Paused tells whether no issue comes now.
func (r Reader) Paused() bool { return r.Chosen.PausedUntil.After(time.Now()) }

// Wish is what a reader asks for on the page of their preferences.
type Wish struct {
	Name      string
	Frequency newsletter.Frequency // an unknown one is each
	// Wants are some of the tags that they were offered.
	Wants []string
	// Pause says what becomes of their pause, and Weeks how long a new one is.
	Pause Pause
	Weeks int
	// Address is where they want the mail instead; empty where it stays.
	Address string
}

// Pause says what becomes of a pause.
type Pause string

// What may become of one. Anything else leaves it as it is.
const (
	PauseNone  Pause = "none"
	PauseWeeks Pause = "weeks"
	PauseOpen  Pause = "open" // until they lift it
)

// movesADay bounds how many letters may ask about another address.
const movesADay = 3

// Save writes what the reader whom a token names asks for, and returns them as
// they are then. Another address is only asked about: a letter goes to it, if
// one may. It is an [*AddressError] where it cannot be read, and the rest is kept
// all the same.
func (a *Audience) Save(ctx context.Context, token string, w Wish) (Reader, error) {
	r, err := a.Reader(ctx, token)
	if err != nil || r.Email == "" {
		return r, err
	}
	p := newsletter.Preferences{Name: CleanName(w.Name), Frequency: newsletter.FrequencyEach, Wants: cleanTags(w.Wants), PausedUntil: r.Chosen.PausedUntil}
	if w.Frequency == newsletter.FrequencyMonthly {
		p.Frequency = w.Frequency
	}
	switch w.Pause {
	case PauseNone:
		p.PausedUntil = time.Time{}
	case PauseWeeks:
		p.PausedUntil = pauseOf(max(w.Weeks, minPause))
	case PauseOpen:
		p.PausedUntil = newsletter.UntilLifted
	}
	if e := changeOf(r.Chosen, p); e.Kind != "" {
		if err := a.store.SetPreferences(ctx, r.ID, p, e); err != nil {
			return r, fmt.Errorf("write the preferences of subscriber %d: %w", r.ID, err)
		}
	}
	r.Chosen, r.Name = p, p.Name
	if w.Address == "" {
		return r, nil
	}
	return r, a.askMove(ctx, r.Subscriber, w.Address)
}

// changeOf is the event of a change; its kind is empty where there is none.
func changeOf(old, next newsletter.Preferences) newsletter.SubscriberEvent {
	e := newsletter.SubscriberEvent{Form: formPreferences}
	switch {
	case old.Name != next.Name || old.Frequency != next.Frequency || !slices.Equal(old.Wants, next.Wants):
		e.Kind = newsletter.EventPreferences
	case !old.PausedUntil.Equal(next.PausedUntil):
		e.Kind, e.Text = newsletter.EventPaused, pauseText(next.PausedUntil)
	}
	return e
}

// askMove writes to another address, unless it is the one that they have. The
// answer is the same whoever has it.
func (a *Audience) askMove(ctx context.Context, sub newsletter.Subscriber, address string) error {
	addr, err := ParseAddress(address)
	if err != nil {
		return err
	}
	if addr.Email == sub.Email {
		return nil
	}
	if addr.Key == sub.Key { // the same mailbox, spelt another way
		return a.store.MoveSubscriber(ctx, sub.ID, addr.Email, addr.Key, newsletter.SubscriberEvent{Kind: newsletter.EventMoved, Form: formPreferences})
	}
	return a.store.AskMove(ctx, sub.ID, addr.Email, addr.Key, now().Add(-24*time.Hour), movesADay)
}

// moveGood is how long the link in a letter about another address is good.
const moveGood = 7 * 24 * time.Hour

// Moving returns who would move to which address by a token, without any change.
// The error is [ErrToken] for one that is forged or too old, or where they asked
// about yet another address since.
func (a *Audience) Moving(ctx context.Context, token string) (newsletter.Subscriber, string, error) {
	id, letter, err := a.tokens.VerifyFor(PurposeMove, token)
	if err != nil {
		return newsletter.Subscriber{}, "", err
	}
	l, err := a.store.MoveLetter(ctx, id, letter)
	if err == nil && time.Since(l.CreatedAt) > moveGood {
		err = newsletter.ErrNotFound
	}
	sub := newsletter.Subscriber{}
	if err == nil {
		sub, err = a.store.Subscriber(ctx, id)
	}
	if errors.Is(err, newsletter.ErrNotFound) {
		err = ErrToken
	}
	return sub, l.Email, err
}

// Move gives the subscriber whom a token names the address that it was sent to,
// and returns them as they are then. It may be repeated. The error is
// [newsletter.ErrAddressTaken] where the address cannot be used; for others see
// Moving.
func (a *Audience) Move(ctx context.Context, token string) (newsletter.Subscriber, error) {
	sub, email, err := a.Moving(ctx, token)
	if err != nil {
		return sub, err
	}
	addr, err := ParseAddress(email)
	if err != nil {
		return sub, err
	}
	sub.Email, sub.Key = addr.Email, addr.Key
	return sub, a.store.MoveSubscriber(ctx, sub.ID, addr.Email, addr.Key, newsletter.SubscriberEvent{Kind: newsletter.EventMoved, Form: formPreferences})
}

// Erase erases whom a token names; see [Audience.Forget].
func (a *Audience) Erase(ctx context.Context, token string) error {
	sub, _, err := a.recipient(ctx, token)
	if err != nil || sub.Email == "" {
		return err
	}
	_, err = a.store.Forget(ctx, sub.Key, sub.Email)
	return err
}

// Forget erases all that is kept of whoever has an address, and tells whether
// anybody did. A keyed hash of it is left, so that no list that is imported later
// brings them back. They may, by signing up.
func (a *Audience) Forget(ctx context.Context, address string) (known bool, err error) {
	addr, err := ParseAddress(address)
	if err == nil {
		email := addr.Email
		if sub, err := a.store.SubscriberByKey(ctx, addr.Key); err == nil {
			email = sub.Email
		}
		known, err = a.store.Forget(ctx, addr.Key, email)
	}
	if err != nil {
		return false, fmt.Errorf("forget %s: %w", address, err)
	}
	return known, nil
}
