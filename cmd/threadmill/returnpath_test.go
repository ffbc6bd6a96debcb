package main

import (
	"testing"

	"threadmill/internal/config"
)

// The envelope sender follows mail.bounce, and what leaves is ASCII whatever
// the domain.
func TestReturnPathOfConfig(t *testing.T) {
	for _, test := range []struct {
		mail config.Mail
		want string
	}{
		{config.Mail{From: "Jo <jo@example.com>", Bounce: config.Bounce{Mode: "from"}}, "jo@example.com"},
		{config.Mail{From: "Jo <jo@example.com>", Bounce: config.Bounce{Mode: "plus"}}, "jo+t@example.com"},
		{config.Mail{From: "Jo <jo@example.com>", Bounce: config.Bounce{Mode: "verp", Domain: "post.example.com"}}, "bounce+t@post.example.com"},
		{config.Mail{From: "jo@bücher.example", Bounce: config.Bounce{Mode: "plus"}}, "jo+t@xn--bcher-kva.example"},
		{config.Mail{From: "jo@example.com", Bounce: config.Bounce{Mode: "verp", Domain: "post.bücher.example"}}, "bounce+t@post.xn--bcher-kva.example"},
	} {
		p := publication{Config: config.Config{Mail: test.mail}}
		if got := p.letterhead().ReturnPath.For("t"); got != test.want {
			t.Errorf("%+v: %s, want %s", test.mail.Bounce, got, test.want)
		}
	}
	p := publication{Config: config.Config{Mail: config.Mail{From: "Jörg <jo@BÜCHER.example>", ReplyTo: "a@bücher.example"}}}
	if l := p.letterhead(); l.From.Address != "jo@xn--bcher-kva.example" || l.From.Name != "Jörg" || l.ReplyTo.Address != "a@xn--bcher-kva.example" {
		t.Errorf("letterhead: %v, %v", l.From, l.ReplyTo)
	}
}
