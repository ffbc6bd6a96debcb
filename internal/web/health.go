package web

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Health tells which publication a server belongs to.
type Health struct {
	// Publication is an id that it was given once.
	Publication string `json:"publication,omitempty"`
	URL         string `json:"url,omitempty"`
}

// health is what a supervisor reads.
type health struct {
	Status string `json:"status"` // "ok" or "unavailable"
	Reason string `json:"reason,omitempty"`
	Health
}

// healthz says that the server answers, and for whom: so whoever sends mail can
// tell that the links in it lead here.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeHealth(w, http.StatusOK, health{Status: "ok", Health: s.Health})
}

// readyz says whether the daemon can do its work, and if not why.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	if s.Ready != nil {
		if err := s.Ready(r.Context()); err != nil {
			return writeHealth(w, http.StatusServiceUnavailable, health{Status: "unavailable", Reason: err.Error()})
		}
	}
	return writeHealth(w, http.StatusOK, health{Status: "ok"})
}

func writeHealth(w http.ResponseWriter, code int, body health) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode health: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n'))
	return nil
}
