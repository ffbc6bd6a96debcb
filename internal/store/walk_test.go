package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// TestCountsWalk does to an issue whatever can be done to it, in any order, and
// holds the counts of its batches against its deliveries after each step.
func TestCountsWalk(t *testing.T) {
	for seed := range uint64(5) {
		w := walk{t: t, Store: openFresh(t), rand: rand.New(rand.NewPCG(seed, 1))}
		publish(t, w.Store, 40, 7)
		db := got(sql.Open("sqlite", w.Path()))(t)
		defer db.Close()
		for step := range 60 {
			did := w.step()
			want := oneByOne(t, db)
			if c := got(w.Issue(t.Context(), 1))(t).Counts; c != want {
				t.Fatalf("seed %d, step %d: after %s the counts are %+v, want %+v", seed, step, did, c, want)
			}
		}
	}
}

// oneByOne counts the deliveries themselves.
func oneByOne(t *testing.T, db *sql.DB) (c newsletter.Counts) {
	rows, err := db.QueryContext(t.Context(), `SELECT state, count(*) FROM deliveries GROUP BY state`)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var state newsletter.DeliveryState
		var n int
		must(t, rows.Scan(&state, &n))
		c.Add(state, n)
	}
	must(t, rows.Err())
	return c
}

// walk is a sender and an operator who do anything.
type walk struct {
	t *testing.T
	*store.Store
	rand *rand.Rand
	out  []newsletter.Delivery // taken and not marked
}

func (w *walk) step() string {
	ctx := w.t.Context()
	switch w.rand.IntN(15) {
	case 0, 1, 2:
		w.take()
		return "taking a batch"
	case 3, 4, 5, 6:
		w.send()
		return "sending"
	case 7:
		must(w.t, w.CloseBatch(ctx, newsletter.Batch{ID: int64(1 + w.rand.IntN(6)), Issue: 1}))
		return "closing a batch"
	case 8:
		got(w.WakeDeferred(ctx, time.Now(), 1+w.rand.IntN(5)))(w.t)
		return "waking"
	case 9:
		got(w.Retry(ctx, 1))(w.t)
		return "a retry"
	case 10:
		got([]func(*walk) (int, error){
			func(w *walk) (int, error) { return w.ResolveResend(ctx, 1) },
			func(w *walk) (int, error) { return w.ResolveSkip(ctx, 1) },
		}[w.rand.IntN(2)](w))(w.t)
		return "resolving"
	case 11:
		h := newsletter.Hold{Domain: []string{"", "example.com"}[w.rand.IntN(2)], Reason: "550 no"}
		got(w.GiveUpHeld(ctx, h, time.Now().Add(time.Hour), 1+w.rand.IntN(4)))(w.t)
		return "giving up"
	case 12:
		got(w.UndoBounces(ctx, []int64{int64(1 + w.rand.IntN(40)), int64(1 + w.rand.IntN(40))}))(w.t)
		return "taking refusals back"
	case 13:
		_, err := w.AddSubscribers(ctx, []newsletter.Subscriber{person(fmt.Sprint("new", w.rand.IntN(20)))})
		must(w.t, err)
		if _, err := w.SendMissed(ctx, 1, 1+w.rand.IntN(3)); !errors.Is(err, store.ErrWithdrawn) {
			must(w.t, err)
		}
		return "sending to more"
	}
	w.out = nil
	recoverAll(w.t, w.Store)
	if w.rand.IntN(8) == 0 {
		got(w.WithdrawIssue(ctx, 1))(w.t)
		return "a withdrawal"
	}
	return "a restart"
}

func (w *walk) take() {
	ctx := w.t.Context()
	open := got(w.OpenBatches(ctx, 10))(w.t)
	if len(open) == 0 {
		return
	}
	b := open[w.rand.IntN(len(open))]
	list := got(w.TakeBatch(ctx, b))(w.t)
	if len(list) == 0 {
		must(w.t, w.CloseBatch(ctx, b))
	}
	w.out = append(w.out, list...)
}

func (w *walk) send() {
	var entries []newsletter.JournalEntry
	for range min(w.rand.IntN(6), len(w.out)) {
		i := w.rand.IntN(len(w.out))
		entries = append(entries, newsletter.JournalEntry{Next: w.out[i].ID, At: at(1)})
		w.out = append(w.out[:i], w.out[i+1:]...)
	}
	var ended []newsletter.DeliveryEnd
	for i, goes := range got(w.Journal(w.t.Context(), entries))(w.t) {
		if !goes || w.rand.IntN(8) == 0 {
			continue // the process is killed
		}
		states := []newsletter.DeliveryState{
			newsletter.DeliverySent, newsletter.DeliverySent, newsletter.DeliveryFailed, newsletter.DeliveryDeferred,
			newsletter.DeliveryPending, newsletter.DeliveryInDoubt,
		}
		d := newsletter.DeliveryEnd{ID: entries[i].Next, State: states[w.rand.IntN(len(states))], Attempts: 1}
		switch {
		case d.State == newsletter.DeliveryDeferred:
			d.NextAt, d.Hold = time.Now(), []string{"", "example.com"}[w.rand.IntN(2)]
		case d.State == newsletter.DeliveryFailed && w.rand.IntN(2) == 0:
			d.Bounce = newsletter.BounceDead
		}
		ended = append(ended, d)
	}
	got(w.Journal(w.t.Context(), []newsletter.JournalEntry{{Ended: ended}}))(w.t)
}
