//go:build unix

package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
)

// TestPublishWaitsForNodes has a `publish` that holds the lock beside a node that
// does not, which takes a part of the batches. Publish ends when all of the issue
// went out, also what the node sends, or had when it died.
func TestPublishWaitsForNodes(t *testing.T) {
	t.Parallel()
	for _, kill := range []bool{false, true} {
		name := "the node lives"
		if kill {
			name = "the node dies"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const readers = 1500
			r := newRelay(t)
			p := manyNodes(t, r, readers, "")
			publisher := p.begin("publish", "--now", "--json", "--wait", "1m")
			until(t, "the publisher", func() bool { return len(r.accepted()) > 20 })
			d := p.beside().startDaemon()
			until(t, "work for the node", func() bool {
				for _, n := range p.nodes() {
					if n.PID == d.Process.Pid && n.Batches > 0 {
						return true
					}
				}
				return false
			})
			copies := 0
			if kill { // when it has what nobody else can send
				copies = 10
				signal := func(s syscall.Signal) {
					t.Helper()
					if err := d.Process.Signal(s); err != nil {
						t.Fatal(err)
					}
				}
				signal(syscall.SIGSTOP)
				until(t, "all that is left to be the node's", func() bool { return p.onlyWorkedBy(d.Process.Pid) })
				signal(syscall.SIGKILL)
			}
			if got := publisher(); got.Sent != readers || got.Pending != 0 {
				t.Errorf("report %+v, want %d sent", got, readers)
			}
			if kill {
				d.end.Wait()
				_ = d.Wait()
			} else {
				d.stop()
			}
			checkCopies(t, r.accepted(), 1, readers, copies)
		})
	}
}

// onlyWorkedBy tells whether what is left to send is what a process has.
func (p place) onlyWorkedBy(pid int) (only bool) {
	p.t.Helper()
	conn := p.database()
	defer conn.Close(p.t.Context())
	err := conn.QueryRow(p.t.Context(), `SELECT NOT EXISTS (SELECT 1 FROM batches WHERE NOT done AND node NOT IN (SELECT id FROM nodes WHERE pid = $1))`, pid).Scan(&only)
	if err != nil {
		p.t.Fatal(err)
	}
	return only
}

// begin starts a `publish`; the function it returns waits for its report.
func (p place) begin(args ...string) func() publishReport {
	p.t.Helper()
	var out, text strings.Builder
	cmd := p.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &text
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	return func() (r publishReport) {
		p.t.Helper()
		if err := cmd.Wait(); err != nil {
			p.t.Fatalf("%v: %v\n%s", args, err, &text)
		}
		if err := json.Unmarshal([]byte(out.String()), &r); err != nil {
			p.t.Fatal(err)
		}
		return r
	}
}
