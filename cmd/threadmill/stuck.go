package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"threadmill/internal/mailcheck"
	"threadmill/internal/newsletter"
)

// stuckError says that readers could not unsubscribe from mail that is to leave.
type stuckError struct{ error }

func (e *stuckError) Unwrap() error { return e.error }

// mayMail tells what keeps the readers of a new issue from unsubscribing: the
// address in its mail is not https, or no server of this publication answers
// there. Where no mail leaves this machine, or readers unsubscribe by mail, or
// there are none, nothing does.
func (p *publication) mayMail(ctx context.Context) error {
	if !p.mailsOut() {
		return nil
	}
	counts, err := p.store.CountSubscribers(ctx)
	if err != nil || counts[newsletter.SubscriberActive] == 0 {
		return err
	}
	fault := p.reached(ctx)
	if fault == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	key := p.webKey()
	return &stuckError{fmt.Errorf("%s: %s: readers could not unsubscribe at %s: %w. So nothing is published. `threadmill run` has to answer there, "+
		"behind a server with a certificate or with web.tls: auto (docs/server.md); or set mail.unsubscribe to mailto", p.Position(key), key, p.Web.URL, fault)}
}

// mailsOut tells whether mail leaves this machine with a link to unsubscribe.
func (p *publication) mailsOut() bool {
	return p.Mail.Unsubscribe != "mailto" && p.Mail.Transport != "folder" && !newsletter.Loopback(p.Mail.SMTP.Host)
}

// webKey is the key of the config that says where readers unsubscribe.
func (p *publication) webKey() string {
	if p.Given("web.url") {
		return "web.url"
	}
	return "publication.url"
}

// unreachable tells whether mail leaves with a link that is not https, which
// can be seen without asking.
func (p *publication) unreachable() bool {
	u, err := url.Parse(p.Web.URL)
	return err == nil && p.mailsOut() && u.Scheme != "https" && !newsletter.Loopback(u.Hostname())
}

// reached tells why readers could not come to the web server.
func (p *publication) reached(ctx context.Context) error {
	if p.unreachable() {
		return errors.New("it is not https, and mail programs take no other for one click (RFC 8058)")
	}
	id, err := p.store.PublicationID(ctx)
	if err != nil {
		return err
	}
	return mailcheck.Reach(ctx, mailcheck.Options{Web: mailcheck.Web{URL: p.Web.URL, Publication: id}})
}
