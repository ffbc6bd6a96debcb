package main

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"threadmill/internal/store"
)

// Where nobody serves the publication there is no form that nobody answers. It
// comes once run has served it, or the config says that something does.
func TestSearchForm(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 1, 1, "")
	form := func(want bool) {
		t.Helper()
		p.run("build")
		page, err := os.ReadFile(filepath.Join(p.dir, "public", "index.html"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(page), `action="https://news.example.com/search"`); got != want {
			t.Errorf("the form is there: %v, want %v", got, want)
		}
	}
	p.edit(`web: {listen: "off"}`, "feeds: {items: 49}")
	p.publish()
	form(false)
	p.edit("feeds: {items: 49}", `web: {url: "https://news.example.com"}`)
	form(true)
	p.edit(`web: {url: "https://news.example.com"}`, `web: {listen: ":8080"}`)
	form(true)
	p.edit(`web: {listen: ":8080"}`, "feeds: {items: 49}")
	form(false)
	db, err := store.Open(t.Context(), filepath.Join(p.dir, "threadmill.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.NoteServed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	form(true)
	p.edit("feeds: {items: 49}", `web: {listen: "off"}`)
	form(false)
}

// The pages that the server makes follow an edited template, as the site does,
// and a fault in one leaves them as they were.
func TestServerFollowsTemplates(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 1, 1, "")
	p.edit(`listen: "off"`, `listen: "127.0.0.1:0"`)
	p.edit("web:", "templates: looks\nweb:")
	p.write("looks/search.html", "<p>One</p>\n")
	d := p.startDaemon()
	defer d.stop()
	shows := func(want string) {
		t.Helper()
		until(t, want, func() bool {
			_, body := d.get("search")
			return strings.Contains(body, want)
		})
	}
	shows("One")
	checkWatched(t, d)
	for _, text := range []string{"<p>Two</p>\n", "<p>{{.Nothing}}</p>\n", "<p>Three</p>\n"} {
		p.write("looks/search.html", text)
		if err := d.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if want := strings.TrimSpace(text); !strings.Contains(want, "{") {
			shows(want)
		} else {
			until(t, "the fault told", func() bool {
				out, _ := p.command("status").Output() // it ends with 1 then
				return strings.Contains(string(out), "search.html")
			})
			shows("Two")
		}
	}
}

// checkWatched asks a daemon who it is and how it does.
func checkWatched(t *testing.T, d *daemon) {
	t.Helper()
	if res, body := d.get("healthz"); res.StatusCode != http.StatusOK || !strings.Contains(body, `{"status":"ok","publication":"`) || !strings.Contains(body, `"url":"https://news.example.com"}`) {
		t.Errorf("healthz: %s %s", res.Status, body)
	}
	_, body := d.get("metrics")
	for _, line := range []string{
		"threadmill_database_up 1", `threadmill_subscribers{status="active"} 1`, "threadmill_threads_left 1",
		`threadmill_http_requests_total{code="200",route="/search"} `, "go_goroutines ",
	} {
		if !strings.Contains(body, "\n"+line) {
			t.Errorf("metrics lack %s", line)
		}
	}
	if strings.Contains(body, "example.com") {
		t.Error("metrics name a person or a place")
	}
}

// A daemon writes its own output folder, whatever a command beside it names.
func TestBuildElsewhere(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 1, 1, "")
	d := p.startDaemon()
	defer d.stop()
	if out := p.run("build"); !strings.Contains(out, "written by the running threadmill") {
		t.Error(out)
	}
	p.edit(`web: {listen: "off"}`, "output: elsewhere\nweb: {listen: \"off\"}")
	out, err := p.command("build").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "output: threadmill run (process") || !strings.Contains(string(out), "writes another folder than elsewhere") {
		t.Errorf("%v: %s", err, out)
	}
}
