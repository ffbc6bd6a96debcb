package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"threadmill/internal/cluster"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
	"threadmill/internal/store/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.IgnoreCurrent()) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// template is a publication with an issue of four batches.
var template = pgtest.Template{Make: func(address string) error {
	ctx := context.Background()
	s, err := store.Open(ctx, address, quiet())
	if err != nil {
		return err
	}
	var people []newsletter.Subscriber
	for _, name := range []string{"a", "b", "c", "d"} {
		people = append(people, newsletter.Subscriber{Email: name + "@example.com", Key: name + "@example.com", Status: newsletter.SubscriberActive})
	}
	_, err = s.AddSubscribers(ctx, people)
	if err == nil {
		_, err = s.Publish(ctx, newsletter.Issue{Number: 1, PublishedAt: time.Now()}, nil, newsletter.Snapshot{Message: []byte("x")}, 1)
	}
	if err == nil {
		err = s.SiteWritten(ctx, []int64{1})
	}
	return errors.Join(err, s.Close())
}}

// node is a node with its engine.
type node struct {
	*store.Node
	engine *cluster.Engine
	woken  chan struct{}
	stop   func()
}

func start(t *testing.T, address string, keeps bool) *node {
	t.Helper()
	s := must(store.Open(t.Context(), address, quiet()))(t)
	n := &node{Node: must(s.Join(t.Context(), "v1", 1))(t), woken: make(chan struct{}, 100)}
	n.engine = must(cluster.New(cluster.Options{Pool: s.Pool(), Node: n.ID(), Store: s, Batches: 2, Log: quiet()}))(t)
	ctx, cancel := context.WithCancel(t.Context())
	kept, ended := make(chan struct{}), make(chan error, 1)
	if keeps {
		close(kept)
	}
	go func() { ended <- n.engine.Run(ctx, func() { n.woken <- struct{}{} }, kept) }()
	n.stop = func() {
		t.Helper()
		cancel()
		if err := errors.Join(<-ended, n.Leave(context.WithoutCancel(ctx), true), s.Close()); err != nil {
			t.Error(err)
		}
	}
	return n
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// next takes a batch that is offered.
func (n *node) next(t *testing.T) (newsletter.Batch, []newsletter.Delivery) {
	t.Helper()
	for {
		<-n.woken
		b, ok, err := n.engine.Next(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			return b, must(n.TakeBatch(t.Context(), b))(t)
		}
	}
}

// end sends what is in a batch.
func (n *node) end(t *testing.T, b newsletter.Batch, list []newsletter.Delivery) {
	t.Helper()
	for _, d := range list {
		must(n.Journal(t.Context(), []newsletter.JournalEntry{{Next: d.ID, At: time.Now()}}))(t)
		must(n.Journal(t.Context(), []newsletter.JournalEntry{{Ended: []newsletter.DeliveryEnd{{ID: d.ID, State: newsletter.DeliverySent}}}}))(t)
	}
	n.leave(t, b)
}

// leave gives a batch back.
func (n *node) leave(t *testing.T, b newsletter.Batch) {
	t.Helper()
	if err := n.CloseBatch(t.Context(), b); err != nil {
		t.Error(err)
	}
	n.engine.Done(b)
}

// TestEngine offers each open batch once, as many at a time as a node works, and
// again when one is left.
func TestEngine(t *testing.T) {
	t.Parallel()
	address := template.Copy(t)
	one := start(t, address, true)
	defer one.stop()
	first, firstList := one.next(t)
	second, secondList := one.next(t)
	two := start(t, address, false)
	defer two.stop()
	third, thirdList := two.next(t)
	fourth, _ := two.next(t)
	seen := map[int64]bool{first.ID: true, second.ID: true, third.ID: true, fourth.ID: true}
	if len(seen) != 4 || first.Issue != 1 {
		t.Errorf("batches %v", seen)
	}
	two.end(t, third, thirdList)
	two.leave(t, fourth)
	again, list := two.next(t)
	if again != fourth {
		t.Errorf("batch %v, want %v again", again, fourth)
	}
	two.end(t, again, list)
	one.end(t, first, firstList)
	one.end(t, second, secondList)
	if row := must(one.Issue(t.Context(), 1))(t); row.Sent != 4 || row.FinishedAt.IsZero() {
		t.Errorf("%+v", row)
	}
}

// TestEngineOfTheDead lets others have the jobs of a node that is buried.
func TestEngineOfTheDead(t *testing.T) {
	t.Parallel()
	address := template.Copy(t)
	one := start(t, address, true)
	defer one.stop()
	one.next(t)
	conn := must(pgx.Connect(t.Context(), address))(t)
	running := func() (n int) {
		t.Helper()
		err := conn.QueryRow(t.Context(), `SELECT count(*) FROM river_job WHERE state = 'running' AND $1 = ANY (attempted_by)`, one.ID()).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if running() == 0 {
		t.Error("no job is running")
	}
	// Its lock goes without a word; the queue of this process would go on.
	_ = must(conn.Exec(t.Context(), `SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN nodes n ON n.number = l.objid AND l.objsubid = 2`))(t)
	var dead store.Buried
	for len(dead.Nodes) == 0 {
		dead = must(one.Sweep(t.Context(), true))(t)
	}
	if n := running(); n != 0 {
		t.Errorf("%d jobs of a node that is buried are running", n)
	}
	if dead.Batches != 1 || dead.Nodes[0] != one.ID() {
		t.Errorf("buried %+v", dead)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
