package main

import (
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/mail"
	"threadmill/internal/mailcheck"
	"threadmill/internal/mailcheck/zonetest"
)

// The records of a publication whose relay greets as relay.test.
const netZone = `
example.com.  IN TXT "v=spf1 ip4:192.0.2.10 -all"
example.com.  IN MX 10 relay.test.
relay.test.   IN A 192.0.2.10
10.2.0.192.in-addr.arpa. IN PTR relay.test.
_dmarc.example.com. IN TXT "v=DMARC1; p=reject; rua=mailto:dmarc@example.com"
`

// netPlace is a publication with a relay that wants TLS and a login, and a
// daemon behind a server that speaks https.
func netPlace(t *testing.T) (p place, d *daemon, port string) {
	t.Helper()
	var proxy atomic.Pointer[httputil.ReverseProxy]
	front := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { proxy.Load().ServeHTTP(w, r) }))
	t.Cleanup(front.Close)
	r := startRelay(t, &relay{password: "right"}, &tls.Config{Certificates: front.TLS.Certificates, MinVersion: tls.VersionTLS12})
	p = newPlace(t, r, 1, 1, "")
	p.edit("tls: none", "tls: mandatory, username: news, password: right")
	p.edit(`listen: "off"`, `listen: "127.0.0.1:0", url: "`+front.URL+`"`)
	p.write("roots.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: front.Certificate().Raw})))
	p.env = []string{"SSL_CERT_FILE=" + filepath.Join(p.dir, "roots.pem")}
	d = p.startDaemon()
	behind, err := url.Parse(d.web)
	if err != nil {
		t.Fatal(err)
	}
	proxy.Store(httputil.NewSingleHostReverseProxy(behind))
	return p, d, r.port()
}

// signs has the publication sign its mail, and returns the record of the key.
func (p place) signs() string {
	p.t.Helper()
	text, err := mail.GenerateRSA()
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("tm1.pem", string(text))
	p.edit("mail: {", "mail: {dkim: [{domain: example.com, selector: tm1, key: tm1.pem}], ")
	signer, err := mail.ParseKey(text)
	if err != nil {
		p.t.Fatal(err)
	}
	name, value := mail.Key{Domain: "example.com", Selector: "tm1", Signer: signer}.Record()
	return mailcheck.Record{Name: name, Type: "TXT", Value: value}.String()
}

// check calls the program and returns its exit status and what it prints.
func (p place) check(args ...string) (status int, out string) {
	p.t.Helper()
	b, err := p.command(append([]string{"check"}, args...)...).Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode(), string(b)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return 0, string(b)
}

var loopbackPort = regexp.MustCompile(`127\.0\.0\.1:\d+`)

func TestCheckNet(t *testing.T) {
	t.Parallel()
	p, d, port := netPlace(t)
	defer d.stop()
	right := zonetest.Serve(t, ".", netZone+p.signs()+"\n")
	status, out := p.check("--net", "--resolver", right)
	const want = `spf example.com: ok: “v=spf1 ip4:192.0.2.10 -all” lets 192.0.2.10 send
dkim tm1._domainkey.example.com: ok: the record matches the key (RSA, 2048 bits)
dmarc _dmarc.example.com: ok: the policy is p=reject
alignment example.com: ok: From is aligned with SPF of example.com and DKIM of example.com
dmarc-reports _dmarc.example.com: ok: reports go to mailto:dmarc@example.com
mx example.com: ok: relay.test takes its mail
ptr 192.0.2.10: ok: its name relay.test leads back to it
relay 127.0.0.1:PORT: ok: it answers as relay.test
tls 127.0.0.1:PORT: ok: TLS 1.3, certificate of example.com, *.example.com until 29 January 2084
auth 127.0.0.1:PORT: ok: the login as news works; offered are PLAIN
size 127.0.0.1:PORT: ok: the relay tells no limit
pipelining 127.0.0.1:PORT: ok: offered, so a message costs one round trip
one-click https://127.0.0.1:PORT: ok: it takes requests to unsubscribe for this publication
Ready: no schedule, by hand with ` + "`threadmill publish --now`" + `, 1 person
`
	if diff := cmp.Diff(want, loopbackPort.ReplaceAllString(out, "127.0.0.1:PORT")); diff != "" || status != 0 {
		t.Errorf("status %d: %s", status, diff)
	}

	p.env = append(p.env, "THREADMILL_RESOLVER="+zonetest.Serve(t, ".", "example.com. IN A 192.0.2.1"))
	status, out = p.check("--net")
	for _, line := range []string{
		`dkim tm1\._domainkey\.example\.com: error: there is no record; .*Put in DNS: tm1\._domainkey\.example\.com\. IN TXT "v=DKIM1; k=rsa; p=.*"`,
		`spf example.com: error: there is no SPF record; .*Put in DNS: example\.com\. IN TXT "v=spf1 a:relay\.test ~all"`,
		`dmarc _dmarc\.example\.com: error: .*Put in DNS: _dmarc\.example\.com\. IN TXT "v=DMARC1; p=none; rua=mailto:dmarc@example\.com"`,
		`mx example\.com: warning: there is no MX record; .*Put in DNS: example\.com\. IN MX 10 mail\.example\.com\.`,
	} {
		if !regexp.MustCompile("(?m)^" + line + "$").MatchString(out) {
			t.Errorf("no line %s in\n%s", line, out)
		}
	}
	if status != 1 || strings.Contains(out, "Ready") {
		t.Errorf("status %d\n%s", status, out)
	}

	status, out = p.check("--net", "--json")
	var report struct {
		Errors   int
		Problems []string
		Net      []mailcheck.Finding
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil || status != 1 {
		t.Fatalf("status %d, %v\n%s", status, err, out)
	}
	spf := mailcheck.Record{Name: "example.com", Type: "TXT", Value: "v=spf1 a:relay.test ~all"}
	if f := report.Net[0]; f.Check != "spf" || f.Verdict != mailcheck.Error || *f.Record != spf || report.Errors != 3 || report.Problems == nil {
		t.Errorf("%+v", report)
	}

	p.edit("password: right", "password: wrong-p4ss")
	p.env = append(p.env, "THREADMILL_RESOLVER=127.0.0.1:1")
	status, out = p.check("--net")
	if !strings.Contains(out, "dns example.com: error: no name server answers") || !strings.Contains(out, "auth 127.0.0.1:"+port+": error: the login as news fails") {
		t.Error(out)
	}
	if status != 1 || strings.Contains(out, "wrong-p4ss") {
		t.Errorf("status %d\n%s", status, out)
	}
}
