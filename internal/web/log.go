package web

import (
	"io"
	"log/slog"
	"net/http"
	"time"
)

// logged notes each request: the route, not the path, which may hold a token;
// no address of the reader either. It also tells whoever counts.
func (s *server) logged(next http.Handler) http.Handler {
	level := slog.LevelDebug
	if s.AccessLog {
		level = slog.LevelInfo
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		noted := s.Log.Enabled(r.Context(), level)
		if !noted && s.Observe == nil {
			next.ServeHTTP(w, r)
			return
		}
		start := time.Now()
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		took := time.Since(start)
		if s.Observe != nil {
			s.Observe(r.Pattern, rec.status, took)
		}
		if noted {
			s.Log.Log(r.Context(), level, "request", "method", method(r.Method), "route", r.Pattern, "status", rec.status, "duration", took)
		}
	})
}

// method is one that the standards know (RFC 9110, section 9): a client may write
// anything there.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return m
	}
	return "other"
}

// strict tells browsers to come by https from now on (RFC 6797): a year, and for
// this host alone, as others below its name may be somebody else's.
func (s *server) strict(next http.Handler) http.Handler {
	if !s.Strict {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Strict-Transport-Security"] = headerStrict
		next.ServeHTTP(w, r)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the last status, which is the one that counts: those
// before it are informational.
func (r *recorder) WriteHeader(code int) {
	r.status = code
	r.ResponseWriter.WriteHeader(code)
}

// ReadFrom leaves a file to the connection, which can send it without reading
// it.
func (r *recorder) ReadFrom(from io.Reader) (int64, error) { return io.Copy(r.ResponseWriter, from) }

// Unwrap gives http.ResponseController the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
