package main

import (
	"context"
	"fmt"

	"threadmill/internal/mail"
	"threadmill/internal/mailcheck"
)

// largestMessage is above what an issue weighs: its HTML stays below 102 KB, and
// its text and its header are smaller.
const largestMessage = 256 << 10

// checkNet asks the net what receivers will ask it. A server named by the
// environment lets scripts look at a zone that is not public yet.
func (a *app) checkNet(ctx context.Context, p *publication, server string, r *checkReport) {
	if server == "" {
		server, _ = a.env("THREADMILL_RESOLVER")
	}
	resolver := mailcheck.NewResolver(server)
	r.Net = mailcheck.Run(ctx, p.netChecks(resolver))
	for _, f := range r.Net {
		fmt.Fprintln(r.out, f)
		if f.Verdict == mailcheck.Error {
			r.Errors++
		}
	}
}

// netChecks says who sends, as the letters will.
func (p *publication) netChecks(resolver *mailcheck.Resolver) mailcheck.Options {
	l := p.letterhead()
	o := mailcheck.Options{
		Resolver: resolver,
		From:     l.From.Address,
		ReplyTo:  l.ReplyTo.Address,
		Web:      mailcheck.Web{URL: p.Web.URL},
	}
	if l.OneClick { // a token for nobody, which only this publication takes for its own
		o.Web.OneClick = l.UnsubscribeURL + p.tokens.Sign(0, 0)
	}
	if p.Mail.Transport == "folder" {
		return o
	}
	s := p.relay()
	s.Resolver = resolver.Net()
	o.Relay = &mailcheck.Relay{
		Host:      s.Host,
		Port:      s.Port,
		TLS:       s.TLS,
		Username:  s.Username,
		LocalName: s.LocalName,
		Largest:   largestMessage,
		Login: func(ctx context.Context) error {
			conn, err := mail.NewSMTP(s).Dial(ctx)
			if err != nil {
				return err
			}
			return conn.Close()
		},
	}
	return o
}
