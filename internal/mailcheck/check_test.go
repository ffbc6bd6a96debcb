package mailcheck

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"threadmill/internal/mailcheck/zonetest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}

func publicKey(t *testing.T, name string) *rsa.PublicKey {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PublicKey)
}

func edwards(seed string) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, 32))).Public().(ed25519.PublicKey)
}

// dkimText is the value of the record of a key. RSA keys below 1024 bits, and
// such of which only the public half is known, no signer makes.
func dkimText(key crypto.PublicKey) string {
	if k, ok := key.(ed25519.PublicKey); ok {
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(k)
	}
	der, _ := x509.MarshalPKIXPublicKey(key) // one of a wrong kind shows in the golden file
	return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
}

func keyFor(domain, selector string, public crypto.PublicKey) Key {
	return Key{domain, selector, public, dkimText(public)}
}

type backend struct{}

func (backend) NewSession(*smtp.Conn) (smtp.Session, error) { return session{}, nil }

type session struct{}

func (session) Mail(string, *smtp.MailOptions) error { return nil }
func (session) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (session) Data(io.Reader) error                 { return nil }
func (session) Reset()                               {}
func (session) Logout() error                        { return nil }

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// startRelay has a relay listen on loopback that greets with a name of the
// zone, and returns its port.
func startRelay(t *testing.T, set func(*smtp.Server), wrap func(net.Listener) net.Listener) int {
	t.Helper()
	s := smtp.NewServer(backend{})
	s.Domain, s.ErrorLog = "out.example.org", silent{}
	set(s)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if wrap != nil {
		l = wrap(l)
	}
	served := make(chan struct{})
	go func() { _ = s.Serve(l); close(served) }() // ends with Close
	t.Cleanup(func() { _ = s.Close(); <-served })
	return port
}

// a zone in which everything is right: name and type, then the value.
func rightZone(t *testing.T) map[string]string {
	return map[string]string{
		"example.org. TXT":              `"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all"`,
		"example.org. MX":               "10 mx.example.org.",
		"mx.example.org. A":             "192.0.2.20",
		"relay.example.org. A":          "127.0.0.1",
		"out.example.org. A":            "192.0.2.10",
		"out.example.org. AAAA":         "2001:db8::10",
		"10.2.0.192.in-addr.arpa. PTR":  "out.example.org.",
		reverse6 + " PTR":               "out.example.org.",
		"_dmarc.example.org. TXT":       `"v=DMARC1; p=reject; rua=mailto:dmarc@example.org"`,
		"a._domainkey.example.org. TXT": strings.TrimPrefix(Record{"x", "TXT", dkimText(publicKey(t, "rsa2048.pem"))}.String(), "x. IN TXT "),
		"b._domainkey.example.org. TXT": `"` + dkimText(edwards("b")) + `"`,
		"xn--bcher-kva.example.com. MX": "10 mx.example.org.",
		"amazonses.com. TXT":            `"v=spf1 ip4:198.51.100.0/24 -all"`,
		"_spf.google.com. TXT":          `"v=spf1 ip4:203.0.113.0/24 ~all"`,
		"elsewhere.example.net. MX":     "10 mx.example.org.",
		"elsewhere.example.net. TXT":    `"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10 -all"`,
		"wrong.example.net. A":          "192.0.2.99",
		"gone.example.net. TXT":         `"nothing of note"`,
	}
}

const reverse6 = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa."

// zoneText is a zone with some records replaced, or left out where the new
// value is empty. Further ones are in lines of their own.
func zoneText(records map[string]string, changes ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(changes); i += 2 {
		records[changes[i]] = changes[i+1]
	}
	for key, value := range records {
		name, kind, _ := strings.Cut(key, " ")
		for line := range strings.Lines(value) {
			fmt.Fprintf(&b, "%s IN %s %s\n", name, kind, strings.TrimSpace(line))
		}
	}
	return b.String()
}

func TestRecords(t *testing.T) {
	t.Parallel()
	const spfOf, dmarcOf, mxOf = "example.org. TXT", "_dmarc.example.org. TXT", "example.org. MX"
	const keyA, keyB = "a._domainkey.example.org. TXT", "b._domainkey.example.org. TXT"
	rsa2048 := publicKey(t, "rsa2048.pem")
	short := func(name string) func(*Options) {
		return func(o *Options) { o.Keys = []Key{keyFor("example.org", "a", publicKey(t, name))} }
	}
	quotedKey := func(name string) string {
		return strings.TrimPrefix(Record{"x", "TXT", dkimText(publicKey(t, name))}.String(), "x. IN TXT ")
	}
	pkcs1 := Record{"x", "TXT", "p=" + dkimText(rsa2048)[len("v=DKIM1; k=rsa; p=")+32:]}
	cases := []struct {
		name    string
		checks  string // those that are shown
		changes []string
		set     func(*Options)
	}{
		{"all is right", "spf dkim dmarc alignment dmarc-reports mx ptr", nil, nil},
		{"nothing is there", "spf dkim dmarc alignment mx ptr", []string{spfOf, "", dmarcOf, "", mxOf, "", keyA, "", keyB, "", "10.2.0.192.in-addr.arpa. PTR", "", reverse6 + " PTR", ""}, nil},

		{"SPF lets all", "spf", []string{spfOf, `"v=spf1 mx +all"`}, nil},
		{"SPF is twice there", "spf", []string{spfOf, "\"v=spf1 ip4:192.0.2.10 -all\"\n\"v=spf1 include:_spf.google.com ~all\""}, nil},
		{"SPF does not name the relay", "spf", []string{spfOf, `"v=spf1 ip4:192.0.2.99 -all"`}, nil},
		{"SPF names one of two addresses", "spf", []string{spfOf, `"v=spf1 ip4:192.0.2.10 -all"`}, nil},
		{"SPF takes too many lookups", "spf", []string{spfOf, `"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10` + strings.Repeat(" a:mx.example.org", 11) + ` -all"`}, nil},
		{"SPF names what is not there", "spf", []string{spfOf, `"v=spf1 ip4:192.0.2.10 a:x1.example.org a:x2.example.org a:x3.example.org -all"`}, nil},
		{"SPF includes what is not there", "spf", []string{spfOf, `"v=spf1 ip4:192.0.2.10 include:gone.example.net -all"`}, nil},
		{"SPF is misspelt", "spf", []string{spfOf, `"v=spf1 ipv4:192.0.2.10 -all"`}, nil},
		{"SPF in several strings", "spf", []string{spfOf, `"v=spf1 ip4:192.0" ".2.10 ip6:2001:db8::10 -all"`}, nil},
		{"the relay is known by an inner address only", "spf ptr", []string{"out.example.org. A", "", "out.example.org. AAAA", ""}, nil},
		{"SPF names the provider", "spf alignment ptr", []string{spfOf, `"v=spf1 include:_spf.google.com -all"`}, func(o *Options) { o.Relay.Provider = "gmail" }},
		{"SPF names the provider by another record", "spf", []string{spfOf, `"v=spf1 redirect=more.example.org"`, "more.example.org. TXT", `"v=spf1 include:_spf.google.com -all"`}, func(o *Options) { o.Relay.Provider = "gmail" }},
		{"SPF does not name the provider", "spf", nil, func(o *Options) { o.Relay.Provider = "gmail" }},
		{"a provider with an envelope sender of its own", "spf dkim alignment", nil, func(o *Options) { o.Relay.Provider, o.Keys = "ses", nil }},
		{"the same without SPF", "spf", []string{spfOf, ""}, func(o *Options) { o.Relay.Provider = "ses" }},
		{"no relay", "spf ptr", nil, func(o *Options) { o.Relay = nil }},
		{"neither relay nor SPF", "spf", []string{spfOf, ""}, func(o *Options) { o.Relay = nil }},

		{"DKIM by CNAME", "dkim", []string{keyB, "", "b._domainkey.example.org. CNAME", "b.keys.example.net.", "b.keys.example.net. TXT", `"` + dkimText(edwards("b")) + `"`}, nil},
		{"DKIM of other keys", "dkim", []string{keyA, quotedKey("rsa1024.pem"), keyB, `"` + dkimText(edwards("c")) + `"`}, nil},
		{"DKIM revoked", "dkim", []string{keyA, `"v=DKIM1; k=rsa; p="`}, nil},
		{"DKIM without p", "dkim", []string{keyA, `"v=DKIM1; k=rsa"`}, nil},
		{"DKIM of another kind", "dkim", []string{keyB, `"v=DKIM1; p=` + dkimText(edwards("b"))[len("v=DKIM1; k=ed25519; p="):] + `"`}, nil},
		{"DKIM as a test", "dkim", []string{keyB, `"v=DKIM1; k=ed25519; t=y:s; p=` + dkimText(edwards("b"))[len("v=DKIM1; k=ed25519; p="):] + `"`}, nil},
		{"DKIM for other hashes and uses", "dkim", []string{keyA, strings.Replace(quotedKey("rsa2048.pem"), "k=rsa;", "k=rsa; h=sha1;", 1), keyB, strings.Replace(`"`+dkimText(edwards("b"))+`"`, "k=", "s=tlsrpt; k=", 1)}, nil},
		{"DKIM is twice there", "dkim", []string{keyB, "\"" + dkimText(edwards("b")) + "\"\n\"v=DKIM1; p=\""}, nil},
		{"DKIM is no tag list", "dkim", []string{keyB, `"my key \" is \001 secret"`}, nil},
		{"DKIM with another version", "dkim", []string{keyB, `"v=DKIM2; k=ed25519; p=x"`}, nil},
		{"DKIM key without its wrapping", "dkim", []string{keyA, strings.TrimPrefix(pkcs1.String(), "x. IN TXT ")}, nil},
		{"DKIM of 1024 bits", "dkim", []string{keyA, quotedKey("rsa1024.pem")}, short("rsa1024.pem")},
		{"DKIM of 768 bits", "dkim", []string{keyA, quotedKey("rsa768.pem")}, short("rsa768.pem")},
		{"no DKIM key", "dkim alignment", nil, func(o *Options) { o.Keys = nil }},

		{"DMARC asks for nothing", "dmarc", []string{dmarcOf, `"v=DMARC1; p=none; rua=mailto:a@example.org"`}, nil},
		{"DMARC twice", "dmarc", []string{dmarcOf, "\"v=DMARC1; p=none\"\n\"v=DMARC1; p=reject\""}, nil},
		{"DMARC without a policy", "dmarc dmarc-reports", []string{dmarcOf, `"v=DMARC1; rua=dmarc@example.org"`}, nil},
		{"DMARC in small letters", "dmarc", []string{dmarcOf, `"v=dmarc1; p=reject"`}, nil},
		{"DMARC no tag list", "dmarc alignment", []string{dmarcOf, `"v=DMARC1; p=reject; p=none"`}, nil},
		{"DMARC for some", "dmarc", []string{dmarcOf, `"v=DMARC1; p=reject; pct=20"`}, nil},
		{"DMARC for many", "dmarc", []string{dmarcOf, `"v=DMARC1; p=reject; pct=200"`}, nil},
		{"DMARC of the organisation", "dmarc alignment", []string{dmarcOf, `"v=DMARC1; p=reject; sp=quarantine"`}, func(o *Options) { o.From = "me@news.example.org" }},
		{"DMARC of the organisation, strict", "dmarc alignment", []string{dmarcOf, `"v=DMARC1; p=reject; aspf=s; adkim=s"`}, func(o *Options) { o.From, o.Envelope = "me@news.example.org", "bounce@example.org" }},
		{"DMARC, nothing aligned", "alignment", nil, func(o *Options) {
			o.Envelope, o.Keys = "elsewhere.example.net", []Key{keyFor("example.com", "a", rsa2048)}
		}},
		{"DMARC, one aligned", "alignment", nil, func(o *Options) { o.Envelope = "elsewhere.example.net" }},
		{"DMARC reports elsewhere", "dmarc-reports", []string{dmarcOf, `"v=DMARC1; p=reject; rua=mailto:a@reports.example.net!10m"`}, nil},
		{"DMARC reports elsewhere, allowed", "dmarc-reports", []string{dmarcOf, `"v=DMARC1; p=reject; rua=mailto:a@reports.example.net"`, "example.org._report._dmarc.reports.example.net. TXT", `"v=DMARC1"`}, nil},
		{"DMARC without reports", "dmarc-reports", []string{dmarcOf, `"v=DMARC1; p=reject"`}, nil},

		{"null MX", "mx", []string{mxOf, "0 ."}, nil},
		{"MX of a host without an address", "mx", []string{mxOf, "10 nothing.example.org."}, nil},
		{"one MX of two", "mx", []string{mxOf, "10 nothing.example.org.\n20 mx.example.org."}, nil},
		{"no MX but an address", "mx", []string{mxOf, "", "example.org. A", "192.0.2.80"}, nil},
		{"Reply-To and envelope of other domains", "mx", nil, func(o *Options) { o.ReplyTo, o.Envelope = "me@bücher.example.com", "b@bounce.example.org" }},

		{"PTR leads elsewhere", "ptr", []string{"10.2.0.192.in-addr.arpa. PTR", "wrong.example.net."}, nil},
		{"PTR of IPv6 missing", "ptr", []string{reverse6 + " PTR", ""}, nil},
		{"SPF leaves the rest open", "spf", []string{spfOf, `"v=spf1 ip4:192.0.2.10 ip6:2001:db8::10"`}, nil},
	}
	port := startRelay(t, func(*smtp.Server) {}, nil)
	var out strings.Builder
	for _, tc := range cases {
		o := Options{
			Resolver: NewResolver(zonetest.Serve(t, "example.org.", zoneText(rightZone(t), tc.changes...))),
			From:     "news@example.org",
			Relay:    &Relay{Host: "relay.example.org", Port: port, TLS: "none"},
			Keys:     []Key{keyFor("example.org", "a", rsa2048), keyFor("example.org", "b", edwards("b"))},
		}
		if tc.set != nil {
			tc.set(&o)
		}
		fmt.Fprintf(&out, "# %s\n", tc.name)
		for _, f := range Run(t.Context(), o) {
			if strings.Contains(" "+tc.checks+" ", " "+f.Check+" ") {
				fmt.Fprintln(&out, strings.ReplaceAll(f.String(), strconv.Itoa(port), "PORT"))
			}
		}
		fmt.Fprintln(&out)
	}
	golden(t, "records.txt", out.String())
}

// The names of servers that others run are not looked at.
func TestRelayOfSomebodyElse(t *testing.T) {
	t.Parallel()
	c := &checker{Options: Options{Relay: &Relay{Host: "smtp.hosting.example"}}, from: "example.org", envelope: "example.org"}
	c.relay = func() probe { return probe{addrs: []netip.Addr{netip.MustParseAddr("192.0.2.77")}} }
	const want = "ptr smtp.hosting.example: ok: the reverse names of its servers are the care of hosting.example"
	if got := c.ptr(t.Context()); len(got) != 1 || got[0].String() != want {
		t.Error(got)
	}
}
