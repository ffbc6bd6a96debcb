package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/operator"
)

// news is a pipe into which the operator's command writes.
func (p place) news() string {
	p.t.Helper()
	if err := mkfifo(filepath.Join(p.dir, "news")); err != nil {
		p.t.Fatal(err)
	}
	return "cat > news"
}

// The relay cannot be used at the slot: the command hears of it, the heartbeat
// stays silent, and the status says so, until the mail goes out by itself.
func TestOperator(t *testing.T) {
	t.Parallel()
	beats := make(chan struct{}, 10)
	var count atomic.Int64
	beat := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		count.Add(1)
		beats <- struct{}{}
	}))
	defer beat.Close()
	r := newRelay(t)
	p := newPlace(t, r, 1, 5, fmt.Sprintf(`schedule: {cron: "@every 1s"}
operator: {email: op@example.com, command: "cat > news", heartbeat: "%s/beat?a=b"}`, beat.URL))
	events := p.listen()
	good := p.read("config.yaml")
	p.write("config.yaml", strings.Replace(good, "port: "+r.port(), "port: 1", 1))
	d := p.startDaemon()
	// Slots that are empty by then are told as well.
	if e := events("held_by_fault"); e.Kind != "relay" || !strings.Contains(e.Text, "127.0.0.1:1") || e.Publication != "Test" {
		t.Errorf("event: %+v", e)
	}
	out, err := p.command("status").CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != statusFailed || !strings.Contains(string(out), "(relay)") {
		t.Errorf("status: %v\n%s", err, out)
	}
	if n := count.Load(); n != 0 {
		t.Errorf("%d beats while the relay cannot be used", n)
	}
	d.stop()
	p.write("config.yaml", good)
	d = p.startDaemon()
	defer d.stop()
	<-beats
	got := map[string]int{}
	for _, c := range r.accepted() {
		got[c.to]++
	}
	delete(got, "op@example.com") // of the empty slots
	want := map[string]int{}
	for i := range 5 {
		want[fmt.Sprintf("reader%04d@example.org", i)] = 1
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What `publish` meets it tells by itself, each fault once.
func TestOperatorOfPublish(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := newPlace(t, r, 1, 1, `operator: {email: op@example.com, command: "cat >> events", warn_left: 3}`)
	p.write("threads/broken.md", "---\ndate: someday\n---\n\nA date that cannot be read.\n")
	p.publish()
	p.run("publish")
	var events []string
	for line := range strings.Lines(p.read("events")) {
		var e operator.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		events = append(events, e.Event)
	}
	if len(events) != 2 || !strings.Contains(strings.Join(events, " "), "threads_low") || !strings.Contains(strings.Join(events, " "), "thread_broken") {
		t.Errorf("events: %q", events)
	}
	mails := 0
	for _, c := range r.accepted() {
		if c.to == "op@example.com" {
			mails++
		}
	}
	if mails != 2 {
		t.Errorf("the operator has %d mails, want 2", mails)
	}
}
