package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// A node that does not send publishes and writes the site; one that does not
// serve listens to nobody. What the first left is sent by the second.
func TestRoles(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := newPlace(t, r, 1, 3, "")
	p.edit(`web: {listen: "off"}`, "web: {listen: 127.0.0.1:0}")
	p.write("threads/2025-01-01-shown/index.md", "How a picture is shown.\n\n---\n\n![A picture](a.png)\n")
	p.write("threads/2025-01-01-shown/a.png", "png")
	d := p.startDaemon("--no-web", "--no-send")
	if d.web != "" {
		t.Errorf("--no-web listens on %s", d.web)
	}
	p.run("publish", "--now", "--wait", "0s", "--json")
	p.run("build") // the daemon had its turn
	if got := p.read("public/threads/shown/a.png"); got != "png" {
		t.Errorf("the picture is %q", got)
	}
	d.stop()
	if n := len(r.accepted()); n > 0 {
		t.Errorf("--no-send sent %d messages", n)
	}
	p.run("publish")
	if n := len(r.accepted()); n != 3 {
		t.Errorf("%d messages went out in the end, want 3", n)
	}
}

// Two publications cannot share an output folder, and a node without a threads
// folder publishes what the database holds.
func TestOneWriterOfAFolder(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := newPlace(t, r, 2, 1, "")
	p.run("build")
	q := newPlace(t, r, 0, 0, "")
	q.edit("web:", "output: "+filepath.Join(p.dir, "public")+"\nweb:")
	d := p.startDaemon()
	out, err := q.command("run").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another threadmill writes it") {
		t.Errorf("a second writer of one folder: %v\n%s", err, out)
	}
	d.stop()
	p.edit("web:", "threads: \"\"\nweb:")
	var report struct{ Threads []string }
	if err := json.Unmarshal([]byte(p.run("publish", "--now", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Threads) != 1 || len(r.accepted()) != 1 {
		t.Errorf("without a threads folder: published %v, %d messages", report.Threads, len(r.accepted()))
	}
}
