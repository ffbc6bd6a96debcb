package main

import (
	"bytes"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var updateCalendar = flag.Bool("update-calendar", false, "write the golden calendar")

// openHere opens a publication of two threads in a folder of its own. What the
// web server logs goes to log.
func openHere(t *testing.T, log *bytes.Buffer) *publication {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "threads"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"config.yaml": "publication: {title: \"The shed, weekly\", url: \"https://example.com/news\"}\nmail: {from: jo@example.com, transport: folder}\n" +
			"schedule: {cron: \"0 9 * * MON\", timezone: Europe/Paris, except: 2000-01-17}\nweb: {access_log: on}\n",
		"threads/2026-01-05-a.md": "---\ntitle: Moving a shed, and what three neighbours and a rope could do about it; a story\n---\nOne.\n\n---\n\nTwo.\n",
		"threads/2026-01-06-b.md": "---\ntitle: Second\n---\nOnce more.\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := &app{world: world{stdout: log, stderr: log, env: func(string) (string, bool) { return "", false }}, config: filepath.Join(dir, "config.yaml")}
	p, err := a.open(t.Context(), slog.LevelInfo, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.close() })
	return p
}

// The calendar answers at its address alone, until there is another one, and no
// log tells the address.
func TestCalendarAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := openHere(t, &log)
		if _, err := p.publisher.Skip(t.Context(), time.Date(2000, 1, 10, 9, 0, 0, 0, p.facts.Zone), false); err != nil {
			t.Fatal(err)
		}
		handler, err := p.web(t.Context(), map[string]http.Handler{calendarPath: http.HandlerFunc(p.serveCalendar)})
		if err != nil {
			t.Fatal(err)
		}
		get := func(method, address string) *httptest.ResponseRecorder {
			rec := httptest.NewRecorder()
			handler.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), method, address, nil))
			return rec
		}
		want := func(address string, status int) *httptest.ResponseRecorder {
			t.Helper()
			rec := get(http.MethodGet, address)
			if rec.Code != status || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %d with %v, want %d and no-store", address, rec.Code, rec.Header(), status)
			}
			return rec
		}
		want("https://example.com/news/calendar/x.ics", http.StatusNotFound) // nobody asked for an address yet
		address, err := p.calendarAddress(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := p.calendarAddress(t.Context(), false); err != nil || again != address {
			t.Errorf("asked again: %s, %v; want %s", again, err, address)
		}
		rec := want(address, http.StatusOK)
		if kind := rec.Header().Get("Content-Type"); kind != "text/calendar; charset=utf-8" {
			t.Errorf("it is %s", kind)
		}
		first, file := firstEvents(rec.Body.String(), 4), filepath.Join("testdata", "calendar.ics")
		if *updateCalendar {
			if err := os.WriteFile(file, []byte(first), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if diff := cmp.Diff(string(golden), first); err != nil || diff != "" {
			t.Errorf("calendar, %v (-want +got):\n%s", err, diff)
		}
		want(strings.TrimSuffix(address, calendarEnd), http.StatusNotFound)
		want(strings.Replace(address, "calendar/", "calendar/a", 1), http.StatusNotFound)
		if code := get(http.MethodPost, address).Code; code != http.StatusMethodNotAllowed {
			t.Errorf("POST: %d", code)
		}
		renewed, err := p.calendarAddress(t.Context(), true)
		if err != nil || renewed == address {
			t.Fatalf("renewed: %s, %v", renewed, err)
		}
		want(address, http.StatusNotFound)
		want(renewed, http.StatusOK)
		token := strings.TrimSuffix(filepath.Base(address), calendarEnd)
		if text := log.String(); !strings.Contains(text, "/calendar/") || strings.Contains(text, token) {
			t.Errorf("the log tells the address, or nothing:\n%s", text)
		}
	})
}

// firstEvents is a calendar with no more than its first n events.
func firstEvents(doc string, n int) string {
	const end = "END:VEVENT\r\n"
	parts := strings.SplitAfter(doc, end)
	return strings.Join(parts[:n], "") + parts[len(parts)-1]
}
