package web_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
)

// doors are what the tokens of a mail open, with a token that fits each. The
// letters are those of the database of a list.
func (p *publication) doors(t *testing.T) (sub newsletter.Subscriber, fits map[string]string) {
	t.Helper()
	p.signUp(t, "/subscribe", "eve@example.org")
	confirm := strings.TrimPrefix(p.link(t, "eve@example.org"), "/confirm/")
	sub = p.subscriber(t)
	p.post(t, "/preferences/"+tokens.Sign(sub.ID, 1), "do", "save", "email", "new@example.org")
	letter, err := p.db.TakeLetter(t.Context(), time.Hour)
	if err != nil || letter.Kind != newsletter.LetterMove {
		t.Fatalf("%+v, %v", letter, err)
	}
	return sub, map[string]string{
		"/unsubscribe/": tokens.Sign(sub.ID, 1),
		"/preferences/": tokens.SignFor(audience.PurposePreferences, sub.ID, 0),
		"/confirm/":     confirm,
		"/move/":        tokens.SignFor(audience.PurposeMove, sub.ID, letter.ID),
	}
}

// broken are tokens that nobody may use, made of a good one.
func broken(good string) map[string]string {
	list := map[string]string{
		"empty of sense": "x", "cut": good[:len(good)-1], "cut in half": good[:len(good)/2], "longer": good + "a", "twice": good + good,
		"very long": strings.Repeat("A", 4000), "zero": "%00", "markup": "%3Cscript%3E", "a path": "..%2f..%2fetc", "a line": good + "%0A",
	}
	for _, at := range []int{0, 1, len(good) / 2, len(good) - 2} {
		other := byte('b')
		if good[at] == other {
			other = 'c'
		}
		list[fmt.Sprintf("another byte %d", at)] = good[:at] + string(other) + good[at+1:]
	}
	return list
}

// signed are tokens that were signed, by somebody else or for something else.
func signed(sub int64) map[string]string {
	list := map[string]string{"of the envelope": tokens.SignBounce(sub, 1)}
	for name, key := range map[string]audience.Key{
		"another list":  {ID: 1, Secret: bytes.Repeat([]byte{2}, 32)},
		"a key unknown": {ID: 77, Secret: bytes.Repeat([]byte{1}, 32)},
	} {
		other := audience.NewTokens(key)
		list[name] = other.Sign(sub, 1)
		for _, purpose := range []audience.Purpose{audience.PurposeConfirm, audience.PurposePreferences, audience.PurposeMove, audience.PurposeForm} {
			list[name+", "+string(purpose)] = other.SignFor(purpose, sub, 1)
		}
	}
	list["of a form"] = tokens.SignFor(audience.PurposeForm, sub, time.Now().UnixMilli())
	return list
}

// deedsAt are what a POST to a door may ask for.
func deedsAt(door string) []string {
	switch door {
	case "/preferences/":
		return []string{"save", "resume", "download", "erase", "move", "return", "pause", "tell", "dance", ""}
	case "/move/":
		return []string{"move"}
	}
	return []string{""}
}

// A token that is forged, cut, too old, another list's or for something else
// opens nothing and changes nothing, wherever there is a token in an address.
func TestTokens(t *testing.T) {
	p := openSignUp(t, audience.Limits{}, tagged)
	sub, fits := p.doors(t)
	eve, err := p.db.SubscriberByKey(t.Context(), "eve@example.org")
	if err != nil {
		t.Fatal(err)
	}
	old := map[string]map[string]string{
		"/confirm/": {"expired": tokens.SignFor(audience.PurposeConfirm, eve.ID, time.Now().Add(-25*time.Hour).UnixMilli()), "another moment": tokens.SignFor(audience.PurposeConfirm, eve.ID, time.Now().UnixMilli()+1)},
		"/move/":    {"another letter": tokens.SignFor(audience.PurposeMove, sub.ID, 99), "another's letter": tokens.SignFor(audience.PurposeMove, eve.ID, 2)},
	}
	before := p.dump(t)
	for door, good := range fits {
		place := strings.Replace(door, "move", "preferences", 1)
		t.Run(door, func(t *testing.T) {
			if res := p.get(t, place+good); res.StatusCode != http.StatusOK {
				t.Fatalf("the good one: %s\n%s", res.Status, res.body)
			}
			bad := broken(good)
			maps.Copy(bad, signed(sub.ID))
			maps.Copy(bad, old[door])
			for other, token := range fits {
				// The link of a mail leads to the preferences as well, and theirs to the goodbye.
				if pair := []string{"/unsubscribe/", "/preferences/", "/move/"}; other != door && !(slices.Contains(pair, other) && slices.Contains(pair, door)) {
					bad["for "+other] = token
				}
			}
			for name, token := range bad {
				asked := []answer{p.get(t, place+token), p.get(t, place+token+"?erase")}
				for _, do := range deedsAt(door) {
					asked = append(asked, p.post(t, place+token, "do", do, "name", "Eve", "email", "eve@example.net", "List-Unsubscribe", "One-Click"))
				}
				for _, res := range asked {
					if res.StatusCode != http.StatusBadRequest || !strings.Contains(res.body, "link does not work") || strings.Contains(res.body, "<script>") {
						t.Errorf("%s: %s\n%.300s", name, res.Status, res.body)
					}
				}
			}
		})
	}
	if diff := cmp.Diff(before, p.dump(t)); diff != "" {
		t.Error(diff)
	}
}

// The stamp in a form is held to the same: nobody signs up by one that is not
// ours, too old, too new or for another address.
func TestStamps(t *testing.T) {
	p := openSignUp(t, audience.Limits{})
	ask := func(stamp string) int {
		form := url.Values{"email": {"ada@example.org"}, "stamp": {stamp}}
		return p.ask(t, http.MethodPost, "/subscribe", form.Encode(), "Content-Type", "application/x-www-form-urlencoded").StatusCode
	}
	aged := func(who int64, age time.Duration) string {
		return tokens.SignFor(audience.PurposeForm, who, time.Now().Add(-age).UnixMilli())
	}
	good := aged(0, time.Minute)
	bad := broken(good)
	maps.Copy(bad, signed(1))
	bad["too old"], bad["too quick"], bad["another address"] = aged(0, 25*time.Hour), aged(0, 0), aged(7, time.Minute)
	before := p.dump(t)
	for name, stamp := range bad {
		if code := ask(stamp); code != http.StatusPreconditionRequired {
			t.Errorf("%s: %d", name, code)
		}
	}
	if diff := cmp.Diff(before, p.dump(t)); diff != "" {
		t.Error(diff)
	}
	if code := ask(good); code != http.StatusOK {
		t.Errorf("the good one: %d", code)
	}
}
