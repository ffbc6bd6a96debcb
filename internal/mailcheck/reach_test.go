package mailcheck

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestReach asks servers that are those of the publication, and others.
func TestReach(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // empty for none
	}{
		{"the right one", say(`{"status":"ok","publication":"abc","url":"https://shed.example"}`), ""},
		{"another publication", say(`{"status":"ok","publication":"xyz"}`), "/healthz answers for another publication"},
		{"one that does not tell", say(`{"status":"ok"}`), "/healthz answers for another publication"},
		{"a static host", say("<html>"), "/healthz answers 200 OK, and not as threadmill does"},
		{"elsewhere", http.RedirectHandler("https://example.com/healthz", http.StatusFound).ServeHTTP, "/healthz answers 302 Found"},
		{"a proxy before nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "502 Bad Gateway"},
		{"half an answer", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "9") }, "it cannot be read"},
	} {
		s := httptest.NewTLSServer(test.answer)
		defer s.Close()
		o := Options{Web: Web{URL: s.URL, Publication: "abc"}, Roots: s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
		if got := Reach(t.Context(), o); (got == nil) != (test.want == "") || got != nil && !strings.Contains(got.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, got, test.want)
		}
		if o.Roots = nil; test.want == "" {
			if got := Reach(t.Context(), o); got == nil || !strings.Contains(got.Error(), "it cannot be reached: tls: ") {
				t.Errorf("with an unknown authority: %v", got)
			}
		}
	}
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
}

// TestReachLate asks a server that takes too long at first.
func TestReachLate(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) == 1 {
			<-r.Context().Done()
		}
		_, _ = io.WriteString(w, `{"status":"ok"}`)
	}))
	defer s.Close()
	o := Options{Web: Web{URL: s.URL}, Timeout: 200 * time.Millisecond}
	if got := Reach(t.Context(), o); got != nil || asked.Load() < 2 {
		t.Errorf("got %v after %d tries", got, asked.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := Reach(ctx, o); got == nil {
		t.Error("it goes on when nobody waits")
	}
}
