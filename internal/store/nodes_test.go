package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// endConnections ends those of a kind, as a server does that notices a broken
// line.
func endConnections(t *testing.T, address, name string) {
	t.Helper()
	query(t, address, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '`+name+`' AND datname = current_database()`)
}

// sweep waits until the server has noticed that a node is dead.
func sweep(t *testing.T, s *store.Store) store.Buried {
	t.Helper()
	for t.Context().Err() == nil {
		if b := got(s.Sweep(t.Context(), true))(t); len(b.Nodes) > 0 {
			return b
		}
	}
	t.Fatal("nobody died")
	return store.Buried{}
}

// TestNodeIsTakenOver takes away what a dead node had: it may not write it down
// any more, and what was under way is in doubt.
func TestNodeIsTakenOver(t *testing.T) {
	t.Parallel()
	address := template.Copy(t)
	ctx := t.Context()
	publish(t, open(t, address), 6, 3)
	one := got(open(t, address).Join(ctx, "v1", 10))(t)
	alive, stop := one.Context(ctx)
	defer stop()
	batches := got(one.OpenBatches(ctx, 10))(t)
	list := got(one.TakeBatch(ctx, batches[0]))(t)

	two := got(open(t, address).Join(ctx, "v2", 20))(t)
	defer two.Leave(ctx, true)
	if _, err := two.TakeBatch(ctx, batches[0]); !errors.Is(err, newsletter.ErrTaken) {
		t.Errorf("the batch of another: %v", err)
	}
	if diff := cmp.Diff(batches[1:], got(two.OpenBatches(ctx, 10))(t)); diff != "" {
		t.Error(diff)
	}
	now := time.Now()
	goes := got(one.Journal(ctx, []newsletter.JournalEntry{{Next: list[0].ID, At: now}, {Next: list[1].ID, At: now}}))(t)
	if diff := cmp.Diff([]bool{true, true}, goes); diff != "" {
		t.Error(diff)
	}
	if goes := got(two.Journal(ctx, []newsletter.JournalEntry{{Next: list[2].ID, At: now}}))(t); goes[0] {
		t.Error("a delivery goes in a batch of another")
	}
	if b := got(two.Sweep(ctx, true))(t); len(b.Nodes) > 0 {
		t.Errorf("buried %+v alive", b)
	}

	endConnections(t, address, "threadmill node %")
	<-alive.Done()
	if cause := context.Cause(alive); !errors.Is(cause, store.ErrNodeLost) {
		t.Errorf("ended by %v", cause)
	}
	three := got(open(t, address).Join(ctx, "v3", 10))(t)
	sum := store.Buried{}
	for len(sum.Nodes) < 2 {
		b := sweep(t, three.Store)
		sum.Nodes, sum.Batches, sum.Again, sum.Held = append(sum.Nodes, b.Nodes...), sum.Batches+b.Batches, sum.Again+b.Again, sum.Held+b.Held
	}
	if sum.Batches != 1 || sum.Again != 2 || sum.Held != 0 {
		t.Errorf("buried %+v", sum)
	}
	// Late words of a dead node: neither an end nor a mark counts.
	goes = got(one.Journal(ctx, []newsletter.JournalEntry{{Ended: ended(list[0].ID, newsletter.DeliverySent), Next: list[2].ID, At: now}}))(t)
	if goes[0] {
		t.Error("a delivery goes under a lease that was taken over")
	}
	goes = got(one.Journal(ctx, []newsletter.JournalEntry{{Ended: ended(list[1].ID, newsletter.DeliveryFailed)}}))(t)
	if goes[0] {
		t.Error("nothing goes")
	}
	wantCounts(t, three.Store, newsletter.Counts{Recipients: 6, Pending: 6})
	if _, err := one.TakeBatch(ctx, batches[1]); !errors.Is(err, newsletter.ErrTaken) {
		t.Errorf("a dead node takes a batch: %v", err)
	}

	list = got(three.TakeBatch(ctx, batches[0]))(t)
	if len(list) != 3 || list[0].Doubts != 1 || list[2].Doubts != 0 {
		t.Errorf("taken over: %+v", list)
	}
	got(three.Journal(ctx, []newsletter.JournalEntry{{Next: list[0].ID, At: now}, {Next: list[2].ID, At: now}}))(t)
	nodes := got(three.Beat(ctx, 2.5, true))(t)
	if len(nodes) != 1 || nodes[0].ID != three.ID() || nodes[0].Batches != 1 || nodes[0].Rate != 2.5 || !nodes[0].Keeper || nodes[0].Version != "v3" {
		t.Errorf("nodes: %+v", nodes)
	}
	// A second doubt waits for the operator, also where the node leaves by itself.
	must(t, three.Leave(ctx, true))
	wantCounts(t, three.Store, newsletter.Counts{Recipients: 6, Pending: 5, InDoubt: 1})
	if nodes := got(three.Nodes(ctx))(t); len(nodes) > 0 {
		t.Errorf("nodes: %+v", nodes)
	}
	must(t, one.Leave(ctx, true))
}

// TestNodeAtEnd works batches to their end as a node, on each database.
func TestNodeAtEnd(t *testing.T) {
	onEach(t, func(t *testing.T, s *store.Store) {
		ctx := t.Context()
		publish(t, s, 4, 2)
		n := got(s.Join(ctx, "v1", 1))(t)
		again, held, err := n.Recover(ctx, true)
		if err != nil || again+held > 0 {
			t.Errorf("recover: %d %d %v", again, held, err)
		}
		for _, b := range got(n.OpenBatches(ctx, 10))(t) {
			for _, d := range got(n.TakeBatch(ctx, b))(t) {
				got(n.Journal(ctx, []newsletter.JournalEntry{{Next: d.ID, At: time.Now()}}))(t)
				// What this node has under way is in nobody's doubt.
				if n.ID() != "" {
					if again, held, err := s.Recover(ctx, true); err != nil || again+held > 0 {
						t.Errorf("recover: %d %d %v", again, held, err)
					}
				}
				got(n.Journal(ctx, []newsletter.JournalEntry{{Ended: ended(d.ID, newsletter.DeliverySent)}}))(t)
			}
			must(t, n.CloseBatch(ctx, b))
		}
		if !finished(t, s) {
			t.Error("the issue is not finished")
		}
		must(t, n.Leave(ctx, true))
		if b := got(s.Sweep(ctx, true))(t); len(b.Nodes) > 0 {
			t.Errorf("buried %+v", b)
		}
	})
}

// A node hears of what changes the site, from whomever it comes.
func TestNodeHearsOfChanges(t *testing.T) {
	t.Parallel()
	address := template.Lend(t)
	one, two := open(t, address), open(t, address)
	node := got(one.Join(t.Context(), "test", 1))(t)
	for range 2 {
		got(two.AskRebuild(t.Context()))(t)
		select {
		case <-node.SiteChanged():
		case <-t.Context().Done():
		case <-time.After(time.Minute):
			t.Fatal("nothing was told")
		}
	}
	must(t, node.Leave(t.Context(), true))
}
