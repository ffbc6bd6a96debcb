package deliver

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"threadmill/internal/cluster"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
	"threadmill/internal/store/pgtest"
)

// ground is what a sender stands on: a database, and what brings it batches.
type ground struct {
	name string
	open func(t testing.TB) *store.Store // opens a new database
}

// onEach runs a test over SQLite, where the sender looks for batches itself, and
// over PostgreSQL, where River brings them to the nodes.
//
// Left to SQLite are the tests of [later]: in a bubble of synctest no socket may
// be waited for, and what they test is time, which is the sender's own. So is
// TestCruelRelay, which tests the ways of an answer to the journal: 50 relays
// and what each makes of a message, whatever the database.
func onEach(t *testing.T, test func(t *testing.T, on ground)) {
	t.Helper()
	t.Parallel()
	for _, on := range []ground{{"sqlite", openStore}, {"river", openServer}} {
		t.Run(on.name, func(t *testing.T) {
			t.Parallel()
			test(t, on)
		})
	}
}

// template is a new PostgreSQL database.
var template = pgtest.Template{
	Make: func(address string) error {
		s, err := store.Open(context.Background(), address, slog.New(slog.DiscardHandler))
		if err != nil {
			return err
		}
		return s.Close()
	},
	Clean: pgtest.DeleteAllBut("keys", "goose_db_version", "river_migration"),
}

// openServer opens a new database of PostgreSQL.
func openServer(t testing.TB) *store.Store {
	t.Helper()
	return openAt(t, template.Lend(t))
}

// join returns a store in the hands of a node, which leaves with the test.
func join(t testing.TB, s *store.Store) *store.Node {
	t.Helper()
	n, err := s.Join(t.Context(), "v1", 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Leave(context.Background(), true); err != nil {
			t.Error(err)
		}
	})
	return n
}

// sender returns a sender that does nothing yet. On PostgreSQL it keeps the
// publication, alone.
func (sc *scene) sender(t *testing.T, o Options) *Sender {
	t.Helper()
	if sc.node.ID() == "" {
		return New(o)
	}
	engine, err := cluster.New(cluster.Options{Pool: sc.Pool(), Node: sc.node.ID(), Store: sc.Store, Batches: Batches, Log: o.Log})
	if err != nil {
		t.Fatal(err)
	}
	o.Engine, o.Shared = engine, true
	s := New(o)
	s.Keep()
	if err := s.Share(t.Context(), 1, 0, 0); err != nil {
		t.Fatal(err)
	}
	return s
}

// run runs a sender beside the engine that brings it batches.
func (sc *scene) run(ctx context.Context, s *Sender) error {
	engine, ok := s.Engine.(*cluster.Engine)
	if !ok {
		return s.Run(ctx)
	}
	bringing, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(bringing, s.Wake, s.Kept()) }()
	err := s.Run(ctx)
	stop()
	return errors.Join(err, <-ended)
}

// drainWait is how long a drain waits for what is due later.
const drainWait = time.Minute

// drain sends what is due and returns who did. What River brings is sent by a
// Run, until nothing is left; the Drain after that says whether it is so.
func (sc *scene) drain(t *testing.T, o Options) *Sender {
	t.Helper()
	s := sc.sender(t, o)
	if sc.node.ID() != "" {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- sc.run(ctx, s) }()
		for tick := time.Tick(10 * time.Millisecond); !sc.quiet(t); {
			<-tick
		}
		cancel()
		if err := <-ended; err != nil {
			t.Fatalf("run: %v", err)
		}
	}
	if err := s.Drain(t.Context(), drainWait); err != nil {
		t.Fatalf("drain: %v", err)
	}
	return s
}

// quiet tells whether nothing is under way nor due soon.
func (sc *scene) quiet(t *testing.T) bool {
	t.Helper()
	ctx, end := t.Context(), time.Now().Add(drainWait)
	holds, err := sc.Store.Holds(ctx)
	if err != nil {
		t.Fatal(err)
	}
	open, err := sc.OpenBatches(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	deferred, err := sc.NextDeferred(ctx)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := sc.Nodes(ctx)
	if err != nil {
		t.Fatal(err)
	}
	left := len(open) > 0 || !deferred.IsZero() && deferred.Before(end)
	for _, h := range holds {
		if later := !h.Lifted && h.ProbeAt.After(end); later && h.Domain == wholeRelay {
			left = false
			break
		} else if !later {
			left = true
		}
	}
	return !left && nodes[0].Batches == 0
}

// crash leaves a batch with its first two deliveries marked, as a sender does
// that is killed. On PostgreSQL another node notices.
func (sc *scene) crash(t *testing.T, resend bool) {
	t.Helper()
	ctx := t.Context()
	dead, err := sc.Join(ctx, "v1", 2)
	if err != nil {
		t.Fatal(err)
	}
	batches, err := dead.OpenBatches(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	list, err := dead.TakeBatch(ctx, batches[0])
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	if _, err := dead.Journal(ctx, []newsletter.JournalEntry{{Next: list[0].ID, At: at}, {Next: list[1].ID, At: at}}); err != nil {
		t.Fatal(err)
	}
	if dead.ID() == "" {
		return
	}
	alive, stop := dead.Context(ctx)
	defer stop()
	if _, err := sc.Pool().Exec(ctx, `SELECT pg_terminate_backend(l.pid) FROM pg_locks l
		JOIN nodes n ON n.number = l.objid AND l.objsubid = 2 WHERE n.id = $1`, dead.ID()); err != nil {
		t.Fatal(err)
	}
	<-alive.Done()
	for buried := 0; buried == 0; {
		b, err := sc.Sweep(ctx, resend)
		if err != nil {
			t.Fatal(err)
		}
		buried = len(b.Nodes)
	}
	if err := dead.Leave(ctx, resend); err != nil {
		t.Error(err)
	}
}
