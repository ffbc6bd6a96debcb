package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"threadmill/internal/deliver"
)

const (
	// progressEvery is how often a line tells how far the sending is, where
	// nobody sits at a terminal.
	progressEvery = 10 * time.Second
	// rateEvery is how often the holder of the lock notes how fast it sends.
	rateEvery = 2 * time.Second
)

// sending is how far a sending is.
type sending struct{ done, failed, left int64 }

// watch shows how far a sending is, as a bar at a terminal and as a line of the
// log every ten seconds elsewhere, until the returned function is called.
func (p *publication) watch(ctx context.Context, look func(ctx context.Context) (sending, error)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	if terminal(p.stderr) {
		wg.Go(func() { p.drawBar(ctx, look) })
	} else {
		wg.Go(func() { p.logProgress(ctx, look) })
	}
	return func() {
		cancel()
		wg.Wait()
	}
}

func (p *publication) drawBar(ctx context.Context, look func(ctx context.Context) (sending, error)) {
	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	now, err := look(ctx)
	if err != nil {
		return
	}
	bar := newBar(p.stderr, now.done+now.left, "sending", progressbar.OptionSetItsString("mails"))
	for ctx.Err() == nil {
		if now, err := look(ctx); err == nil {
			bar.ChangeMax64(now.done + now.left)
			bar.Describe(fmt.Sprintf("sending, %d left, %d failed", now.left, now.failed))
			_ = bar.Set64(now.done) // only for the eye
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	_ = bar.Finish()
}

func (p *publication) logProgress(ctx context.Context, look func(ctx context.Context) (sending, error)) {
	log := slog.New(slog.NewTextHandler(p.stderr, nil)) // it was asked for, however quiet the command is
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	var last sending
	if first, err := look(ctx); err == nil {
		last = first
	}
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		now, err := look(ctx)
		if err != nil {
			continue // ctx ended, or the sender meets it too
		}
		log.Info("sending", "done", now.done, "rate", perSecond(now.done-last.done, progressEvery), "left", now.left, "failed", now.failed)
		last = now
	}
}

// perSecond is a rate with one digit after the point.
func perSecond(n int64, d time.Duration) float64 {
	return float64(int64(float64(n)/d.Seconds()*10+0.5)) / 10
}

// keepRate notes for `status` how fast sender sends, until ctx is done. Where
// many may send, the beat of each node tells.
func (p *publication) keepRate(ctx context.Context, sender *deliver.Sender) {
	if p.store.Shared() {
		return
	}
	tick := time.NewTicker(rateEvery)
	defer tick.Stop()
	var last int64
	var lastRate float64
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		sent := sender.Progress().Sent
		rate := perSecond(sent-last, rateEvery)
		last = sent
		if rate == 0 && lastRate == 0 {
			continue
		}
		lastRate = rate
		if err := p.store.SetRate(ctx, rate); err != nil && ctx.Err() == nil {
			p.log.Error("note the rate", "err", err)
		}
	}
}
