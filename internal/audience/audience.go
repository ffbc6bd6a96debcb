package audience

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// The bounds of what is kept of a subscriber's tags.
const (
	maxTags     = 50
	maxTagBytes = 100
)

// Store keeps the subscribers.
type Store interface {
	// AddSubscribers inserts or completes one chunk in one transaction and
	// answers in the order of subs, which may name a mailbox twice. An ID is
	// ignored. It never raises anybody from unsubscribed, bounced, complained
	// or suppressed; somebody who gets mail takes such a status over.
	AddSubscribers(ctx context.Context, subs []newsletter.Subscriber) ([]newsletter.AddResult, error)
	// SubscriberByKey returns an error that is newsletter.ErrNotFound where
	// nobody has the key.
	SubscriberByKey(ctx context.Context, key string) (newsletter.Subscriber, error)
	// Suppress keeps a mailbox from ever getting mail, and tells whether it was
	// on the list.
	Suppress(ctx context.Context, key, reason string) (known bool, err error)
	// LiftBounce makes a mailbox active that is off the list because of a
	// bounce, and tells whether it was.
	LiftBounce(ctx context.Context, key string) (lifted bool, err error)
	// Subscriber returns an error that is newsletter.ErrNotFound where nobody
	// has the id.
	Subscriber(ctx context.Context, id int64) (newsletter.Subscriber, error)
	// SetSubscriberStatus changes a status; where the new one stops mail,
	// nothing that is still pending for the subscriber is sent any more. The
	// reason is for the subscriber's history.
	SetSubscriberStatus(ctx context.Context, id int64, status newsletter.SubscriberStatus, reason string) error
	// Subscribers yields everybody, and stops after an error.
	Subscribers(ctx context.Context) iter.Seq2[newsletter.Subscriber, error]
	ReaderStore
}

// Audience is the list of subscribers and its rules. It may be used by several
// goroutines at once if its Store may.
type Audience struct {
	store  Store
	tokens *Tokens
}

// New returns the audience that store keeps; its unsubscribe links are
// verified by tokens.
func New(store Store, tokens *Tokens) *Audience {
	return &Audience{store: store, tokens: tokens}
}

// Add puts one mailbox on the list as active, or fills in the name and tags of
// one that is on it. An empty name is taken from "Name <address>". The result
// is newsletter.Kept for somebody who left or was removed: they stay away, and
// the subscriber says how; one without an ID was forgotten. A bad address is an [*AddressError].
func (a *Audience) Add(ctx context.Context, address, name string, tags []string) (newsletter.AddResult, newsletter.Subscriber, error) {
	none := newsletter.Subscriber{}
	addr, err := ParseAddress(address)
	if err != nil {
		return "", none, fmt.Errorf("add subscriber: %w", err)
	}
	if name = CleanName(name); name == "" {
		name = addr.Name
	}
	results, err := a.store.AddSubscribers(ctx, []newsletter.Subscriber{{
		Email: addr.Email, Key: addr.Key, Name: name, Tags: cleanTags(tags),
		Status: newsletter.SubscriberActive, CreatedAt: now(),
	}})
	if err != nil {
		return "", none, fmt.Errorf("add subscriber %s: %w", addr.Email, err)
	}
	sub, err := a.store.SubscriberByKey(ctx, addr.Key)
	if errors.Is(err, newsletter.ErrNotFound) && results[0] == newsletter.Kept {
		return newsletter.Kept, newsletter.Subscriber{Email: addr.Email, Status: newsletter.SubscriberSuppressed}, nil
	}
	if err != nil {
		return "", none, fmt.Errorf("add subscriber %s: %w", addr.Email, err)
	}
	if results[0] == newsletter.Added {
		err = a.store.AddEvent(ctx, newsletter.SubscriberEvent{Subscriber: sub.ID, Kind: newsletter.EventAdded, Text: "by the operator"})
	}
	return results[0], sub, err
}

// Readd is Add, also for a mailbox that bounced: it gets mail again. Whoever
// left, complained or was removed stays away.
func (a *Audience) Readd(ctx context.Context, address, name string, tags []string) (newsletter.AddResult, newsletter.Subscriber, error) {
	addr, err := ParseAddress(address)
	if err != nil {
		return "", newsletter.Subscriber{}, fmt.Errorf("add subscriber: %w", err)
	}
	lifted, err := a.store.LiftBounce(ctx, addr.Key)
	if err != nil {
		return "", newsletter.Subscriber{}, fmt.Errorf("add subscriber %s: %w", addr.Email, err)
	}
	result, sub, err := a.Add(ctx, address, name, tags)
	if lifted && err == nil {
		result = newsletter.Added
	}
	return result, sub, err
}

// Remove takes a mailbox off the list for good: it is suppressed, and no later
// import brings it back. known tells whether it was on the list; one that was
// not is suppressed all the same.
func (a *Audience) Remove(ctx context.Context, address string) (known bool, err error) {
	addr, err := ParseAddress(address)
	if err != nil {
		return false, fmt.Errorf("remove subscriber: %w", err)
	}
	known, err = a.store.Suppress(ctx, addr.Key, "removed by the operator")
	if err != nil {
		return false, fmt.Errorf("remove subscriber %s: %w", addr.Email, err)
	}
	return known, nil
}

// Subscribed tells whether sub gets mail now or will after confirming.
func Subscribed(sub newsletter.Subscriber) bool {
	return sub.Status == newsletter.SubscriberActive || sub.Status == newsletter.SubscriberPending
}

// cleanTags splits tags at the marks that separate them in CSV files, so that
// an exported list is read back as it was, and drops empty and double ones.
func cleanTags(tags []string) []string {
	var clean []string
	for _, t := range tags {
		for tag := range strings.FieldsFuncSeq(t, func(r rune) bool { return r == ',' || r == ';' || r == '|' }) {
			tag = strings.TrimSpace(strings.Trim(CleanName(tag), `"`))
			if tag == "" || len(tag) > maxTagBytes || len(clean) == maxTags || slices.Contains(clean, tag) {
				continue
			}
			clean = append(clean, tag)
		}
	}
	return clean
}

// now is a time as the database keeps it, to the millisecond.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
