package main

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// TestKill ends the daemon at random moments of sending five issues, and starts
// it again. Nobody may be missing; a kill may cost one more copy, with the
// same Message-ID, for each connection, and an orderly stop none.
func TestKill(t *testing.T) {
	t.Parallel()
	const (
		issues      = 5
		readers     = 160
		connections = 10
		kills       = 4
	)
	for _, tt := range []struct {
		name   string
		signal syscall.Signal
		copies int // allowed beyond the first
	}{
		{"KILL", syscall.SIGKILL, kills * connections},
		{"TERM", syscall.SIGTERM, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, database string) {
				r := newRelay(t)
				p := newPlace(t, r, issues, readers, `schedule: {cron: "@every 1s"}`+database)
				for k := range kills {
					// What was on the wire at one kill is through before the next: a second one would leave it in doubt.
					n := (k*issues*readers+rand.IntN(issues*readers))/(kills+1) + 1
					p.runUntil(r, tt.signal, max(n, len(r.accepted())+4*connections))
				}
				p.runUntil(r, syscall.SIGTERM, issues*readers)
				p.finish(r)
				checkCopies(t, r.accepted(), issues, readers, tt.copies)
				p.checkIssues(issues, readers)
			})
		})
	}
}

// runUntil runs the daemon until the relay took n messages in all, and ends it
// by a signal at that moment.
func (p place) runUntil(r *relay, signal syscall.Signal, n int) {
	p.t.Helper()
	var log strings.Builder
	cmd := p.command("run")
	cmd.Stderr = &log
	var once sync.Once
	reached := make(chan struct{})
	taken := r.afterEach(func(taken int) {
		if taken >= n {
			once.Do(func() { close(reached) })
		}
	})
	if taken >= n {
		return
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	<-reached
	if err := cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil && signal != syscall.SIGKILL {
		p.t.Fatalf("run: %v\n%s", err, log.String())
	}
}

// finish sends what the last stop left.
func (p place) finish(r *relay) {
	r.afterEach(nil)
	for range 100 {
		var report nothingReport
		if err := json.Unmarshal([]byte(p.run("publish", "--now", "--json")), &report); err != nil {
			p.t.Fatal(err)
		}
		if report.Issue == nil && report.Pending == 0 {
			return
		}
	}
	p.t.Fatal("there is always something left")
}

func checkCopies(t *testing.T, took []copyOf, issues, readers, allowed int) {
	t.Helper()
	byReader := map[string]map[string]int{} // address -> Message-ID -> copies
	subjects := map[string]bool{}
	for _, c := range took {
		if byReader[c.to] == nil {
			byReader[c.to] = map[string]int{}
		}
		byReader[c.to][c.id]++
		subjects[c.subject] = true
	}
	if len(subjects) != issues {
		t.Errorf("%d issues went out, want %d", len(subjects), issues)
	}
	if len(byReader) != readers {
		t.Errorf("%d readers got mail, want %d", len(byReader), readers)
	}
	for to, ids := range byReader {
		if len(ids) != issues {
			t.Errorf("%s got %d different messages, want %d", to, len(ids), issues)
		}
	}
	if copies := len(took) - issues*readers; copies > allowed {
		t.Errorf("%d copies beyond the first, want at most %d", copies, allowed)
	} else {
		t.Logf("%d copies beyond the first", copies)
	}
}

func (p place) checkIssues(issues, readers int) {
	p.t.Helper()
	var rows []issueRow
	if err := json.Unmarshal([]byte(p.run("issues", "--json")), &rows); err != nil {
		p.t.Fatal(err)
	}
	if len(rows) != issues {
		p.t.Fatalf("issues lists %d, want %d", len(rows), issues)
	}
	for _, r := range rows {
		if r.Recipients != readers || r.Sent != readers {
			p.t.Errorf("issue %d: %+v, want %d sent", r.Issue, r.Counts, readers)
		}
	}
}
