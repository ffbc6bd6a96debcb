package mailcheck

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"threadmill/internal/mail"
	"threadmill/internal/mailcheck/zonetest"
)

// authority signs certificates for tests.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	cert := a.sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotAfter: time.Now().Add(24 * time.Hour),
	})
	a.cert, a.key = cert.Leaf, cert.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

// sign makes a certificate, signed by itself where a has none yet.
func (a *authority) sign(t *testing.T, template *x509.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore = time.Now().Add(-100 * 24 * time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// loginBackend wants the password "right".
type loginBackend struct{}

func (loginBackend) NewSession(*smtp.Conn) (smtp.Session, error) { return loginSession{}, nil }

type loginSession struct{ session }

func (loginSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (loginSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, _, password string) error {
		if password != "right" {
			return smtp.ErrAuthFailed
		}
		return nil
	}), nil
}

// mute takes connections and says nothing.
type mute struct{ net.Listener }

func (m mute) Accept() (net.Conn, error) {
	c, err := m.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return muteConn{c}, nil
}

type muteConn struct{ net.Conn }

func (muteConn) Write(p []byte) (int, error) { return len(p), nil }

var dates = regexp.MustCompile(`\d{1,2} [A-Z][a-z]+ 20\d\d`)

func TestRelay(t *testing.T) {
	t.Parallel()
	ours, theirs := newAuthority(t), newAuthority(t)
	serverTLS := func(a *authority, name string, left time.Duration) *tls.Config {
		return &tls.Config{Certificates: []tls.Certificate{a.sign(t, &x509.Certificate{
			Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(left),
		})}}
	}
	const month = 31 * 24 * time.Hour
	good := serverTLS(ours, "relay.example.org", month)
	with := func(c *tls.Config) func(*smtp.Server) { return func(s *smtp.Server) { s.TLSConfig = c } }
	old := good.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	login := func(s *smtp.Server) { s.TLSConfig, s.Backend = good, loginBackend{} }
	cases := []struct {
		name   string
		server func(*smtp.Server)
		wrap   func(net.Listener) net.Listener
		set    func(*Relay)
	}{
		{"all is right", with(good), nil, nil},
		{"the certificate ends soon", with(serverTLS(ours, "relay.example.org", 3*24*time.Hour)), nil, nil},
		{"the certificate has ended", with(serverTLS(ours, "relay.example.org", -24*time.Hour)), nil, nil},
		{"the certificate has another name", with(serverTLS(ours, "other.example.org", month)), nil, nil},
		{"the certificate is signed by itself", with(serverTLS(&authority{}, "relay.example.org", month)), nil, nil},
		{"the certificate is of another authority", with(serverTLS(theirs, "relay.example.org", month)), nil, nil},
		{"an old version", with(old), nil, nil},
		{"no STARTTLS", with(nil), nil, nil},
		{"no STARTTLS, and none needed", with(nil), nil, func(r *Relay) { r.TLS = "opportunistic" }},
		{"no TLS wanted", with(good), nil, func(r *Relay) { r.TLS = "none" }},
		{"implicit", with(nil), func(l net.Listener) net.Listener { return tls.NewListener(l, good) }, func(r *Relay) { r.TLS = "implicit" }},
		{"implicit where there is none", with(good), nil, func(r *Relay) { r.TLS = "implicit" }},
		{"silence", with(good), func(l net.Listener) net.Listener { return mute{l} }, nil},
		{"another host", with(good), nil, func(r *Relay) { r.Host = "nothing.example.org" }},
		{"login", login, nil, func(r *Relay) { r.Username = "right" }},
		{"a wrong password", login, nil, func(r *Relay) { r.Username = "wrong" }},
		{"a login that is not offered", with(good), nil, func(r *Relay) { r.Username = "right" }},
		{"small messages only", func(s *smtp.Server) { s.TLSConfig, s.MaxMessageBytes = good, 100<<10 }, nil, nil},
		{"room enough", func(s *smtp.Server) { s.TLSConfig, s.MaxMessageBytes = good, 10<<20 }, nil, nil},
	}
	zone := zonetest.Serve(t, "example.org.", zoneText(rightZone(t)))
	var out strings.Builder
	for _, tc := range cases {
		port := startRelay(t, tc.server, tc.wrap)
		o := Options{Resolver: NewResolver(zone), Roots: ours.pool(), Timeout: 5 * time.Second}
		o.Relay = &Relay{Host: "relay.example.org", Port: port, TLS: mail.TLSMandatory, Largest: 200 << 10}
		if tc.set != nil {
			tc.set(o.Relay)
		}
		if tc.name == "silence" {
			o.Timeout = 50 * time.Millisecond
		}
		o.Relay.Login = loginBy(o)
		fmt.Fprintf(&out, "# %s\n", tc.name)
		for _, f := range Run(t.Context(), o) {
			line := strings.ReplaceAll(f.String(), strconv.Itoa(port), "PORT")
			line = strings.ReplaceAll(line, zone, "RESOLVER")
			fmt.Fprintln(&out, dates.ReplaceAllString(line, "DATE"))
		}
		fmt.Fprintln(&out)
	}
	golden(t, "relay.txt", out.String())
}

// loginBy logs in as sending does.
func loginBy(o Options) func(context.Context) error {
	r := o.Relay
	password := ""
	if r.Username != "" {
		password = r.Username
	}
	s := mail.NewSMTP(mail.SMTPOptions{
		Host: r.Host, Port: r.Port, TLS: r.TLS, Username: r.Username, Password: password,
		Resolver: o.Resolver.Net(), TLSConfig: &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
	})
	return func(ctx context.Context) error {
		conn, err := s.Dial(ctx)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// A relay that nobody set up at the port, and a run that is called off.
func TestRelayIsNotThere(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	o := Options{Relay: &Relay{Host: "127.0.0.1", Port: port, TLS: "none"}}
	if got := Run(t.Context(), o); len(got) != 2 || got[0].Verdict != Error || !strings.Contains(got[0].Found, "refused") {
		t.Error(got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := Run(ctx, o); len(got) != 2 || got[0].Verdict != Error {
		t.Error(got)
	}
}

// What a relay says is bounded, and only a name counts as its name.
func TestGreeting(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"220 mx.example.org ESMTP Postfix\r\n": "mx.example.org",
		"220-MX.example.org hello\r\n220 on":   "mx.example.org",
		"220 localhost ESMTP\r\n":              "",
		"220 [192.0.2.1] hello\r\n":            "",
		"220 \x1b[31mred.example.org\r\n":      "",
		"554 no.example.org\r\n":               "",
		"":                                     "",
	} {
		if got := (&recorder{first: []byte(line)}).host(); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	r := &recorder{Conn: nil}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, errTooLong) {
		t.Error(err)
	}
}
