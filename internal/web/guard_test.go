package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"threadmill/internal/newsletter"
)

// TestNear asks who may see what is for this machine and for some networks.
func TestNear(t *testing.T) {
	nets := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	bare := request("127.0.0.1:1")
	bare.Host, bare.Proto, bare.ProtoMajor, bare.ProtoMinor = "127.0.0.1:8080", "HTTP/1.0", 1, 0
	if behind("127.0.0.2/32").near(bare, nets) {
		t.Error("a proxy that nobody told to name the client is near")
	}
	for _, test := range []struct {
		name, peer, host string
		headers          []string
		want             bool
	}{
		{"this machine", "127.0.0.1:1", "localhost:8080", nil, true},
		{"this machine over IPv6", "[::1]:1", "[::1]:8080", nil, true},
		{"this machine by another name", "127.0.0.1:1", "shed.example.org", nil, false},
		{"a network", "10.1.2.3:1", "shed.example.org", nil, true},
		{"a network, mapped", "[::ffff:10.1.2.3]:1", "localhost", nil, true},
		{"a stranger", "192.0.2.1:1", "localhost", nil, false},
		{"nobody knows who", "@", "localhost", nil, false},
		{"a proxy beside us that is not trusted", "127.0.0.1:1", "localhost", []string{"X-Forwarded-For: 127.0.0.1"}, false},
		{"one that tells little", "127.0.0.1:1", "localhost", []string{"X-Real-IP: 10.1.2.3"}, false},
		{"one in the network", "10.1.2.3:1", "localhost", []string{"Forwarded: for=10.1.2.3"}, false},
		{"a trusted one for a stranger", "127.0.0.2:1", "localhost", []string{"X-Forwarded-For: 192.0.2.1"}, false},
		{"a trusted one for the network", "127.0.0.2:1", "shed.example.org", []string{"X-Forwarded-For: 10.1.2.3"}, true},
		{"a trusted one for a liar", "127.0.0.2:1", "localhost", []string{"X-Forwarded-For: 10.1.2.3, 192.0.2.1"}, false},
		{"a trusted one for this machine", "127.0.0.2:1", "localhost", []string{"X-Forwarded-For: 127.0.0.1"}, false},
		{"a trusted one that hides the client", "127.0.0.2:1", "localhost", []string{"X-Forwarded-For: unknown"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request(test.peer, test.headers...)
			r.Host = test.host
			if got := behind("127.0.0.2/32").near(r, nets); got != test.want {
				t.Errorf("near = %v", got)
			}
		})
	}
}

// TestGuarded asks the routes themselves.
func TestGuarded(t *testing.T) {
	h := New(Options{
		Dir: t.TempDir(), Log: discard(), MetricsFrom: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Publication: newsletter.Publication{URL: "https://shed.example.org/letters"},
		Metrics:     http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "figures") }),
	})
	for _, path := range []string{"/metrics", "/letters/metrics"} {
		for peer, want := range map[string]int{"127.0.0.1:1": http.StatusOK, "10.1.1.1:1": http.StatusOK, "192.0.2.1:1": http.StatusNotFound} {
			r := request(peer)
			r.Host, r.URL.Path = "localhost", path
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != want || (want == http.StatusOK) != (w.Body.String() == "figures") {
				t.Errorf("%s from %s: %d %s", path, peer, w.Code, w.Body)
			}
		}
	}
}
