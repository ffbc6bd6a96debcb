package audience

import (
	"bytes"
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"
)

func testKey(id int64) Key {
	return Key{ID: id, Secret: bytes.Repeat([]byte{byte(id)}, 32)}
}

func TestTokens(t *testing.T) {
	tokens := NewTokens(testKey(1))
	for _, n := range [][2]int64{{1, 1}, {0, 0}, {1_000_000, 52}, {math.MaxInt64, math.MaxInt64}, {-1, -2}} {
		token := tokens.Sign(n[0], n[1])
		if token != url.PathEscape(token) || len(token) > maxToken {
			t.Errorf("%q does not stand in a URL as it is", token)
		}
		subscriber, issue, err := tokens.Verify(token)
		if err != nil || subscriber != n[0] || issue != n[1] {
			t.Errorf("Verify(Sign(%d, %d)) = %d, %d, %v", n[0], n[1], subscriber, issue, err)
		}
	}
	if a, b := tokens.Sign(7, 2), tokens.Sign(7, 2); a != b {
		t.Errorf("the same link is spelt %q and %q", a, b)
	}
}

// A key is replaced without a reader noticing, as long as the old one is kept.
func TestTokensRotate(t *testing.T) {
	old := NewTokens(testKey(1)).Sign(7, 2)
	rotated := NewTokens(testKey(2), testKey(1))
	if subscriber, _, err := rotated.Verify(old); err != nil || subscriber != 7 {
		t.Errorf("a link of before gives %d, %v", subscriber, err)
	}
	if _, _, err := NewTokens(testKey(2)).Verify(old); !errors.Is(err, ErrToken) {
		t.Errorf("a link of a dropped key gives %v", err)
	}
	if _, _, err := NewTokens(testKey(1)).Verify(rotated.Sign(7, 2)); !errors.Is(err, ErrToken) {
		t.Errorf("a link of an unknown key gives %v", err)
	}
	stolen := NewTokens(Key{ID: 1, Secret: testKey(2).Secret})
	if _, _, err := NewTokens(testKey(1)).Verify(stolen.Sign(7, 2)); !errors.Is(err, ErrToken) {
		t.Errorf("a link of another secret gives %v", err)
	}
}

func TestVerifyForged(t *testing.T) {
	tokens := NewTokens(testKey(1))
	good := tokens.Sign(7, 2)
	forged := []string{
		"", "x", "!", good + "A", good + "=", good + "\n", "\n" + good, good[1:], good[:len(good)-1],
		strings.ToUpper(good), strings.Repeat("A", maxToken), strings.Repeat("A", 1<<20), "AgQ", "../../etc/passwd",
	}
	// Every change of one character counts, those in the unused bits at the
	// end too.
	for i := range good {
		for _, c := range []byte{'A', 'B', 'z', '_', '-'} {
			if good[i] != c {
				forged = append(forged, good[:i]+string(c)+good[i+1:])
			}
		}
	}
	for _, token := range forged {
		if _, _, err := tokens.Verify(token); err != ErrToken { //nolint:errorlint // nothing may be wrapped around it
			t.Errorf("Verify(%.80q) gives %v", token, err)
		}
	}
}

func TestNewTokensWithoutSecret(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a key that anybody can guess was taken")
		}
	}()
	NewTokens(testKey(1), Key{ID: 2, Secret: make([]byte, minSecret-1)})
}

func FuzzVerify(f *testing.F) {
	tokens := NewTokens(testKey(1))
	f.Add(tokens.Sign(7, 2))
	f.Add("AgQC")
	f.Add(strings.Repeat("_", maxToken))
	f.Fuzz(func(t *testing.T, token string) {
		subscriber, issue, err := tokens.Verify(token)
		if err == nil && tokens.Sign(subscriber, issue) != token {
			t.Errorf("%q is taken for a link to %d, %d", token, subscriber, issue)
		}
	})
}

// A token of the envelope is public; it must not unsubscribe anybody, nor the
// other way round.
func TestBounceTokens(t *testing.T) {
	tokens := NewTokens(testKey(1))
	for _, n := range [][2]int64{{1, 1}, {1_000_000, 52}, {math.MaxInt64, math.MaxInt64}} {
		token := tokens.SignBounce(n[0], n[1])
		subscriber, issue, err := tokens.VerifyBounce(strings.ToUpper(token))
		if err != nil || subscriber != n[0] || issue != n[1] || len(token) > maxBounceToken {
			t.Errorf("VerifyBounce(%s) = %d, %d, %v", token, subscriber, issue, err)
		}
		if _, _, err := tokens.Verify(token); !errors.Is(err, ErrToken) {
			t.Errorf("%s unsubscribes", token)
		}
	}
	if n := len(tokens.SignBounce(1_000_000, 1000)); n != 26 {
		t.Errorf("a usual token has %d octets", n)
	}
	good := tokens.SignBounce(7, 2)
	if old, _, err := NewTokens(testKey(2), testKey(1)).VerifyBounce(good); err != nil || old != 7 {
		t.Errorf("a token of an older key gives %d, %v", old, err)
	}
	forged := []string{"", "a", tokens.Sign(7, 2), good + "a", good[1:], good[:len(good)-1], good + "\n", strings.Repeat("a", 1<<20)}
	for i := range good {
		for _, c := range []byte{'a', 'b', 'z', '2', '7'} {
			if good[i] != c {
				forged = append(forged, good[:i]+string(c)+good[i+1:])
			}
		}
	}
	for _, token := range forged {
		if _, _, err := tokens.VerifyBounce(token); err != ErrToken { //nolint:errorlint // nothing may be wrapped around it
			t.Errorf("VerifyBounce(%.80q) gives %v", token, err)
		}
	}
}

func FuzzVerifyBounce(f *testing.F) {
	tokens := NewTokens(testKey(1))
	f.Add(tokens.SignBounce(7, 2))
	f.Add(strings.Repeat("7", maxBounceToken))
	f.Fuzz(func(t *testing.T, token string) {
		subscriber, issue, err := tokens.VerifyBounce(token)
		if err == nil && tokens.SignBounce(subscriber, issue) != strings.ToLower(token) {
			t.Errorf("%q is taken for one of %d, %d", token, subscriber, issue)
		}
	})
}
