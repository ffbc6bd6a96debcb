package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// behind is a server behind proxies.
func behind(proxies ...string) *server {
	s := &server{Options: Options{Log: discard()}}
	for _, p := range proxies {
		s.TrustedProxies = append(s.TrustedProxies, netip.MustParsePrefix(p))
	}
	return s
}

// request comes from a peer, with headers such as "Via: 1.1 gate".
func request(peer string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func TestClientAddr(t *testing.T) {
	s := behind("127.0.0.1/32", "::1/128", "10.0.0.0/8")
	const gate = "127.0.0.1:5000"
	for _, test := range []struct {
		name, peer string
		headers    []string
		want       string // empty for unknown
	}{
		{"alone", "192.0.2.1:5000", nil, "192.0.2.1"},
		{"mapped", "[::ffff:192.0.2.1]:5000", nil, "192.0.2.1"},
		{"a zone", "[fe80::1%eth0]:5000", nil, "fe80::1"},
		{"no port", "192.0.2.1", nil, ""},
		{"a socket", "@", nil, ""},
		{"a stranger who forwards", "192.0.2.1:5000", []string{"X-Forwarded-For: 198.51.100.7", "Forwarded: for=198.51.100.7"}, "192.0.2.1"},
		{"a proxy that asks itself", gate, nil, "127.0.0.1"},
		{"one hop", gate, []string{"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7"},
		{"a proxy over IPv6", "[::1]:5000", []string{"X-Forwarded-For: 2001:db8::7"}, "2001:db8::7"},
		{"a mapped proxy", "[::ffff:127.0.0.1]:5000", []string{"X-Forwarded-For: 198.51.100.7"}, "198.51.100.7"},
		{"made up before", gate, []string{"X-Forwarded-For: 127.0.0.1, 203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"made up in a line before", gate, []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-For: 198.51.100.7"}, "198.51.100.7"},
		{"two proxies", gate, []string{"X-Forwarded-For: 203.0.113.9, 198.51.100.7, 10.1.2.3"}, "198.51.100.7"},
		{"proxies alone", gate, []string{"X-Forwarded-For: 10.9.9.9, 10.1.2.3"}, "10.9.9.9"},
		{"a port", gate, []string{"X-Forwarded-For: 198.51.100.7:4711"}, "198.51.100.7"},
		{"brackets", gate, []string{"X-Forwarded-For: [2001:db8::7]"}, "2001:db8::7"},
		{"brackets and a port", gate, []string{"X-Forwarded-For: [2001:db8::7%1]:4711"}, "2001:db8::7"},
		{"mapped and forwarded", gate, []string{"X-Forwarded-For: ::ffff:198.51.100.7"}, "198.51.100.7"},
		{"garbage", gate, []string{"X-Forwarded-For: 198.51.100.7, <script>"}, ""},
		{"garbage before", gate, []string{"X-Forwarded-For: <script>, 198.51.100.7"}, "198.51.100.7"},
		{"nothing in it", gate, []string{"X-Forwarded-For:  , "}, "127.0.0.1"},
		{"Forwarded", gate, []string{`Forwarded: for=203.0.113.9, proto=https;For="[2001:db8::7]:4711";by=10.0.0.1`}, "2001:db8::7"},
		{"Forwarded, with a port", gate, []string{`Forwarded: for="198.51.100.7:4711"`}, "198.51.100.7"},
		{"Forwarded, hidden", gate, []string{"Forwarded: for=198.51.100.7, for=_gate"}, ""},
		{"Forwarded, unknown", gate, []string{"Forwarded: for=unknown"}, ""},
		{"Forwarded, without for", gate, []string{"Forwarded: for=198.51.100.7, proto=https"}, ""},
		{"both", gate, []string{"Forwarded: for=203.0.113.9", "X-Forwarded-For: 198.51.100.7"}, "198.51.100.7"},
		{"a long list", gate, []string{"X-Forwarded-For: " + strings.Repeat("203.0.113.9, ", 1000) + "198.51.100.7"}, "198.51.100.7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := s.clientAddr(request(test.peer, test.headers...))
			if got.IsValid() != (test.want != "") || got.IsValid() && got.String() != test.want {
				t.Errorf("got %v, want %q", got, test.want)
			}
		})
	}
}

// TestStrangeProxy tells once of a proxy that somebody forgot to name.
func TestStrangeProxy(t *testing.T) {
	var told bytes.Buffer
	s := &server{Options: Options{Log: slog.New(slog.NewTextHandler(&told, nil))}}
	s.clientAddr(request("192.0.2.1:1", "X-Forwarded-For: 198.51.100.7")) // anybody may say so
	s.clientAddr(request("10.1.1.1:1"))
	for range 2 {
		s.clientAddr(request("10.1.1.1:1", "X-Forwarded-For: 198.51.100.7"))
	}
	if text := told.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "web.trusted_proxies") || !strings.Contains(text, "server=10.1.1.1") || strings.Contains(text, "198.51") {
		t.Errorf("told:\n%s", text)
	}
}

// FuzzClientAddr looks for headers that break the reading, or that let a client
// choose its address: what it writes stands before what the proxy adds.
func FuzzClientAddr(f *testing.F) {
	for _, seed := range []string{"", "198.51.100.7", "[::1]:80", `for="[2001:db8::7]:4711"`, "unknown", `for="a,b";for=c`, "::ffff:1.2.3.4%x", ", ,", "[", "]", `"`} {
		f.Add(seed, seed)
	}
	s := behind("127.0.0.1/32")
	f.Fuzz(func(t *testing.T, forwardedFor, forwarded string) {
		r := request("127.0.0.1:1")
		r.Header["X-Forwarded-For"], r.Header["Forwarded"] = []string{forwardedFor}, []string{forwarded}
		if a := s.clientAddr(r); a.Is4In6() || a.Zone() != "" {
			t.Errorf("%q, %q: %v", forwardedFor, forwarded, a)
		}
		want := netip.MustParseAddr("198.51.100.7")
		r.Header["X-Forwarded-For"] = []string{forwardedFor + ", " + want.String()}
		if got := s.clientAddr(r); got != want {
			t.Errorf("X-Forwarded-For %q: %v", forwardedFor, got)
		}
		r.Header["X-Forwarded-For"], r.Header["Forwarded"] = nil, []string{forwarded + ", for=" + want.String()}
		if got := s.clientAddr(r); got != want {
			t.Errorf("Forwarded %q: %v", forwarded, got)
		}
	})
}

func BenchmarkClientAddr(b *testing.B) {
	s, r := behind("127.0.0.1/32"), request("127.0.0.1:1", "X-Forwarded-For: 203.0.113.9, 198.51.100.7")
	for b.Loop() {
		s.clientAddr(r)
	}
}
