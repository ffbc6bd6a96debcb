package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"threadmill/internal/store"
)

// manyNodes is a publication on PostgreSQL with small batches, and a rate that leaves
// time to look.
func manyNodes(t *testing.T, r *relay, readers int, more string) place {
	t.Helper()
	p := newPlace(t, r, 1, readers, fmt.Sprintf("\ndatabase: %q\ndelivery: {batch: 20}\n%s", emptyPublication.Copy(t), more))
	p.write("config.yaml", strings.Replace(p.read("config.yaml"), "mail: {", "mail: {rate: 400, ", 1))
	return p
}

// nodes are those that status shows.
func (p place) nodes() []store.NodeInfo {
	p.t.Helper()
	var s statusReport
	if err := json.Unmarshal([]byte(p.look("status", "--json")), &s); err != nil {
		p.t.Fatal(err)
	}
	return s.Nodes
}

// allSent tells whether so many issues went out to all.
func (p place) allSent(issues, readers int) bool {
	p.t.Helper()
	var rows []issueRow
	if err := json.Unmarshal([]byte(p.run("issues", "--json")), &rows); err != nil {
		p.t.Fatal(err)
	}
	return len(rows) == issues && !slices.ContainsFunc(rows, func(r issueRow) bool { return r.Sent != readers })
}

// TestNodesLoseDatabase breaks all connections to the database while two nodes
// send. Both stop, come again, and go on.
func TestNodesLoseDatabase(t *testing.T) {
	t.Parallel()
	const readers = 1500
	r := newRelay(t)
	p := manyNodes(t, r, readers, "")
	one, two := p.startDaemon(), p.startDaemon()
	until(t, "a keeper", func() bool { n := p.nodes(); return len(n) == 2 && (n[0].Keeper || n[1].Keeper) })
	before := p.nodes()
	p.publish("--wait", "0s")
	until(t, "work for both", func() bool {
		n := p.nodes()
		return n[0].Batches > 0 && n[1].Batches > 0
	})
	p.loseDatabase()
	until(t, "everybody", func() bool { return p.allSent(1, readers) })
	until(t, "two new nodes", func() bool {
		n := p.nodes()
		return len(n) == 2 && (n[0].Keeper || n[1].Keeper) && n[0].ID != before[0].ID && n[1].ID != before[1].ID
	})
	one.stop()
	two.stop()
	checkCopies(t, r.accepted(), 1, readers, 20)
	p.checkIssues(1, readers)
}

// TestNodeDies kills or stops one of two nodes that both send. The other one
// goes on with its batches.
func TestNodeDies(t *testing.T) {
	t.Parallel()
	const readers = 1500
	for _, tt := range []struct {
		name   string
		signal syscall.Signal
		keeper bool
		copies int
	}{
		{"KILL", syscall.SIGKILL, false, 10},
		{"KILL of the keeper", syscall.SIGKILL, true, 10},
		{"TERM", syscall.SIGTERM, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRelay(t)
			p := manyNodes(t, r, readers, "")
			one := p.startDaemon()
			until(t, "a keeper", func() bool { n := p.nodes(); return len(n) == 1 && n[0].Keeper })
			two := p.startDaemon()
			until(t, "two nodes", func() bool { return len(p.nodes()) == 2 })
			dies, lives := two, one
			if tt.keeper {
				dies, lives = one, two
			}
			p.publish("--wait", "0s")
			until(t, "work for both", func() bool {
				n := p.nodes()
				return n[0].Batches > 0 && n[1].Batches > 0
			})
			if err := dies.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			until(t, "the end of it", func() bool {
				n := p.nodes()
				return len(n) == 1 && n[0].PID == lives.Process.Pid && n[0].Keeper
			})
			until(t, "everybody", func() bool { return p.allSent(1, readers) })
			dies.end.Wait()
			_ = dies.Wait()
			lives.stop()
			checkCopies(t, r.accepted(), 1, readers, tt.copies)
			p.checkIssues(1, readers)
			if n := p.nodes(); len(n) > 0 {
				t.Errorf("nodes %+v", n)
			}
		})
	}
}
