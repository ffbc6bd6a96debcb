package deliver

import (
	"fmt"
	"testing"

	"threadmill/internal/mail"
)

// Each delivery has an envelope sender of its own, also where its envelope goes
// along with the content of the one before.
func TestVariableReturnPath(t *testing.T) {
	s := openStore(t)
	r := &relay{}
	r.start(t)
	const people = 20
	subscribe(t, s, people)
	path, err := mail.Tokened("bounce@news.example.org")
	if err != nil {
		t.Fatal(err)
	}
	issue := publishFrom(t, s, 7, path)
	o := options(s, r.transport())
	o.BounceToken = func(subscriber, issue int64) string { return fmt.Sprintf("s%di%d", subscriber, issue) }
	drain(t, o)
	r.wantEveryoneOnce(t, people)
	seen := map[string]bool{}
	for _, m := range r.received() {
		var subscriber, number int64
		token, ok := path.Token(m.from)
		if _, err := fmt.Sscanf(token, "s%di%d", &subscriber, &number); err != nil || !ok || number != issue {
			t.Errorf("%s gets its mail from %s", m.to, m.from)
		}
		if sub, err := s.Subscriber(t.Context(), subscriber); err != nil || sub.Email != m.to {
			t.Errorf("%s gets what names %s (%v)", m.to, sub.Email, err)
		}
		seen[m.from] = true
	}
	if len(seen) != people {
		t.Errorf("%d envelope senders for %d people", len(seen), people)
	}
}
