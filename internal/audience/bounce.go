package audience

import (
	"crypto/hmac"
	"encoding/base32"
	"strings"
)

// bouncePurpose keeps what was signed for the envelope, which everybody on the
// way reads, from being taken for an unsubscribe token.
const bouncePurpose = "threadmill bounce 1\x00"

// bounceMAC is the signature's size. It stands in the part of an address before
// the @, which may have 64 octets; 80 bits are what RFC 2104, section 5, asks
// for at least.
const bounceMAC = 10

// maxBounceToken is above the longest token: three varints of 10 bytes and the
// signature, in base32.
const maxBounceToken = 64

// lowerBase32 survives servers that change the case of an address.
var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// SignBounce returns the token for the envelope sender of the mail that carries
// issue to subscriber. The same numbers and key give the same token.
func (t *Tokens) SignBounce(subscriber, issue int64) string {
	b := t.numbers(subscriber, issue)
	b = append(b, mac(t.secrets[t.current], bouncePurpose, b, bounceMAC)...)
	return lowerBase32.EncodeToString(b)
}

// VerifyBounce returns whom and which issue a token of an envelope sender
// names, whatever the case of its letters. Its only error is [ErrToken].
func (t *Tokens) VerifyBounce(token string) (subscriber, issue int64, err error) {
	token = strings.ToLower(token[:min(len(token), maxBounceToken+1)])
	b, err := lowerBase32.DecodeString(token)
	if err != nil || len(token) > maxBounceToken || len(b) <= bounceMAC || lowerBase32.EncodeToString(b) != token {
		return 0, 0, ErrToken
	}
	signed, sum := b[:len(b)-bounceMAC], b[len(b)-bounceMAC:]
	secret, subscriber, issue, ok := t.read(signed)
	if !ok || !hmac.Equal(sum, mac(secret, bouncePurpose, signed, bounceMAC)) {
		return 0, 0, ErrToken
	}
	return subscriber, issue, nil
}
