package audience_test

import (
	"crypto/sha256"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"threadmill/internal/audience"
)

// A form that was shown by us is too quick for a machine that does not wait,
// and one of another site comes as it is.
func TestFormAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := audience.NewSignUps(audience.SignUpOptions{Store: nowhere{}, Tokens: audience.NewTokens(key(1))})
		ask := func(stamp string) error {
			return s.Ask(t.Context(), "ada@example.org", "", nil, audience.Request{Stamp: stamp})
		}
		open, own, other := s.Stamp(""), s.Stamp("Ada@example.org"), s.Stamp("eve@example.org")
		for _, stamp := range []string{open, own, other, "forged"} {
			if err := ask(stamp); !errors.Is(err, audience.ErrAgain) {
				t.Errorf("%s at once: %v", stamp, err)
			}
		}
		if err := ask(""); err != nil {
			t.Errorf("a form of another site: %v", err)
		}
		time.Sleep(3 * time.Second)
		for stamp, good := range map[string]bool{open: true, own: true, other: false, "forged": false} {
			if err := ask(stamp); (err == nil) != good {
				t.Errorf("%s in time: %v", stamp, err)
			}
		}
		time.Sleep(25 * time.Hour)
		if err := ask(open); !errors.Is(err, audience.ErrAgain) {
			t.Errorf("after a day: %v", err)
		}
	})
}

func TestProofOfWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := audience.NewSignUps(audience.SignUpOptions{
			Store: nowhere{}, Tokens: audience.NewTokens(key(1)), Proof: 8, Limits: audience.Limits{PerHour: 10},
		})
		ask := func(address, stamp, proof string) error {
			return s.Ask(t.Context(), address, "", nil, audience.Request{Stamp: stamp, Proof: proof})
		}
		// found is a proof, or where none is wanted what is none.
		found := func(stamp string, want bool) string {
			for i := 0; ; i++ {
				if (sha256.Sum256([]byte(stamp + ":" + strconv.Itoa(i)))[0] == 0) == want {
					return strconv.Itoa(i)
				}
			}
		}
		stamp, open := s.Stamp("ada@example.org"), s.Stamp("")
		for name, c := range map[string][3]string{
			"without anything": {"ada@example.org", "", ""}, "without a proof": {"ada@example.org", stamp, ""},
			"a wrong proof": {"ada@example.org", stamp, found(stamp, false)}, "for another": {"eve@example.org", stamp, found(stamp, true)},
			"for nobody": {"ada@example.org", open, found(open, true)},
		} {
			if err := ask(c[0], c[1], c[2]); !errors.Is(err, audience.ErrAgain) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := ask("ada@example.org", stamp, found(stamp, true)); err != nil {
			t.Errorf("a proof: %v", err)
		}
		time.Sleep(16 * time.Second)
		if err := ask("ada@example.org", stamp, ""); err != nil {
			t.Errorf("who cannot compute and waits: %v", err)
		}
		if err := ask("ada@example.org", stamp, ""); !errors.Is(err, audience.ErrTooMany) {
			t.Errorf("a tenth of the forms may wait: %v", err)
		}
	})
}
