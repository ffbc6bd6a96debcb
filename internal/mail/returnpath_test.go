package mail_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"threadmill/internal/audience"
	"threadmill/internal/mail"
)

func bounceTokens(id byte) *audience.Tokens {
	return audience.NewTokens(audience.Key{ID: int64(id), Secret: bytes.Repeat([]byte{id}, 32)})
}

// An envelope sender survives servers that change the case of what they pass on,
// and fits what RFC 5321, section 4.5.3.1.1, lets a local part have.
func TestReturnPath(t *testing.T) {
	path, err := mail.Tokened("Bounce@news.example.com")
	if err != nil {
		t.Fatal(err)
	}
	tokens := bounceTokens(1)
	for _, n := range [][2]int64{{1, 1}, {1_000_000, 52}, {1 << 40, 1 << 20}} {
		address := path.For(tokens.SignBounce(n[0], n[1]))
		if local, _, _ := strings.Cut(address, "@"); len(local) > 64 {
			t.Errorf("%s has %d octets before the @", address, len(local))
		}
		for _, spelt := range []string{address, strings.ToUpper(address), "<" + strings.ToLower(address) + ">"} {
			token, ok := path.Token(spelt)
			subscriber, issue, err := tokens.VerifyBounce(token)
			if !ok || err != nil || subscriber != n[0] || issue != n[1] {
				t.Errorf("%s names %d, %d (%v, %v); want %v", spelt, subscriber, issue, ok, err, n)
			}
		}
	}
	for _, foreign := range []string{
		"", "bounce@news.example.com", "bounce+@news.example.com", "jo+abc@news.example.com", "bounce+abc@example.com",
		"bounce+a b@news.example.com", "bounce+a@b@news.example.com", "bounce+" + strings.Repeat("a", 1<<16) + "@news.example.com",
	} {
		if token, ok := path.Token(foreign); ok {
			t.Errorf("%.60q gives the token %.60q", foreign, token)
		}
	}
	if fixed := mail.ReturnPath("jo@example.com"); fixed.Varies() || fixed.For("abc") != "jo@example.com" {
		t.Errorf("an address without a place for a token becomes %s", fixed.For("abc"))
	}
}

func TestReturnPathWithoutRoom(t *testing.T) {
	if p, err := mail.Tokened(strings.Repeat("j", 30) + "@example.com"); err == nil {
		t.Errorf("%s has no room for a token", p)
	}
	if p, err := mail.Tokened("jo smith@example.com"); err == nil {
		t.Errorf("%s is no address", p)
	}
}

// FuzzReturnPathToken reads addresses that anybody can write to us.
func FuzzReturnPathToken(f *testing.F) {
	path, err := mail.Tokened("bounce@example.com")
	if err != nil {
		f.Fatal(err)
	}
	tokens := bounceTokens(1)
	f.Add(path.For(tokens.SignBounce(7, 2)))
	f.Add(path.For(tokens.SignBounce(math.MaxInt64, math.MaxInt64)))
	f.Add("bounce+@example.com")
	f.Fuzz(func(t *testing.T, address string) {
		token, ok := path.Token(address)
		if !ok {
			return
		}
		if !strings.EqualFold(strings.Trim(strings.TrimSpace(address), "<>"), path.For(token)) {
			t.Errorf("%q gives %q", address, token)
		}
		if subscriber, issue, err := tokens.VerifyBounce(token); err == nil && tokens.SignBounce(subscriber, issue) != token {
			t.Errorf("%q is taken for one of %d, %d", token, subscriber, issue)
		}
	})
}
