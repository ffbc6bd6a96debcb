package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"threadmill/internal/newsletter"
)

// Store tells which batches nobody works.
type Store interface {
	OpenBatches(ctx context.Context, limit int) ([]newsletter.Batch, error)
}

// Options are what an Engine is made of.
type Options struct {
	Pool *pgxpool.Pool
	Node string // the id of this node
	// Store is that of the publication, not of the node.
	Store Store
	// Batches is how many the node works at a time.
	Batches int
	Log     *slog.Logger
}

const (
	// offerEvery is how often the keeper looks for batches of which nobody told
	// it, and offerMax how many it offers at a time.
	offerEvery = time.Second
	offerMax   = 200
	// fetchCooldown is the least time between two looks for a job: River's own
	// 100 ms would be felt between batches.
	fetchCooldown = 10 * time.Millisecond
	fetchEvery    = time.Second
	// jobTimeout is when a job ends of which the batch does not; that one is
	// offered again once it is free. rescueAfter is when River takes back what is
	// left of a node that nobody buried.
	jobTimeout  = 4 * time.Minute
	rescueAfter = 5 * time.Minute
	// kept is how long a job that is done stays to be looked at.
	kept = time.Hour
	// stopTimeout bounds how long River takes to stop, as without a database.
	stopTimeout = 5 * time.Second
)

// job is what River carries.
type job struct {
	Batch int64 `json:"batch"`
	Issue int64 `json:"issue"`
}

// Kind is the name of the jobs.
func (job) Kind() string { return "send_batch" }

// Engine brings batches to the sender of one node. It is an Engine of the
// package deliver.
type Engine struct {
	Options
	river.WorkerDefaults[job]
	client *river.Client[pgx.Tx]
	wake   func()
	look   chan struct{} // the keeper is to look at once

	mu      sync.Mutex
	stopped bool
	offers  []*offer // in the order in which they came
}

// offer is a batch for this node, until it is done.
type offer struct {
	newsletter.Batch
	taken bool
	done  chan struct{}
}

// New returns an Engine that offers nothing yet.
func New(o Options) (*Engine, error) {
	e := &Engine{Options: o, look: make(chan struct{}, 1)}
	workers := river.NewWorkers()
	river.AddWorker(workers, e)
	client, err := river.NewClient(riverpgxv5.New(o.Pool), &river.Config{
		ID:                          o.Node,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: o.Batches}},
		Workers:                     workers,
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           fetchEvery,
		JobTimeout:                  jobTimeout,
		RescueStuckJobsAfter:        rescueAfter,
		CompletedJobRetentionPeriod: kept,
		SoftStopTimeout:             stopTimeout,
		Logger:                      slog.New(quieter{o.Log.Handler()}),
	})
	if err != nil {
		return nil, fmt.Errorf("set up the queue: %w", err)
	}
	e.client = client
	return e, nil
}

// Run brings batches to this node until ctx is done, and calls wake for each.
// From when kept is closed it offers all that are open to the nodes, which one
// of them is to do.
func (e *Engine) Run(ctx context.Context, wake func(), kept <-chan struct{}) error {
	e.wake = wake
	if err := e.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the queue: %w", err)
	}
	select {
	case <-kept:
		e.keep(ctx)
	case <-ctx.Done():
	}
	e.mu.Lock()
	e.stopped = true
	for _, o := range e.offers {
		close(o.done)
	}
	e.offers = nil
	e.mu.Unlock()
	stopping, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*stopTimeout)
	defer stop()
	if err := e.client.Stop(stopping); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop the queue: %w", err)
	}
	return nil
}

// keep offers all open batches to the nodes until ctx is done.
func (e *Engine) keep(ctx context.Context) {
	tick := time.NewTicker(offerEvery)
	defer tick.Stop()
	for {
		if err := e.offerOpen(ctx); err != nil && ctx.Err() == nil {
			e.Log.Error("offer batches to the nodes", "err", err)
		}
		select {
		case <-tick.C:
		case <-e.look:
		case <-ctx.Done():
			return
		}
	}
}

// live are the states of a job that is not over.
var live = rivertype.UniqueOptsByStateDefault

// offerOpen makes a job for each open batch that has none.
func (e *Engine) offerOpen(ctx context.Context) error {
	open, err := e.Store.OpenBatches(ctx, offerMax)
	if err != nil || len(open) == 0 {
		return err
	}
	once := river.UniqueOpts{ByArgs: true, ByState: slices.DeleteFunc(live(), func(s rivertype.JobState) bool {
		return s == rivertype.JobStateCompleted
	})}
	jobs := make([]river.InsertManyParams, len(open))
	for i, b := range open {
		jobs[i] = river.InsertManyParams{Args: job{b.ID, b.Issue}, InsertOpts: &river.InsertOpts{UniqueOpts: once}}
	}
	_, err = e.client.InsertMany(ctx, jobs)
	return err
}

// Work is River's: it waits until the sender is done with a batch.
func (e *Engine) Work(ctx context.Context, j *river.Job[job]) error {
	o := &offer{Batch: newsletter.Batch{ID: j.Args.Batch, Issue: j.Args.Issue}, done: make(chan struct{})}
	e.mu.Lock()
	if e.stopped {
		e.mu.Unlock()
		return nil
	}
	e.offers = append(e.offers, o)
	e.mu.Unlock()
	e.wake()
	select {
	case <-o.done:
	case <-ctx.Done():
		e.mu.Lock()
		e.offers = slices.DeleteFunc(e.offers, func(other *offer) bool { return other == o })
		e.mu.Unlock()
	}
	return nil // what is left of the batch is offered again
}

// Next returns a batch that was offered to this node. A second offer of one that
// is under way is over.
func (e *Engine) Next(_ context.Context, under []int64) (newsletter.Batch, bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, o := range slices.Clone(e.offers) {
		switch {
		case o.taken:
		case slices.Contains(under, o.ID):
			e.end(o)
		default:
			o.taken = true
			return o.Batch, true, nil
		}
	}
	select {
	case e.look <- struct{}{}: // somebody may have opened one
	default:
	}
	return newsletter.Batch{}, false, nil
}

// Done ends the offer of a batch that was taken.
func (e *Engine) Done(b newsletter.Batch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, o := range slices.Clone(e.offers) {
		if o.taken && o.Batch == b {
			e.end(o)
		}
	}
}

// end ends an offer, under the lock.
func (e *Engine) end(o *offer) {
	e.offers = slices.DeleteFunc(e.offers, func(other *offer) bool { return other == o })
	close(o.done)
}

// quieter drops what River tells of its everyday life.
type quieter struct{ slog.Handler }

func (q quieter) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && q.Handler.Enabled(ctx, level)
}

func (q quieter) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quieter{q.Handler.WithAttrs(attrs)}
}

func (q quieter) WithGroup(name string) slog.Handler { return quieter{q.Handler.WithGroup(name)} }
