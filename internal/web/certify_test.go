package web

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	pebbleca "github.com/letsencrypt/pebble/v2/ca"
	pebbledb "github.com/letsencrypt/pebble/v2/db"
	pebbleva "github.com/letsencrypt/pebble/v2/va"
	pebblewfe "github.com/letsencrypt/pebble/v2/wfe"

	"threadmill/internal/mailcheck/zonetest"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// authority is a certificate authority, that of Let's Encrypt's own tests, which
// finds every name below example.org on this machine.
type authority struct {
	*httptest.Server
	ca *pebbleca.CAImpl
}

// serves makes it the authority of a server, which trusts it.
func (a authority) serves(s *Server) {
	c := s.certifier.manager.Client
	c.DirectoryURL, c.HTTPClient = a.URL+pebblewfe.DirectoryPath, a.Client()
}

func (a authority) roots(t *testing.T) *x509.CertPool {
	t.Helper()
	root := a.ca.GetRootCert(0)
	if root == nil {
		t.Fatal("the authority has no root")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root.PEM()) {
		t.Fatal("the root of the authority cannot be read")
	}
	return pool
}

// certify starts an authority that looks for challenges at these ports.
func certify(t *testing.T, plain, secure int) authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	quiet, db := log.New(io.Discard, "", 0), pebbledb.NewMemoryStore()
	names := zonetest.Serve(t, "example.org.", "shed IN A 127.0.0.1\n")
	a := authority{ca: pebbleca.New(quiet, db, "", "ecdsa", 0, 1, map[string]pebbleca.Profile{"default": {ValidityPeriod: 90 * 24 * 3600}})}
	va := pebbleva.New(quiet, plain, secure, false, names, db)
	wfe := pebblewfe.New(quiet, db, va, a.ca, []string{"ca.example"}, false, false, 0, 0)
	a.Server = httptest.NewTLSServer(wfe.Handler())
	t.Cleanup(a.Close)
	return a
}

// portOf is the port that a server has.
func portOf(t *testing.T, s *Server) int {
	t.Helper()
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// secureClient asks at an address whatever the name.
func secureClient(addr string, roots *x509.CertPool) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
			TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true,
			DisableKeepAlives: true,
		},
	}
}

func fetch(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatalf("get %s: %v", url, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// start serves with certificates of the authority that is started by then.
func start(t *testing.T, c Certificates, log *slog.Logger, ready func(*Server)) *Server {
	t.Helper()
	s, err := ListenTLS(t.Context(), "127.0.0.1:0", c, hello, log)
	if err != nil {
		t.Fatal(err)
	}
	ready(s)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

func openStore(t *testing.T) *store.Store {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), discard())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// TestCertify gets certificates from a real authority: by a challenge over TLS,
// by one without where TLS cannot be reached, and from the store after that.
func TestCertify(t *testing.T) {
	db := openStore(t)
	var a authority
	c := Certificates{Hosts: []string{"shed.example.org"}, Email: "admin@example.org", Store: db, Plain: "127.0.0.1:0"}
	s := start(t, c, discard(), func(s *Server) {
		a = certify(t, portOf(t, s.plain), portOf(t, s))
		a.serves(s)
	})
	client := secureClient(s.Addr(), a.roots(t))
	res, body := fetch(t, client, "https://shed.example.org/")
	if body != "hello" || res.TLS.PeerCertificates[0].DNSNames[0] != "shed.example.org" || res.Proto != "HTTP/2.0" {
		t.Errorf("%q over %s with %v", body, res.Proto, res.TLS.PeerCertificates[0].DNSNames)
	}
	if _, err := client.Get("https://other.example.org/"); err == nil {
		t.Error("it has a certificate for somebody else")
	}
	checkPlain(t, s)

	// Another node, or the next start, needs no authority.
	for _, err := db.Certificate(t.Context(), c.Hosts[0]); err != nil; _, err = db.Certificate(t.Context(), c.Hosts[0]) {
		if !errors.Is(err, newsletter.ErrNotFound) { // it is kept a moment after it is there
			t.Fatal(err)
		}
	}
	a.Close()
	c.Plain = ""
	again := start(t, c, discard(), func(s *Server) { a.serves(s) })
	if _, body := fetch(t, secureClient(again.Addr(), a.roots(t)), "https://shed.example.org/"); body != "hello" {
		t.Errorf("from the store: %q", body)
	}
}

// checkPlain asks the server beside, which speaks no TLS.
func checkPlain(t *testing.T, s *Server) {
	t.Helper()
	client := secureClient(s.plain.Addr(), nil)
	for url, want := range map[string]string{
		"http://shed.example.org/a?b=c":      "https://shed.example.org/a?b=c",
		"http://shed.example.org:80//x/../y": "https://shed.example.org//x/../y",
		"http://evil.example/":               "",
	} {
		res, _ := fetch(t, client, url)
		if got := res.Header.Get("Location"); got != want || (want == "") != (res.StatusCode == http.StatusBadRequest) {
			t.Errorf("%s: %s to %q, want %q", url, res.Status, got, want)
		}
	}
	res, err := client.Post("http://shed.example.org/subscribe", "", strings.NewReader("a=b"))
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close(); res.StatusCode != http.StatusBadRequest {
		t.Errorf("POST: %s", res.Status)
	}
}

func TestCertifyWithoutTLS(t *testing.T) {
	db := openStore(t)
	var a authority
	s := start(t, Certificates{Hosts: []string{"shed.example.org"}, Store: db, Plain: "127.0.0.1:0"}, discard(), func(s *Server) {
		a = certify(t, portOf(t, s.plain), 1) // nobody is at that port
		a.serves(s)
	})
	if _, body := fetch(t, secureClient(s.Addr(), a.roots(t)), "https://shed.example.org/"); body != "hello" {
		t.Errorf("got %q", body)
	}
}

// TestCertifyFails asks an authority that cannot find the server: once, however
// many come.
func TestCertifyFails(t *testing.T) {
	var told lockedBuffer
	db := openStore(t)
	s := start(t, Certificates{Hosts: []string{"shed.example.org"}, Store: db}, slog.New(slog.NewTextHandler(&told, nil)), func(s *Server) {
		certify(t, 1, 1).serves(s)
	})
	client := secureClient(s.Addr(), nil)
	for range 3 {
		if _, err := client.Get("https://shed.example.org/"); err == nil {
			t.Fatal("it has a certificate")
		}
	}
	if text := told.String(); strings.Count(text, "no certificate could be had") != 1 || strings.Contains(text, "handshake") {
		t.Errorf("told:\n%s", text)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
