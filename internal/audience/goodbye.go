package audience

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// ReaderStore keeps what readers do about their subscription themselves.
type ReaderStore interface {
	// Leave ends a subscription, and Return takes it up again that was ended by
	// its subscriber. Both tell whether that changed anything, and keep the event
	// then.
	Leave(ctx context.Context, id int64, reason string, e newsletter.SubscriberEvent) (left bool, err error)
	Return(ctx context.Context, id int64, reason string, e newsletter.SubscriberEvent) (returned bool, err error)
	// The errors of these are newsletter.ErrNotFound where nobody has the id.
	PauseSubscriber(ctx context.Context, id int64, until time.Time, e newsletter.SubscriberEvent) error
	Preferences(ctx context.Context, id int64) (newsletter.Preferences, error)
	SetPreferences(ctx context.Context, id int64, p newsletter.Preferences, e newsletter.SubscriberEvent) error
	History(ctx context.Context, id int64) (newsletter.History, error)
	AddEvent(ctx context.Context, e newsletter.SubscriberEvent) error
	Events(ctx context.Context, id int64) ([]newsletter.SubscriberEvent, error)
	// AskMove keeps the letter that asks about another address, unless that
	// cannot be used, or so many were asked for since a time.
	AskMove(ctx context.Context, id int64, email, key string, since time.Time, most int) error
	// MoveLetter is the last of these letters; newsletter.ErrNotFound where it
	// has another id.
	MoveLetter(ctx context.Context, subscriber, id int64) (newsletter.Letter, error)
	// MoveSubscriber fails with newsletter.ErrAddressTaken where the mailbox
	// cannot be used.
	MoveSubscriber(ctx context.Context, id int64, email, key string, e newsletter.SubscriberEvent) error
	// Forget erases whoever has a mailbox but for a keyed hash of it, and tells
	// whether anybody did.
	Forget(ctx context.Context, key, email string) (known bool, err error)
}

// The pages on which readers do that, as their history names them.
const (
	formUnsubscribe = "/unsubscribe"
	formPreferences = "/preferences"
)

// Recipient returns the subscriber whom a token names, without any change. The
// error is [ErrToken] for a forged token. Of somebody who was forgotten only
// the ID and the status unsubscribed are left, since they get no mail either.
func (a *Audience) Recipient(ctx context.Context, token string) (newsletter.Subscriber, error) {
	sub, _, err := a.recipient(ctx, token)
	return sub, err
}

// recipient takes the token of an unsubscribe link, and of one to the
// preferences in a mail that is no issue.
func (a *Audience) recipient(ctx context.Context, token string) (sub newsletter.Subscriber, issue int64, err error) {
	id, issue, err := a.tokens.Verify(token)
	if err != nil {
		issue = 0
		if id, _, err = a.tokens.VerifyFor(PurposePreferences, token); err != nil {
			return newsletter.Subscriber{}, 0, err
		}
	}
	sub, err = a.store.Subscriber(ctx, id)
	switch {
	case errors.Is(err, newsletter.ErrNotFound):
		return newsletter.Subscriber{ID: id, Status: newsletter.SubscriberUnsubscribed}, issue, nil
	case err != nil:
		return newsletter.Subscriber{}, 0, fmt.Errorf("look up subscriber %d: %w", id, err)
	}
	return sub, issue, nil
}

// Unsubscribe ends the subscription that a token names and returns the
// subscriber as they are then. It may be repeated; somebody who bounced,
// complained or was removed stays so. The error is [ErrToken] for a forged
// token.
func (a *Audience) Unsubscribe(ctx context.Context, token string) (newsletter.Subscriber, error) {
	sub, issue, err := a.recipient(ctx, token)
	if err != nil || !Subscribed(sub) {
		return sub, err
	}
	reason := "link to the preferences"
	if issue > 0 {
		reason = fmt.Sprintf("link in issue %d", issue)
	}
	_, err = a.store.Leave(ctx, sub.ID, reason, newsletter.SubscriberEvent{Kind: newsletter.EventUnsubscribed, Issue: issue, Form: formUnsubscribe})
	if err != nil {
		return newsletter.Subscriber{}, fmt.Errorf("unsubscribe subscriber %d: %w", sub.ID, err)
	}
	sub.Status = newsletter.SubscriberUnsubscribed
	return sub, nil
}

// End ends the subscription of an address, and tells whether it was one; the
// subscriber is as they are then. ErrNotFound where the address is not on the
// list.
func (a *Audience) End(ctx context.Context, address string) (sub newsletter.Subscriber, left bool, err error) {
	if sub, err = a.find(ctx, address); err == nil {
		left, err = a.store.Leave(ctx, sub.ID, "unsubscribed by the operator",
			newsletter.SubscriberEvent{Kind: newsletter.EventUnsubscribed, Text: "by the operator"})
	}
	if err != nil {
		return sub, false, fmt.Errorf("unsubscribe %s: %w", address, err)
	}
	if left {
		sub.Status = newsletter.SubscriberUnsubscribed
	}
	return sub, left, nil
}

// find returns who has an address.
func (a *Audience) find(ctx context.Context, address string) (newsletter.Subscriber, error) {
	addr, err := ParseAddress(address)
	if err != nil {
		return newsletter.Subscriber{}, err
	}
	return a.store.SubscriberByKey(ctx, addr.Key)
}

// MayReturn tells whether the link in a mail brings a subscriber back: whoever
// left by themselves. An address that bounced or complained has to sign up anew,
// and whoever was removed stays away.
func MayReturn(sub newsletter.Subscriber) bool {
	return sub.Email != "" && sub.Status == newsletter.SubscriberUnsubscribed
}

// Resubscribe takes up again the subscription that a token names, and returns
// the subscriber as they are then: who may not return stays as they are.
func (a *Audience) Resubscribe(ctx context.Context, token string) (newsletter.Subscriber, error) {
	sub, issue, err := a.recipient(ctx, token)
	if err != nil || !MayReturn(sub) {
		return sub, err
	}
	back, err := a.store.Return(ctx, sub.ID, "came back", newsletter.SubscriberEvent{Kind: newsletter.EventResubscribed, Issue: issue, Form: formUnsubscribe})
	if err != nil {
		return newsletter.Subscriber{}, fmt.Errorf("resubscribe subscriber %d: %w", sub.ID, err)
	}
	if back {
		sub.Status = newsletter.SubscriberActive
	}
	return sub, nil
}

// The bounds of a pause, in weeks.
const (
	minPause = 1
	maxPause = 52
	week     = 7 * 24 * time.Hour
)

// PauseFor keeps issues from the subscriber whom a token names for some weeks,
// instead of leaving: who left comes back with it. None ends a pause. It returns
// them as they are then, and until when.
func (a *Audience) PauseFor(ctx context.Context, token string, weeks int) (newsletter.Subscriber, time.Time, error) {
	sub, issue, err := a.recipient(ctx, token)
	if err != nil || !MayReturn(sub) && sub.Status != newsletter.SubscriberActive {
		return sub, time.Time{}, err
	}
	e := newsletter.SubscriberEvent{Kind: newsletter.EventPaused, Issue: issue, Form: formUnsubscribe}
	until := pauseOf(weeks)
	e.Text = pauseText(until)
	if err := a.store.PauseSubscriber(ctx, sub.ID, until, e); err != nil {
		return sub, time.Time{}, fmt.Errorf("pause subscriber %d: %w", sub.ID, err)
	}
	sub, err = a.Resubscribe(ctx, token) // after the pause began, so that nothing leaves between
	return sub, until, err
}

// pauseOf is the end of a pause of some weeks from now; none: no time.
func pauseOf(weeks int) time.Time {
	if weeks < minPause {
		return time.Time{}
	}
	return now().Add(time.Duration(min(weeks, maxPause)) * week)
}

func pauseText(until time.Time) string {
	switch {
	case until.IsZero():
		return "lifted"
	case until.Equal(newsletter.UntilLifted):
		return "until lifted"
	}
	return "until " + until.Format(time.DateOnly)
}

// The bounds of what may be said about leaving.
const (
	maxReason  = 500 // bytes
	maxReasons = 5   // a day
)

// Tell keeps why the subscriber whom a token names left, in their own words or
// some that were offered. What is said too often is not kept.
func (a *Audience) Tell(ctx context.Context, token, words string) (newsletter.Subscriber, error) {
	sub, issue, err := a.recipient(ctx, token)
	words = clip(strings.Join(strings.Fields(strings.ToValidUTF8(words, " ")), " "), maxReason)
	if err != nil || words == "" || sub.Email == "" {
		return sub, err
	}
	past, err := a.store.Events(ctx, sub.ID)
	if err != nil {
		return sub, err
	}
	told := 0
	for _, e := range past {
		if e.Kind == newsletter.EventUnsubscribed && e.Text != "" && time.Since(e.At) < 24*time.Hour {
			told++
		}
	}
	if told >= maxReasons {
		return sub, nil
	}
	return sub, a.store.AddEvent(ctx, newsletter.SubscriberEvent{
		Subscriber: sub.ID, Kind: newsletter.EventUnsubscribed, Issue: issue, Form: formUnsubscribe, Text: words,
	})
}
