package audience

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// ErrToken says that a link is not valid. It does not say why: whoever forges
// a link learns nothing from the answer.
var ErrToken = errors.New("the link is not valid")

const (
	minSecret = 16
	macSize   = 16
	// maxToken is above the longest token: three varints of 10 bytes and the
	// signature, in base64.
	maxToken = 64
)

// purpose keeps a signature made with the same key for another use from being
// taken for one of ours.
const purpose = "threadmill unsubscribe 1\x00"

// Key signs tokens. Its ID stands in each token, so that links signed with an
// older key stay valid after a change.
type Key struct {
	ID     int64
	Secret []byte // at least 16 random bytes
}

// Tokens signs and verifies tokens, for unsubscribing and for the envelope. A
// token names a subscriber and
// an issue and is verified without the database. Tokens may be used by several
// goroutines at once.
type Tokens struct {
	current int64
	secrets map[int64][]byte
}

// NewTokens returns Tokens that sign with current and verify with current and
// older. It panics if a secret is shorter than 16 bytes, since anybody could
// forge its tokens.
func NewTokens(current Key, older ...Key) *Tokens {
	t := &Tokens{current: current.ID, secrets: make(map[int64][]byte, 1+len(older))}
	for _, k := range append(slices.Clone(older), current) {
		if len(k.Secret) < minSecret {
			panic(fmt.Sprintf("audience: key %d has %d bytes, needs %d", k.ID, len(k.Secret), minSecret))
		}
		t.secrets[k.ID] = slices.Clone(k.Secret)
	}
	return t
}

// Sign returns a token for the URL in the mail that carries issue to
// subscriber. The same numbers and key give the same token.
func (t *Tokens) Sign(subscriber, issue int64) string {
	b := t.numbers(subscriber, issue)
	b = append(b, mac(t.secrets[t.current], purpose, b, macSize)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

// Verify returns whom and which issue a token names. Its only error is
// [ErrToken].
func (t *Tokens) Verify(token string) (subscriber, issue int64, err error) {
	if len(token) > maxToken {
		return 0, 0, ErrToken
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	// Decoding skips line breaks and ignores trailing bits; one token has one
	// spelling.
	if err != nil || len(b) <= macSize || base64.RawURLEncoding.EncodeToString(b) != token {
		return 0, 0, ErrToken
	}
	signed, sum := b[:len(b)-macSize], b[len(b)-macSize:]
	secret, subscriber, issue, ok := t.read(signed)
	if !ok || !hmac.Equal(sum, mac(secret, purpose, signed, macSize)) {
		return 0, 0, ErrToken
	}
	return subscriber, issue, nil
}

// numbers is what a token says: the key that signs it, and whose it is.
func (t *Tokens) numbers(subscriber, issue int64) []byte {
	b := make([]byte, 0, maxToken)
	for _, n := range []int64{t.current, subscriber, issue} {
		b = binary.AppendVarint(b, n)
	}
	return b
}

// read takes apart what numbers wrote; not ok: it is nothing of the kind, or
// the key is not known.
func (t *Tokens) read(signed []byte) (secret []byte, subscriber, issue int64, ok bool) {
	key, rest := varint(signed)
	subscriber, rest = varint(rest)
	issue, rest = varint(rest)
	secret, known := t.secrets[key]
	return secret, subscriber, issue, known && rest != nil && len(rest) == 0
}

// mac is HMAC-SHA-256 cut to size bytes (RFC 2104, section 5, allows half).
func mac(secret []byte, purpose string, signed []byte, size int) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(purpose))
	h.Write(signed)
	return h.Sum(nil)[:size]
}

// varint takes one number off b. The rest is nil when there is none.
func varint(b []byte) (n int64, rest []byte) {
	n, size := binary.Varint(b)
	if size <= 0 {
		return 0, nil
	}
	return n, b[size:]
}
