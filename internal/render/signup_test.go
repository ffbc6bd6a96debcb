package render

import (
	"strings"
	"testing"
	"time"

	"threadmill/internal/newsletter"
)

func TestLetters(t *testing.T) {
	pub := publication()
	until := time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
	ask := Letter{Link: "https://example.org/confirm/abc", Until: until, Answer: true, From: "news@example.org"}
	for _, tt := range []struct {
		kind newsletter.LetterKind
		lang string
		l    Letter
	}{
		{newsletter.LetterConfirm, "en", ask},
		{newsletter.LetterRemind, "de", ask},
		{newsletter.LetterKnown, "en", Letter{From: "news@example.org"}},
	} {
		pub.Language, tt.l.Kind = tt.lang, tt.kind
		m, err := builtin(t).Letter(pub, tt.l)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "letter-"+string(tt.kind)+".txt", "Subject: "+m.Subject+"\n\n"+m.Text)
		golden(t, "letter-"+string(tt.kind)+".html", m.HTML)
	}
	if _, err := builtin(t).Letter(pub, Letter{Kind: "nothing"}); err == nil {
		t.Error("a letter without a subject was rendered")
	}
}

func TestSignUpPages(t *testing.T) {
	pub := publication()
	pub.SignUp = "https://example.org/subscribe"
	tmpl := builtin(t)
	page := func(name string) func(html []byte, err error) {
		return func(html []byte, err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			_, body, _ := strings.Cut(string(html), "<body>")
			golden(t, name, body)
		}
	}
	page("signup-sent.html")(tmpl.SignUpPage(pub, SignUp{Email: `"><b>@example.org`}))
	page("signup-bad.html")(tmpl.SignUpPage(pub, SignUp{Email: "jo", Bad: true}))
	page("signup-again.html")(tmpl.SignUpPage(pub, SignUp{Email: "jo@example.org", Again: true, Stamp: "abc", Name: "Jo", Tags: []string{"web"}}))
	page("signup-busy.html")(tmpl.SignUpPage(pub, SignUp{Busy: true}))
	page("confirm-ask.html")(tmpl.ConfirmPage(pub, Confirm{Action: "/confirm/abc"}))
	page("confirm-done.html")(tmpl.ConfirmPage(pub, Confirm{Done: true, Email: "j…@e….org", Next: "Monday 7 December"}))
	page("confirm-bad.html")(tmpl.ConfirmPage(pub, Confirm{Invalid: true}))
	page("subscribe-form.html")(tmpl.SubscribePage(pub, "Monday 7 December", true))
}
