package mailcheck

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// probe is what one look at the relay told.
type probe struct {
	err      error // it could not be reached
	addrs    []netip.Addr
	greeting string // the name by which it greets
	offered  bool   // STARTTLS
	tls      *tls.ConnectionState
	tlsErr   error
	auth     string // the ways to log in, with a blank between them
	size     int    // the largest message in octets, 0 if none is told
	pipes    bool
}

// maxAnswers is how much a relay may say in all.
const maxAnswers = 256 << 10

// recorder keeps the first line that is read and bounds the rest.
type recorder struct {
	net.Conn
	mu    sync.Mutex
	first []byte
	left  int
}

var errTooLong = errors.New("the relay says too much")

func (r *recorder) Read(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left <= 0 {
		return 0, errTooLong
	}
	n, err := r.Conn.Read(p[:min(len(p), r.left)])
	r.left -= n
	if len(r.first) < 512 {
		r.first = append(r.first, p[:n]...)
	}
	return n, err
}

// host is the name in the greeting (RFC 5321, section 4.2), empty if it is not
// the name of a host.
func (r *recorder) host() string {
	line, _, _ := strings.Cut(string(r.first), "\r\n")
	_, text, _ := strings.Cut(strings.Replace(line, "220-", "220 ", 1), "220 ")
	name, _, _ := strings.Cut(text, " ")
	if name = ascii(name); !strings.Contains(name, ".") || strings.ContainsFunc(name, notInName) {
		return ""
	}
	return name
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
}

// connect looks at the relay: in the clear first, for its greeting and whether
// it offers TLS, and where it does once more for what it offers then.
func (c *checker) connect(ctx context.Context) probe {
	var p probe
	p.addrs, p.err = c.Resolver.addresses(ctx, ascii(c.Relay.Host))
	if p.err == nil && len(p.addrs) == 0 {
		p.err = fmt.Errorf("there is no host %s", shown(c.Relay.Host))
	}
	if p.err != nil {
		return p
	}
	if p.err = c.speak(ctx, &p, false); p.err == nil && p.offered && c.Relay.TLS != "none" {
		p.tlsErr = c.speak(ctx, &p, true)
	}
	return p
}

// speak greets the relay and notes what it offers, after STARTTLS if upgrade.
func (c *checker) speak(ctx context.Context, p *probe, upgrade bool) error {
	conn, rec, err := c.dial(ctx)
	if err != nil {
		return c.late(ctx, err)
	}
	defer conn.Close()
	if p.addrs[0].IsLoopback() { // the address that was used, not all names of this machine
		if at, err := netip.ParseAddrPort(conn.RemoteAddr().String()); err == nil {
			p.addrs = []netip.Addr{at.Addr().Unmap()}
		}
	}
	stop := context.AfterFunc(ctx, func() { _ = rec.Close() })
	defer stop()
	var client *smtp.Client
	if upgrade {
		client, err = smtp.NewClientStartTLS(conn, c.tlsConfig())
	} else {
		conn, err = c.implicit(ctx, p, conn)
		if err == nil {
			client = smtp.NewClient(conn)
			err = client.Hello(cmp.Or(c.Relay.LocalName, "localhost"))
		}
	}
	if err != nil {
		return c.late(ctx, err)
	}
	if upgrade {
		if err := client.Noop(); err != nil { // the handshake and a new EHLO come with it
			return c.late(ctx, err)
		}
	}
	if state, ok := client.TLSConnectionState(); ok {
		p.tls = &state
	}
	if c.Relay.TLS != "implicit" && !upgrade {
		p.greeting = rec.host()
	}
	p.note(client, upgrade)
	_ = client.Quit()
	return nil
}

// late is the error of a connection that was cut because its time was over.
func (c *checker) late(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", c.Timeout)
	}
	return err
}

func (p *probe) note(client *smtp.Client, upgraded bool) {
	if !upgraded {
		p.offered, _ = client.Extension("STARTTLS")
	}
	_, p.auth = client.Extension("AUTH")
	p.pipes, _ = client.Extension("PIPELINING")
	p.size = 0
	if _, text := client.Extension("SIZE"); text != "" {
		p.size, _ = strconv.Atoi(text)
	}
}

func (c *checker) dial(ctx context.Context) (net.Conn, *recorder, error) {
	d := net.Dialer{Resolver: c.Resolver.Net()}
	host := c.Relay.Host
	if net.ParseIP(host) == nil {
		host = rooted(ascii(host))
	}
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(c.Relay.Port)))
	if err != nil {
		return nil, nil, err
	}
	r := &recorder{Conn: conn, left: maxAnswers}
	return r, r, nil
}

// implicit begins TLS at once where the relay is set so.
func (c *checker) implicit(ctx context.Context, p *probe, conn net.Conn) (net.Conn, error) {
	if c.Relay.TLS != "implicit" {
		return conn, nil
	}
	secured := tls.Client(conn, c.tlsConfig())
	if err := secured.HandshakeContext(ctx); err != nil {
		p.tlsErr = err
		return nil, err
	}
	return secured, nil
}

// tlsConfig takes any certificate and any version, to tell what is wrong with
// them. No login is sent over such a connection.
func (c *checker) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: ascii(c.Relay.Host), MinVersion: tls.VersionTLS10, InsecureSkipVerify: true}
}

func (c *checker) at() string { return net.JoinHostPort(c.Relay.Host, strconv.Itoa(c.Relay.Port)) }

// reached tells whether the relay answers.
func (c *checker) reached(context.Context) []Finding {
	f := Finding{Check: "relay", Subject: c.at()}
	p := c.relay()
	switch {
	case p.tlsErr != nil && p.err != nil:
		return nil // told by secured
	case p.err != nil:
		return []Finding{f.with(Error, reason(p.err)).because("no mail leaves without it").advise("check mail.smtp.host and mail.smtp.port, and that nothing between blocks the port")}
	}
	found := "it answers"
	if p.greeting != "" {
		found += " as " + shown(p.greeting)
	}
	return []Finding{f.with(OK, found)}
}

// plain tells whether what came was no TLS.
func plain(err error) bool {
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}

const expiresSoon = 14 * 24 * time.Hour

// secured looks at STARTTLS, the version and the certificate.
func (c *checker) secured(context.Context) []Finding {
	p, f := c.relay(), Finding{Check: "tls", Subject: c.at()}
	local := len(p.addrs) > 0 && p.addrs[0].IsLoopback()
	const why = "without TLS everybody on the way can read the mail and the password"
	switch {
	case c.Relay.TLS == "none" && local:
		return []Finding{f.with(OK, "not used (mail.smtp.tls: none); the relay is on this machine")}
	case c.Relay.TLS == "none":
		return []Finding{f.with(Warning, "not used (mail.smtp.tls: none)").because(why).advise("set mail.smtp.tls to mandatory")}
	case p.err != nil && p.tlsErr == nil:
		return nil // told by reached
	case p.tlsErr != nil && c.Relay.TLS == "implicit" && plain(p.tlsErr):
		return []Finding{f.with(Error, "the relay does not speak TLS at once").because("no mail leaves without it").advise("set mail.smtp.tls to mandatory (usual on port 587)")}
	case p.tlsErr != nil:
		return []Finding{f.with(Error, "the handshake fails: "+shown(p.tlsErr.Error())).because("no mail leaves without it").advise("have the relay speak TLS 1.2 or later")}
	case p.tls == nil && c.Relay.TLS == "opportunistic":
		return []Finding{f.with(Warning, "the relay offers no STARTTLS").because(why).advise("have the relay offer it")}
	case p.tls == nil:
		return []Finding{f.with(Error, "the relay offers no STARTTLS").because("no mail leaves without it").
			advise("set mail.smtp.tls to implicit (usual on port 465), or to none for a relay on this machine")}
	}
	return []Finding{c.judgeTLS(f, p.tls, time.Now())}
}

// judgeTLS looks at a connection.
func (c *checker) judgeTLS(f Finding, state *tls.ConnectionState, now time.Time) Finding {
	const why = "no mail leaves to a relay that cannot be trusted"
	version := tls.VersionName(state.Version)
	if state.Version < tls.VersionTLS12 {
		return f.with(Error, "the relay speaks "+version+" only").because(why).advise("have it speak TLS 1.2 or later")
	}
	leaf := state.PeerCertificates[0]
	until := leaf.NotAfter.UTC().Format("2 January 2006")
	inter := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		inter.AddCert(cert)
	}
	_, err := leaf.Verify(x509.VerifyOptions{DNSName: ascii(c.Relay.Host), Roots: c.Roots, Intermediates: inter, CurrentTime: now})
	invalid, _ := errors.AsType[x509.CertificateInvalidError](err)
	_, wrongName := errors.AsType[x509.HostnameError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	switch {
	case err == nil && now.Add(expiresSoon).After(leaf.NotAfter):
		return f.with(Warning, fmt.Sprintf("%s, but the certificate ends on %s", version, until)).because(why).advise("have it renewed now")
	case err == nil:
		return f.with(OK, fmt.Sprintf("%s, certificate of %s until %s", version, certName(leaf), until))
	case invalid.Cert != nil && invalid.Reason == x509.Expired && now.After(leaf.NotAfter):
		return f.with(Error, "the certificate ended on "+until).because(why).advise("have it renewed")
	case wrongName:
		return f.with(Error, fmt.Sprintf("the certificate is for %s, not for %s", certName(leaf), shown(c.Relay.Host))).because(why).
			advise("write the name of the certificate into mail.smtp.host, or have it made for this one")
	case unknown:
		return f.with(Error, "the certificate of "+certName(leaf)+" is signed by nobody whom this machine trusts (by "+quoted(leaf.Issuer.String())+")").because(why).
			advise("have the relay send a certificate of a public authority with its whole chain, or add its authority to the trusted ones of this machine")
	}
	return f.with(Error, "the certificate is not valid: "+shown(err.Error())).because(why).advise("have it made anew")
}

func certName(cert *x509.Certificate) string {
	switch {
	case len(cert.DNSNames) > 0:
		return shown(strings.Join(cert.DNSNames, ", "))
	case len(cert.IPAddresses) > 0:
		return cert.IPAddresses[0].String()
	}
	return shown(cmp.Or(cert.Subject.CommonName, "no name"))
}

// login tries whether the relay lets us in.
func (c *checker) login(ctx context.Context) []Finding {
	p, f := c.relay(), Finding{Check: "auth", Subject: c.at()}
	if p.err != nil || c.Relay.Login == nil || slices.ContainsFunc(c.secured(ctx), func(f Finding) bool { return f.Verdict == Error }) {
		return nil // told by reached and secured
	}
	if err := c.Relay.Login(ctx); err != nil {
		if c.Relay.Username == "" {
			return []Finding{f.with(Error, "the relay cannot be used: "+shown(err.Error())).because("no mail leaves")}
		}
		return []Finding{f.with(Error, "the login as "+shown(c.Relay.Username)+" fails: "+shown(err.Error())).because("no mail leaves")}
	}
	switch {
	case c.Relay.Username != "":
		return []Finding{f.with(OK, fmt.Sprintf("the login as %s works; offered are %s", shown(c.Relay.Username), shown(cmp.Or(p.auth, "other ways over TLS"))))}
	case p.auth != "":
		return []Finding{f.with(OK, "no login is set; the relay offers "+shown(p.auth))}
	}
	return []Finding{f.with(OK, "no login is set, and none is offered")}
}

// size compares what the relay takes with what we send (RFC 1870).
func (c *checker) size(context.Context) []Finding {
	p, f := c.relay(), Finding{Check: "size", Subject: c.at()}
	switch {
	case p.err != nil:
		return nil
	case p.size == 0:
		return []Finding{f.with(OK, "the relay tells no limit")}
	case p.size < c.Relay.Largest:
		return []Finding{f.with(Error, fmt.Sprintf("the relay takes messages up to %d KB, ours have up to %d KB", p.size>>10, c.Relay.Largest>>10)).
			because("it refuses larger ones").advise("raise its limit (Postfix: message_size_limit)")}
	}
	return []Finding{f.with(OK, fmt.Sprintf("the relay takes messages up to %d KB", p.size>>10))}
}

// pipelining tells about the speed (RFC 2920).
func (c *checker) pipelining(context.Context) []Finding {
	p, f := c.relay(), Finding{Check: "pipelining", Subject: c.at()}
	switch {
	case p.err != nil:
		return nil
	case p.pipes:
		return []Finding{f.with(OK, "offered, so a message costs one round trip")}
	}
	return []Finding{f.with(OK, "not offered, so a message costs four round trips")}
}

// senders are the addresses from which the world gets the mail: those of the
// relay, or of the name by which it greets where it is known here by an inner
// address only. For a provider they are not known.
func (c *checker) senders(ctx context.Context) []netip.Addr {
	if c.Relay == nil || c.provider != nil {
		return nil
	}
	p := c.relay()
	if len(p.addrs) == 0 || public(p.addrs[0]) || p.greeting == "" {
		return p.addrs
	}
	addrs, err := c.Resolver.addresses(ctx, p.greeting)
	if err != nil || len(addrs) == 0 || !public(addrs[0]) {
		return p.addrs
	}
	return addrs
}

func public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate()
}
