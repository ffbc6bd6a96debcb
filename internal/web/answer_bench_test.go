package web_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"threadmill/internal/newsletter"
	"threadmill/internal/web"
)

// BenchmarkNotModified is what an answer from memory costs beside net/http.
func BenchmarkNotModified(b *testing.B) {
	p := openCoded(b)
	h := web.New(web.Options{
		Dir: p.dir, Publication: newsletter.Publication{URL: "https://shed.example.org"}, Log: slog.New(slog.DiscardHandler),
	})
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/threads/long/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	first := httptest.NewRecorder()
	h.ServeHTTP(first, r)
	r.Header.Set("If-None-Match", first.Header().Get("ETag"))
	b.ReportAllocs()
	w := &status{header: make(http.Header)}
	for b.Loop() {
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	if w.code != http.StatusNotModified {
		b.Error(w.code)
	}
}

// status keeps nothing but the status of an answer.
type status struct {
	header http.Header
	code   int
}

func (s *status) Header() http.Header         { return s.header }
func (s *status) Write(b []byte) (int, error) { return len(b), nil }
func (s *status) WriteHeader(code int)        { s.code = code }
