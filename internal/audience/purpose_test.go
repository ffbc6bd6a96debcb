package audience

import (
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"
)

func TestPurposeTokens(t *testing.T) {
	tokens := NewTokens(testKey(1))
	for _, n := range [][2]int64{{1, 1}, {1_000_000, 1_800_000_000_000}, {math.MinInt64, math.MaxInt64}} {
		token := tokens.SignFor(PurposeConfirm, n[0], n[1])
		subscriber, number, err := tokens.VerifyFor(PurposeConfirm, strings.ToUpper(token))
		if err != nil || subscriber != n[0] || number != n[1] || token != url.PathEscape(token) {
			t.Errorf("VerifyFor(%s) = %d, %d, %v", token, subscriber, number, err)
		}
		for _, other := range []Purpose{PurposePreferences, PurposeMove, PurposeForm} {
			if _, _, err := tokens.VerifyFor(other, token); !errors.Is(err, ErrToken) {
				t.Errorf("a token of %s is good for %s", PurposeConfirm, other)
			}
		}
		if _, _, err := tokens.VerifyBounce(token); !errors.Is(err, ErrToken) {
			t.Error("a token to confirm is good for a bounce")
		}
		if _, _, err := tokens.Verify(token); !errors.Is(err, ErrToken) {
			t.Error("a token to confirm unsubscribes")
		}
	}
	good := tokens.SignFor(PurposeConfirm, 7, 2)
	if old, _, err := NewTokens(testKey(2), testKey(1)).VerifyFor(PurposeConfirm, good); err != nil || old != 7 {
		t.Errorf("a token of an older key gives %d, %v", old, err)
	}
	other := NewTokens(Key{ID: 1, Secret: testKey(9).Secret}).SignFor(PurposeConfirm, 7, 2)
	forged := []string{"", "a", other, tokens.Sign(7, 2), tokens.SignBounce(7, 2), good + "a", good[1:], good[:len(good)-1], good + "\n", strings.Repeat("a", 1<<20)}
	for i := range good {
		for _, c := range []byte{'a', 'b', 'z', '2', '7'} {
			if good[i] != c {
				forged = append(forged, good[:i]+string(c)+good[i+1:])
			}
		}
	}
	for _, token := range forged {
		if _, _, err := tokens.VerifyFor(PurposeConfirm, token); err != ErrToken { //nolint:errorlint // nothing may be wrapped around it
			t.Errorf("VerifyFor(%.80q) gives %v", token, err)
		}
	}
}

func FuzzVerifyFor(f *testing.F) {
	tokens := NewTokens(testKey(1))
	f.Add(tokens.SignFor(PurposeConfirm, 7, 2))
	f.Add(strings.Repeat("7", maxPurposeToken))
	f.Fuzz(func(t *testing.T, token string) {
		subscriber, n, err := tokens.VerifyFor(PurposeConfirm, token)
		if err == nil && tokens.SignFor(PurposeConfirm, subscriber, n) != strings.ToLower(token) {
			t.Errorf("%q is taken for one of %d, %d", token, subscriber, n)
		}
	})
}
