package main

import (
	"net/http"
	"strings"
	"testing"
)

// A page that got another address is found under all it had, until it is
// withdrawn.
func TestFormerAddresses(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 1, 1, "")
	p.edit(`web: {listen: "off"}`, "web: {listen: 127.0.0.1:0}")
	p.run("publish", "--now")
	d := p.startDaemon()
	answers := func(path string, code int, to string) {
		t.Helper()
		if res := d.head(path); res.StatusCode != code || res.Header.Get("Location") != to {
			t.Errorf("%s: %s to %q, want %d to %q", path, res.Status, res.Header.Get("Location"), code, to)
		}
	}
	slug := func(name string) {
		t.Helper()
		p.write("threads/2026-01-01-part-0.md", "---\ntitle: Part 0\nslug: "+name+"\nparams: {formerly: [/2019/post.html]}\n---\n\nHow the part number 0 of the whole begins.\n\n---\n\nAnd how part 0 ends.\n")
		p.run("build") // the daemon has its turn
	}
	answers("threads/part-0/", http.StatusOK, "")
	answers("2019/post/", http.StatusNotFound, "")
	slug("renamed")
	answers("threads/renamed/", http.StatusOK, "")
	answers("threads/part-0/", http.StatusMovedPermanently, "/threads/renamed/")
	answers("2019/post/", http.StatusMovedPermanently, "/threads/renamed/")
	slug("again")
	answers("threads/part-0/", http.StatusMovedPermanently, "/threads/again/")
	answers("threads/renamed", http.StatusMovedPermanently, "/threads/again/")
	slug("part-0") // back where it was
	answers("threads/part-0/", http.StatusOK, "")
	answers("threads/renamed/", http.StatusMovedPermanently, "/threads/part-0/")
	if _, feed := d.get("feed.xml"); !strings.Contains(feed, "/threads/part-0/<") || strings.Contains(feed, "renamed") {
		t.Errorf("the feed names an old address:\n%s", feed)
	}
	p.run("issues", "withdraw", "1")
	p.run("build")
	for _, path := range []string{"threads/part-0/", "threads/renamed/", "threads/again", "2019/post.html"} {
		answers(path, http.StatusGone, "")
	}
	d.stop()
}

// head asks for a file of the site and follows no redirect.
func (d *daemon) head(path string) *http.Response {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodHead, d.web+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		d.t.Fatal(err)
	}
	return res
}
