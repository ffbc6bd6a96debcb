package main

import (
	"context"
	"fmt"

	"threadmill/internal/mail"
	"threadmill/internal/mailcheck"
	"threadmill/internal/publish"
)

// largestMessage is above what an issue weighs: its HTML stays below 102 KB, and
// its text and its header are smaller.
const largestMessage = 256 << 10

// resolver asks the name server that is named by the flag or the environment,
// which lets scripts look at a zone that is not public yet, else the system's.
func (a *app) resolver(server string) *mailcheck.Resolver {
	if server == "" {
		server, _ = a.env("THREADMILL_RESOLVER")
	}
	return mailcheck.NewResolver(server)
}

// checkNet asks the net what receivers will ask it.
func (a *app) checkNet(ctx context.Context, p *publication, server string, r *checkReport) error {
	o, err := p.netChecks(a.resolver(server))
	if err != nil {
		return err
	}
	if o.Web.Publication, err = p.store.PublicationID(ctx); err != nil {
		return err
	}
	r.Net = mailcheck.Run(ctx, o)
	for _, f := range r.Net {
		fmt.Fprintln(r.out, f)
		if f.Verdict == mailcheck.Error {
			r.Errors++
		}
	}
	return ctx.Err()
}

// netChecks says who sends, as the letters will.
func (p *publication) netChecks(resolver *mailcheck.Resolver) (mailcheck.Options, error) {
	l := p.letterhead()
	o := mailcheck.Options{
		Resolver: resolver,
		From:     l.From.Address,
		Envelope: l.ReturnPath.For(""),
		ReplyTo:  l.ReplyTo.Address,
		Web:      mailcheck.Web{URL: p.Web.URL},
	}
	if l.OneClick { // a token for nobody, which only this publication takes for its own
		o.Web.OneClick = l.UnsubscribeURL + p.tokens.Sign(0, 0)
	}
	keys, _, err := dkimKeys(&p.Config)
	if err != nil {
		return o, err
	}
	for _, k := range keys {
		_, value := k.Record()
		o.Keys = append(o.Keys, mailcheck.Key{Domain: k.Domain, Selector: k.Selector, Public: k.Signer.Public(), Value: value})
	}
	if p.Mail.Transport == "folder" {
		return o, nil
	}
	s := p.relay()
	s.Resolver = resolver.Net()
	o.Relay = &mailcheck.Relay{
		Host:      s.Host,
		Port:      s.Port,
		TLS:       s.TLS,
		Provider:  p.Mail.Provider,
		Username:  s.Username,
		LocalName: s.LocalName,
		Largest:   largestMessage + publish.MaxPictures(p.Mail.Images == "embedded"),
		Login: func(ctx context.Context) error {
			conn, err := mail.NewSMTP(s).Dial(ctx)
			if err != nil {
				return err
			}
			return conn.Close()
		},
	}
	return o, nil
}
