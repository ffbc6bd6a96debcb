package audience

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// SignUpStore keeps who asked for the mail.
type SignUpStore interface {
	// SignUp keeps that somebody asked, and the letter that goes to them.
	SignUp(ctx context.Context, u newsletter.SignUp) (newsletter.LetterKind, error)
	// Asked returns whom a letter asked, and Confirm makes them active. Both
	// return an error that is newsletter.ErrNotFound for a letter that is no
	// good.
	Asked(ctx context.Context, c newsletter.Confirmation) (newsletter.Subscriber, error)
	Confirm(ctx context.Context, c newsletter.Confirmation) (newsletter.Subscriber, error)
}

// SignUpOptions say how people sign up.
type SignUpOptions struct {
	Store  SignUpStore
	Tokens *Tokens
	// Within is how long the link of a letter works.
	Within time.Duration
	Limits Limits
	// NetworkKey makes the hash of the address that a request came from. With
	// it one request can be held against another; without it the hash tells
	// nothing, though there are few addresses.
	NetworkKey []byte
	// Tags are those that a form may give; it names others in vain.
	Tags []string
	// Welcome is what a newcomer gets; see newsletter.Confirmation.
	Welcome string
	// Proof is how many bits of a proof of work a form needs; 0 for none.
	Proof int
}

// SignUps takes in who wants the mail, by double opt-in: a letter asks whoever
// reads the mailbox, and nobody is on the list before they said yes. It may be
// used by several goroutines at once.
type SignUps struct {
	o     SignUpOptions
	count hourly
	slow  hourly // of forms that waited in the place of a proof
	boxes daily
}

// NewSignUps returns SignUps without anybody counted yet.
func NewSignUps(o SignUpOptions) *SignUps {
	slow := Limits{}
	if o.Limits.PerHour > 0 {
		slow.PerHour = max(o.Limits.PerHour/slowPart, 1)
	}
	return &SignUps{o: o, count: hourly{limits: o.Limits}, slow: hourly{limits: slow}, boxes: daily{most: o.Limits.PerAddress}}
}

// Request is where a form came from.
type Request struct {
	// Form is the page that it stood on.
	Form string
	From netip.Addr // the zero Addr where that is not known
	// Text is what the page said that they agree to.
	Text string
	// Stamp is that of [SignUps.Stamp] which the form held, and Proof what was
	// found for it; both may be empty.
	Stamp, Proof string
}

// Ask takes in a form. A bad address is an [*AddressError], one form too many
// ErrTooMany, and ErrAgain one that is to be sent once more with a new stamp. Whether the address is on the list does not show: not in the
// answer, nor in the time that it takes.
func (s *SignUps) Ask(ctx context.Context, address, name string, tags []string, r Request) error {
	addr, err := ParseAddress(address)
	if err != nil {
		return fmt.Errorf("sign up: %w", err)
	}
	now := now()
	if err := s.checkStamp(addr, r, now); err != nil {
		return fmt.Errorf("sign up: %w", err)
	}
	if !s.count.take(r.From, now) {
		return fmt.Errorf("sign up: %w", ErrTooMany)
	}
	if name = CleanName(name); name == "" {
		name = addr.Name
	}
	_, err = s.o.Store.SignUp(ctx, newsletter.SignUp{
		Email: addr.Email, Key: addr.Key, Name: name, Tags: s.mayGive(tags), At: now,
		Form: formName(r.Form), Network: s.network(r.From), Text: r.Text, PerDay: s.o.Limits.PerAddress,
		Silent: !s.boxes.take(mailbox(addr.Key), now),
	})
	return err
}

// mayGive are those of the tags in a form that it may give, as the config spells
// them. Anybody can send a form, and tags tell who gets what.
func (s *SignUps) mayGive(tags []string) []string {
	var given []string
	for _, tag := range cleanTags(tags) {
		i := slices.IndexFunc(s.o.Tags, func(t string) bool {
			return t == tag || newsletter.TagPath(t) != "" && newsletter.TagPath(t) == newsletter.TagPath(tag)
		})
		if i >= 0 && !slices.Contains(given, s.o.Tags[i]) {
			given = append(given, s.o.Tags[i])
		}
	}
	return given
}

// formName is the page of a form as it is kept: whoever sends one may write what
// they like, such as what commands a terminal.
func formName(name string) string { return clip(CleanName(name), maxForm) }

// maxForm bounds the name of the page that a form stood on, in bytes.
const maxForm = 200

// network is a keyed hash of the address of a request, empty where that is not
// known.
func (s *SignUps) network(from netip.Addr) string {
	if !from.IsValid() {
		return ""
	}
	h := hmac.New(sha256.New, s.o.NetworkKey)
	h.Write([]byte("threadmill network 1\x00"))
	h.Write(from.Unmap().WithZone("").AsSlice())
	return hex.EncodeToString(h.Sum(nil)[:macSize])
}

// Asked returns the subscriber whom the letter with a token asked, without any
// change. The error is [ErrToken] for a token that is forged or too old, or of
// somebody who left since.
func (s *SignUps) Asked(ctx context.Context, token string) (newsletter.Subscriber, error) {
	c, err := s.confirmation(token, Request{})
	if err != nil {
		return newsletter.Subscriber{}, err
	}
	sub, err := s.o.Store.Asked(ctx, c)
	return sub, deadLink(err)
}

// Confirm puts the subscriber on the list whom the letter with a token asked.
// It may be repeated. The error is that of Asked.
func (s *SignUps) Confirm(ctx context.Context, token string, r Request) (newsletter.Subscriber, error) {
	c, err := s.confirmation(token, r)
	if err != nil {
		return newsletter.Subscriber{}, err
	}
	sub, err := s.o.Store.Confirm(ctx, c)
	return sub, deadLink(err)
}

// ConfirmReply is Confirm for an answer to the letter, from the mailbox that it
// went to. The caller has left out what a machine answered (RFC 3834, section
// 5): an absence note is no word of anybody's.
func (s *SignUps) ConfirmReply(ctx context.Context, token, from string) error {
	sub, err := s.Asked(ctx, token)
	if err != nil {
		return err
	}
	if addr, err := ParseAddress(from); err != nil || addr.Key != sub.Key {
		return ErrToken
	}
	_, err = s.Confirm(ctx, token, Request{Form: "reply"})
	return err
}

// deadLink is ErrToken where the store does not know a letter.
func deadLink(err error) error {
	if errors.Is(err, newsletter.ErrNotFound) {
		return ErrToken
	}
	return err
}

// confirmation reads a token, which names a letter by when it was written: ids
// may come again, a moment does not.
func (s *SignUps) confirmation(token string, r Request) (newsletter.Confirmation, error) {
	sub, asked, err := s.o.Tokens.VerifyFor(PurposeConfirm, token)
	now := now()
	c := newsletter.Confirmation{
		Subscriber: sub, Asked: time.UnixMilli(asked).UTC(), Since: now.Add(-s.o.Within), At: now,
		Form: formName(r.Form), Network: s.network(r.From), Text: r.Text, Welcome: s.o.Welcome,
	}
	if err != nil || !c.Asked.After(c.Since) {
		return c, ErrToken
	}
	return c, nil
}

// Where the token of a letter stands in what comes back: in the Message-ID that
// an answer names, and in the address that it goes to.
const (
	replyID   = "confirm."  // <confirm.TOKEN@example.org>
	replyVERP = "confirm+"  // confirm+TOKEN@bounces.example.org
	replyPlus = "+confirm-" // jo+confirm-TOKEN@example.org
)

// ReplyToken finds the token of a letter that was answered, in the values of
// To, In-Reply-To and References of the answer. It is not verified yet.
func ReplyToken(values ...string) (token string, ok bool) {
	for _, v := range values {
		v = strings.ToLower(v[:min(len(v), maxReplyHeader)])
		for _, mark := range []string{replyID, replyVERP, replyPlus} {
			for rest := v; ; {
				_, after, found := strings.Cut(rest, mark)
				if !found {
					break
				}
				if token, _, found := strings.Cut(after, "@"); found && isToken(token) {
					return token, true
				}
				rest = after
			}
		}
	}
	return "", false
}

// maxReplyHeader bounds what is looked at of a header.
const maxReplyHeader = 8 << 10

// isToken tells whether a text can be what SignFor wrote.
func isToken(s string) bool {
	return s != "" && len(s) <= maxPurposeToken && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") == ""
}
