package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// gate holds all workers while the relay cannot be used: it opens after a
// second, and after twice as long with each try that fails. What was refused
// for good, such as a password, is tried as rarely as other holds. A restart
// tries at once and begins with the first wait again, since whoever restarts
// may have mended it.
type gate struct {
	store     Store
	transport mail.Transport
	log       *slog.Logger
	probes    Probes
	// fault hears of each failed try, whether the relay ever took a message,
	// and when the next try may be.
	fault func(err error, ever bool, next time.Time) (stop bool)
	// probe is held by the worker that dials while nobody is connected.
	probe chan struct{}

	mu        sync.Mutex
	ever      bool // the relay took a message
	clear     bool // no warning stands
	connected int
	until     time.Time // closed until then
	pause     time.Duration
	step      int // refusals for good since it last worked
}

const (
	gateFirst = time.Second
	gateMax   = 5 * time.Minute
)

func newGate(s *Sender, fault func(error, bool, time.Time) bool) *gate {
	return &gate{store: s.Store, transport: s.Transport, log: s.Log, probes: s.Probes, fault: fault, probe: make(chan struct{}, 1)}
}

// dial opens a connection once the gate is open. While nobody is connected,
// one worker dials for all, so that a relay that is down hears from one. Without
// a connection, enough tells that others are connected: the relay works and
// just does not want so many.
func (g *gate) dial(ctx context.Context) (conn mail.Conn, enough bool) {
	select {
	case g.probe <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	release := sync.OnceFunc(func() { <-g.probe })
	defer release()
	if !g.wait(ctx) {
		return nil, false
	}
	if g.others() {
		release()
	}
	conn, err := g.transport.Dial(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil:
		g.connected++
		return conn, false
	case ctx.Err() != nil:
		return nil, false
	case g.connected > 0:
		g.log.Debug("no further connection", "relay", g.transport.String(), "err", err)
		return nil, true
	}
	g.close(ctx, err)
	return nil, false
}

// others tells whether anybody is connected.
func (g *gate) others() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.connected > 0
}

// hungUp says that a connection is gone.
func (g *gate) hungUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.connected--
}

// wait returns true when the gate is open, false when ctx ended first.
func (g *gate) wait(ctx context.Context) bool {
	for {
		g.mu.Lock()
		d := time.Until(g.until)
		g.mu.Unlock()
		if d <= 0 {
			return ctx.Err() == nil
		}
		if !sleep(ctx, d) {
			return false
		}
	}
}

// failed closes the gate because the relay cannot be used.
func (g *gate) failed(ctx context.Context, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.close(ctx, err)
}

// close is failed under the lock. Tries that began before the gate closed
// count once.
func (g *gate) close(ctx context.Context, err error) {
	now := time.Now()
	if now.Before(g.until) {
		return
	}
	relay := g.transport.String()
	text := relay + ": " + err.Error()
	if permanent(err) {
		g.pause, g.step = g.probes.wait(newsletter.Hold{Step: g.step}), g.step+1
		text += "; it is tried again at " + now.Add(g.pause).UTC().Format(time.RFC3339)
	} else {
		g.pause = min(max(2*g.pause, gateFirst), gateMax)
	}
	g.until = now.Add(g.pause)
	g.clear = false
	if werr := g.store.Warn(ctx, WarningRelay, text); werr != nil {
		g.log.Error("note the fault of the relay", "err", werr)
	}
	if !g.fault(err, g.ever, g.until) {
		g.log.Warn("the relay cannot be used; its mail waits", "relay", relay, "next_try", g.pause.String(), "err", err)
	}
}

// passed says that the relay took a message. The first time it clears a
// warning that an earlier run may have left.
func (g *gate) passed(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ever, g.pause, g.step = true, 0, 0
	if g.clear {
		return
	}
	err := g.store.Unwarn(ctx, WarningRelay)
	if err != nil {
		g.log.Error("clear the fault of the relay", "err", err)
	}
	g.clear = err == nil
}

// sleep waits for d, and returns false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
