package mailcheck

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"threadmill/internal/mailcheck/zonetest"
)

func TestOneClick(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	for _, tc := range []struct {
		name   string
		health string
		status int
		set    func(*Web)
	}{
		{"all is right", `{"status":"ok"}`, 200, nil},
		{"another publication", `{"status":"ok"}`, 400, nil},
		{"a redirect", `{"status":"ok"}`, 301, nil},
		{"no POST", `{"status":"ok"}`, 405, nil},
		{"a static host", "<html>not found", 200, nil},
		{"no https", "", 200, func(w *Web) { w.OneClick = strings.Replace(w.OneClick, "https:", "http:", 1) }},
		{"by mail", "", 200, func(w *Web) { w.OneClick = "" }},
		{"another host", "", 200, func(w *Web) {
			w.URL, w.OneClick = "https://nothing.example.org", "https://nothing.example.org/unsubscribe/x"
		}},
	} {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, tc.health) })
		mux.HandleFunc("POST /unsubscribe/{token}", func(w http.ResponseWriter, r *http.Request) {
			if r.FormValue("List-Unsubscribe") != "One-Click" {
				t.Error("not a one-click request")
			}
			if tc.status == http.StatusMovedPermanently {
				w.Header().Set("Location", "/elsewhere")
			}
			w.WriteHeader(tc.status)
		})
		s := httptest.NewTLSServer(mux)
		defer s.Close()
		o := Options{
			Resolver: NewResolver(zonetest.Serve(t, "example.org.", zoneText(rightZone(t)))),
			Roots:    s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs,
			Web:      Web{URL: s.URL, OneClick: s.URL + "/unsubscribe/x"},
		}
		if tc.set != nil {
			tc.set(&o.Web)
		}
		fmt.Fprintf(&out, "# %s\n", tc.name)
		for _, f := range Run(t.Context(), o) {
			fmt.Fprintln(&out, strings.ReplaceAll(f.String(), s.URL, "https://SERVER"))
		}
		fmt.Fprintln(&out)
	}
	golden(t, "web.txt", out.String())
}
