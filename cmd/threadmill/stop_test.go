package main

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
)

// issue reads one issue.
func (p place) issue(n string) issueRow {
	p.t.Helper()
	var r issueRow
	if err := json.Unmarshal([]byte(p.run("issues", "show", n, "--json")), &r); err != nil {
		p.t.Fatal(err)
	}
	return r
}

// Beside a daemon that sends, an issue is stopped, survives a restart as such,
// goes on a little, and is withdrawn: nobody gets mail after either.
func TestStopBesideDaemon(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		const readers = 60
		r := newRelay(t)
		p := newPlace(t, r, 1, readers, database)
		p.write("config.yaml", strings.Replace(p.read("config.yaml"), "tls: none}", "tls: none, connections: 2}, rate: 20", 1))
		d := p.startDaemon()
		defer func() { d.stop() }()
		at := func(n int, do func()) <-chan struct{} {
			done := make(chan struct{})
			once := sync.OnceFunc(func() { go func() { defer close(done); do() }() })
			r.afterEach(func(taken int) {
				if taken >= n {
					once()
				}
			})
			return done
		}
		stopped := at(5, func() { p.run("issues", "stop", "1") })
		p.publish()
		<-stopped
		if got := p.issue("1"); got.State != issueStopped || got.Sent < 5 || got.Pending == 0 || got.Recipients != readers {
			t.Errorf("stopped: %+v", got)
		}
		d.stop() // what was under way has ended
		sent := len(r.accepted())
		d = p.startDaemon()
		p.run("build") // the daemon had its turn
		if got := p.issue("1"); got.State != issueStopped || got.Sent != sent || len(r.accepted()) != sent {
			t.Errorf("stopped, after a restart: %+v, want %d sent", got, sent)
		}
		withdrawn := at(sent+5, func() { p.run("issues", "withdraw", "1") })
		p.run("issues", "go", "1")
		<-withdrawn
		d.stop()
		d = p.startDaemon()
		got := p.issue("1")
		if got.State != issueWithdrawn || got.Pending != 0 || got.InDoubt != 0 || got.Sent != len(r.accepted()) || got.Sent+got.Canceled != readers {
			t.Errorf("withdrawn: %+v, the relay has %d", got, len(r.accepted()))
		}
		p.run("build")
		if strings.Contains(p.read("public/feed.xml"), "Part 0") {
			t.Error("the thread stands in the feed")
		}
	})
}
