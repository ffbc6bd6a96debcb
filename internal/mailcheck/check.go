package mailcheck

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Options say who sends, by which relay, and where readers unsubscribe.
type Options struct {
	Resolver *Resolver // nil: the system's
	From     string    // address of the From field
	// Envelope is the address or domain of the envelope sender; empty: From.
	Envelope string
	ReplyTo  string // address; empty: From
	Relay    *Relay // nil: no relay
	Keys     []Key
	Web      Web
	// Roots are trusted for TLS; nil: the system's.
	Roots *x509.CertPool
	// Timeout bounds each check; 0: 5 s.
	Timeout time.Duration
}

// Relay is who hands the mail on.
type Relay struct {
	Host string
	Port int
	TLS  string // as of mail.SMTPOptions: mandatory, opportunistic, implicit or none
	// Provider is a name such as "ses"; empty: known by the host, or none.
	Provider string
	Username string // empty: no login
	// LocalName is the name for EHLO.
	LocalName string
	// Login connects as for sending; nil: not tried.
	Login func(context.Context) error
	// Largest is the size of the largest message in octets.
	Largest int
}

// Key is a key that signs the mail.
type Key struct {
	Domain, Selector string
	Public           crypto.PublicKey // *rsa.PublicKey or ed25519.PublicKey
	Value            string           // of its TXT record
}

// Web is the web server that takes the unsubscribe requests.
type Web struct {
	URL string // base of the dynamic addresses; empty: not looked at
	// Publication is the id that /healthz has to tell; empty: any.
	Publication string
	// OneClick is an address of a list that nobody is on; empty where readers
	// unsubscribe by mail alone.
	OneClick string
}

// checker is one run.
type checker struct {
	Options
	from, envelope string // domains
	provider       *provider
	relay          func() probe // connects once
}

// Run makes all checks at once and returns their findings in a fixed order.
func Run(ctx context.Context, o Options) []Finding {
	c := newChecker(o)
	checks := []func(context.Context) []Finding{c.web}
	if c.Relay != nil {
		c.provider = providerOf(c.Relay.Provider, c.Relay.Host)
		c.relay = sync.OnceValue(func() probe {
			ctx, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			return c.connect(ctx)
		})
		checks = slices.Insert(checks, 0, c.reached, c.secured, c.login, c.size, c.pipelining)
	}
	if c.from == "" {
		return c.all(ctx, checks)
	}
	if f := c.offline(ctx); f != nil {
		return append([]Finding{*f}, c.all(ctx, checks)...)
	}
	return c.all(ctx, slices.Concat([]func(context.Context) []Finding{c.spf, c.dkim, c.dmarc, c.mx, c.ptr}, checks))
}

func newChecker(o Options) *checker {
	c := &checker{Options: o, from: domainOf(o.From), envelope: domainOf(cmp.Or(o.Envelope, o.From))}
	if c.Resolver == nil {
		c.Resolver = NewResolver("")
	}
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	return c
}

// all runs the checks, each within its time.
func (c *checker) all(ctx context.Context, checks []func(context.Context) []Finding) []Finding {
	results := make([][]Finding, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() {
			if c.Relay != nil {
				c.relay() // what is learned from it is waited for outside of the time of a check
			}
			ctx, cancel := context.WithTimeout(ctx, c.Timeout)
			defer cancel()
			results[i] = check(ctx)
		})
	}
	wg.Wait()
	return slices.Concat(results...)
}

// offline tells that DNS cannot be asked at all, so that one line says it
// instead of many.
func (c *checker) offline(ctx context.Context) *Finding {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	_, err := c.Resolver.LookupTXT(ctx, c.from)
	if err == nil || absent(err) {
		return nil
	}
	f := Finding{Check: "dns", Subject: c.from}.
		with(Error, fmt.Sprintf("no name server answers (%s), so SPF, DKIM, DMARC, MX and PTR were not looked at", reason(err))).
		advise("go online, or name a server that answers with --resolver")
	return &f
}
