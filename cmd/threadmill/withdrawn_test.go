package main

import (
	"net/http"
	"strings"
	"testing"
)

// What a withdrawn issue had on the site is answered by 410 from then on, also
// after a restart; what never was there by 404, and what stays by 200.
func TestWithdrawnIsGone(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 2, 1, "")
	p.edit(`web: {listen: "off"}`, "web: {listen: 127.0.0.1:0}")
	p.run("publish", "--now")
	p.run("publish", "--now")
	d := p.startDaemon()
	answers := func(path string, code int) {
		t.Helper()
		res, body := d.get(path)
		if res.StatusCode != code {
			t.Errorf("%s: %s, want %d", path, res.Status, code)
		}
		if code >= 400 && (!strings.Contains(body, "<h1") || res.Header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: %v\n%s", path, res.Header, body)
		}
	}
	answers("threads/part-0/", http.StatusOK)
	answers("threads/part-1/", http.StatusOK)
	p.run("issues", "withdraw", "1")
	p.run("build") // the daemon had its turn
	after := func() {
		t.Helper()
		answers("threads/part-0/", http.StatusGone)
		answers("threads/part-0", http.StatusGone)
		answers("threads/part-1/", http.StatusOK)
		answers("threads/part-2/", http.StatusNotFound)
		if _, feed := d.get("feed.xml"); strings.Contains(feed, "part-0/") || !strings.Contains(feed, "part-1/") {
			t.Errorf("the feed holds what was withdrawn, or not the rest:\n%s", feed)
		}
	}
	after()
	d.stop()
	d = p.startDaemon()
	after()
	d.stop()
}
