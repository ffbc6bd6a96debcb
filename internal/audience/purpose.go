package audience

import (
	"crypto/hmac"
	"strings"
)

// Purpose is what a token is good for. One that was signed for a purpose is
// nothing for the others.
type Purpose string

// The purposes of tokens beside unsubscribing and the envelope, which have
// spellings of their own.
const (
	PurposeConfirm     Purpose = "confirm" // the subscription; the number is when it was asked for
	PurposePreferences Purpose = "preferences"
	PurposeMove        Purpose = "move"     // to another address
	PurposeReview      Purpose = "review"   // of a slot; the number is when it is due
	PurposeForm        Purpose = "form"     // of signing up; the number is when it was shown
	PurposeCalendar    Purpose = "calendar" // of the author; it names nobody
)

// maxPurposeToken is above the longest token: three varints of 10 bytes and the
// signature, in base32.
const maxPurposeToken = 76

// context is what is signed before the numbers.
func (p Purpose) context() string { return "threadmill " + string(p) + " 1\x00" }

// SignFor returns a token that names a subscriber and a number which the
// purpose gives its meaning: a letter, an issue, a time. It stands in a URL as
// well as in the local part of an address: lower-case letters and digits. The
// same numbers and key give the same token.
func (t *Tokens) SignFor(purpose Purpose, subscriber, n int64) string {
	b := t.numbers(subscriber, n)
	b = append(b, mac(t.secrets[t.current], purpose.context(), b, macSize)...)
	return lowerBase32.EncodeToString(b)
}

// VerifyFor returns what SignFor put into a token, whatever the case of its
// letters. Its only error is [ErrToken]. That a number is a time which has
// passed is for the caller to see.
func (t *Tokens) VerifyFor(purpose Purpose, token string) (subscriber, n int64, err error) {
	token = strings.ToLower(token[:min(len(token), maxPurposeToken+1)])
	b, err := lowerBase32.DecodeString(token)
	if err != nil || len(token) > maxPurposeToken || len(b) <= macSize || lowerBase32.EncodeToString(b) != token {
		return 0, 0, ErrToken
	}
	signed, sum := b[:len(b)-macSize], b[len(b)-macSize:]
	secret, subscriber, n, ok := t.read(signed)
	if !ok || !hmac.Equal(sum, mac(secret, purpose.context(), signed, macSize)) {
		return 0, 0, ErrToken
	}
	return subscriber, n, nil
}
