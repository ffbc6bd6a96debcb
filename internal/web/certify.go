package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"threadmill/internal/newsletter"
)

// CertificateStore keeps certificates with their keys. One that several servers
// share lets each of them answer the challenges of the authority.
type CertificateStore interface {
	// Certificate returns newsletter.ErrNotFound for what it does not have.
	Certificate(ctx context.Context, name string) ([]byte, error)
	KeepCertificate(ctx context.Context, name string, content []byte) error
	DropCertificate(ctx context.Context, name string) error
}

// Certificates say how a server gets its certificates (RFC 8555).
type Certificates struct {
	Hosts     []string // the names to get them for
	Email     string   // where the authority may write to; may be empty
	Directory string   // address of the authority
	Store     CertificateStore
	// Plain is where the server answers without TLS, such as ":80": the
	// challenges, and with the way to https. Empty for nowhere.
	Plain string
}

// The waits before a certificate is asked for again that could not be had: an
// authority bears few failures an hour for a name.
const (
	certifyFirst = 5 * time.Minute
	certifyMax   = 6 * time.Hour
)

// certifier has the certificates.
type certifier struct {
	hosts   []string
	manager *autocert.Manager
	log     *slog.Logger

	mu     sync.Mutex
	failed map[string]failure // by host
}

// failure is that a certificate could not be had.
type failure struct {
	err   error
	wait  time.Duration
	until time.Time
}

func newCertifier(c Certificates, log *slog.Logger) *certifier {
	ours := autocert.HostWhitelist(c.Hosts...)
	return &certifier{
		hosts: c.Hosts, log: log, failed: map[string]failure{},
		manager: &autocert.Manager{
			Prompt: autocert.AcceptTOS,
			Cache:  certificateCache{c.Store},
			HostPolicy: func(ctx context.Context, host string) error {
				return ours(ctx, (&url.URL{Host: host}).Hostname()) // a Host field may have a port
			},
			Client: &acme.Client{DirectoryURL: c.Directory, UserAgent: "threadmill"},
			Email:  c.Email,
		},
	}
}

// config is how the server speaks TLS. Version 1.2 is the least.
func (c *certifier) config() *tls.Config {
	config := c.manager.TLSConfig()
	config.GetCertificate = c.certificate
	config.MinVersion = tls.VersionTLS12
	return config
}

// certificate answers a handshake: at once, save where the certificate has to
// be got first.
func (c *certifier) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	host := strings.TrimSuffix(strings.ToLower(hello.ServerName), ".")
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) || !slices.Contains(c.hosts, host) {
		return c.manager.GetCertificate(hello) // a challenge, or nothing of ours
	}
	if err := c.waits(host); err != nil {
		return nil, err
	}
	got, err := c.manager.GetCertificate(hello)
	c.note(host, err)
	return got, err
}

// waits is the last failure for a host while nobody should try again.
func (c *certifier) waits(host string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.failed[host]; time.Now().Before(f.until) {
		return f.err
	}
	return nil
}

func (c *certifier) note(host string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.failed, host)
		return
	}
	f := c.failed[host]
	if time.Now().Before(f.until) {
		return // another handshake failed with this one
	}
	f = failure{err: err, wait: min(max(2*f.wait, certifyFirst), certifyMax)}
	f.until = time.Now().Add(f.wait)
	c.failed[host] = f
	c.log.Error("no certificate could be had; it is tried again", "host", host, "wait", f.wait, "err", err)
}

// certifyLook is how often a certifier looks whether a certificate is to be had again.
const certifyLook = time.Minute

// keep gets all certificates before a reader has to wait for one, until ctx is
// done. They are renewed by autocert, 30 days before their end.
func (c *certifier) keep(ctx context.Context) {
	tick := time.NewTicker(certifyLook)
	defer tick.Stop()
	for {
		for _, host := range c.hosts {
			if ctx.Err() == nil && c.waits(host) == nil {
				_, _ = c.certificate(modernHello(host)) // noted
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// modernHello is the hello of a client that takes an ECDSA certificate, as all do
// by now.
func modernHello(host string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: host, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
}

// plain answers without TLS: the challenges of the authority (RFC 8555, section
// 8.3), and for the hosts with the way to https. A form that came here went in
// the clear, so it is refused.
func (c *certifier) plain() http.Handler {
	return c.manager.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r)
		if !reads(r) || !slices.Contains(c.hosts, host) {
			http.Error(w, "Use HTTPS", http.StatusBadRequest)
			return
		}
		to := url.URL{Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, to.String(), http.StatusMovedPermanently) // by its parts: "x:.example" is a target, too
	}))
}

// certificateCache is a CertificateStore as autocert wants it.
type certificateCache struct{ store CertificateStore }

// Get returns autocert.ErrCacheMiss for what is not there.
func (c certificateCache) Get(ctx context.Context, name string) ([]byte, error) {
	content, err := c.store.Certificate(ctx, name)
	if errors.Is(err, newsletter.ErrNotFound) {
		return nil, autocert.ErrCacheMiss
	}
	return content, err
}

// Put keeps content in the place of what was there.
func (c certificateCache) Put(ctx context.Context, name string, content []byte) error {
	return c.store.KeepCertificate(ctx, name, content)
}

// Delete forgets what is there, if anything.
func (c certificateCache) Delete(ctx context.Context, name string) error {
	return c.store.DropCertificate(ctx, name)
}

// ListenTLS is [Listen] for a server that speaks TLS with certificates that it
// gets itself. Where it cannot answer at c.Plain it does without, and says so:
// the authority can ask over TLS too (RFC 8737).
func ListenTLS(ctx context.Context, listen string, c Certificates, h http.Handler, log *slog.Logger) (*Server, error) {
	s, err := Listen(ctx, listen, h, log)
	if err != nil {
		return nil, err
	}
	s.certifier = newCertifier(c, log)
	s.http.TLSConfig = s.certifier.config()
	if c.Plain == "" {
		return s, nil
	}
	if s.plain, err = Listen(ctx, c.Plain, s.certifier.plain(), log); err != nil {
		log.Warn("nobody is led from http to https", "err", fmt.Errorf("%w; the certificates come without it", err))
	}
	return s, nil
}
