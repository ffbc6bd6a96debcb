package deliver

import (
	"fmt"
	"testing"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
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

// The author's copy has an envelope sender that a relay takes, and that names no
// delivery.
func TestVariableReturnPathOfCopy(t *testing.T) {
	s := openStore(t)
	r := &relay{}
	r.start(t)
	subscribe(t, s, 1)
	path, err := mail.Tokened("bounce@news.example.org")
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(t.Context(), publishFrom(t, s, 7, path))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	held := newsletter.Issue{Number: 2, Slug: "b", PublishedAt: now, HeldUntil: now.Add(time.Hour), AuthorCopy: "jo@example.com"}
	if _, err := s.Publish(t.Context(), held, nil, snap, 7); err != nil {
		t.Fatal(err)
	}
	if err := s.SiteWritten(t.Context(), []int64{2}); err != nil {
		t.Fatal(err)
	}
	if err := New(options(s, r.transport())).SendCopies(t.Context(), s, "Jo", "https://example.com/"); err != nil {
		t.Fatal(err)
	}
	got := r.received()
	if len(got) != 1 || got[0].from != "bounce+copy@news.example.org" {
		t.Errorf("the copy came as %+v", got)
	}
}
