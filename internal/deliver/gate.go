package deliver

import (
	"cmp"
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
// may have mended it. After each wait one worker tries, and the others follow
// when the relay has let its mail in.
type gate struct {
	store     Store
	transport mail.Transport
	log       *slog.Logger
	probes    Probes
	zone      *time.Location // of the times that people read
	// fault hears of each failed try, whether the relay ever took a message,
	// and when the next try may be.
	fault func(err error, ever bool, next time.Time) (stop bool)
	// probe is held by the worker that dials while nobody is connected, or
	// that tries the relay after a wait, until it hangs up or mail is let in.
	probe chan struct{}

	mu        sync.Mutex
	ever      bool // the relay took a message
	clear     bool // no warning stands
	connected int
	doubted   bool      // it was closed, and let no mail in since
	trial     mail.Conn // of the worker that tries the relay, which holds probe
	until     time.Time // closed until then
	pause     time.Duration
	step      int // refusals for good since it last worked
}

const (
	gateFirst = time.Second
	gateMax   = 5 * time.Minute
)

func newGate(s *Sender, fault func(error, bool, time.Time) bool) *gate {
	return &gate{store: s.Store, transport: s.Transport, log: s.Log, probes: s.Probes, zone: cmp.Or(s.Zone, time.UTC), fault: fault, probe: make(chan struct{}, 1)}
}

// dial opens a connection once the gate is open. While nobody is connected,
// one worker dials for all, so that a relay that is down hears from one; where
// the gate was closed, that one sends alone too. Without a connection, enough
// tells that others are connected: the relay works and just does not want so
// many.
func (g *gate) dial(ctx context.Context) (conn mail.Conn, enough bool) {
	select {
	case g.probe <- struct{}{}:
	case <-ctx.Done():
		return nil, false
	}
	alone := true
	release := func() {
		alone = false
		<-g.probe
	}
	if !g.wait(ctx) {
		release()
		return nil, false
	}
	if g.crowd() {
		release()
	}
	conn, err := g.transport.Dial(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil:
		g.connected++
		if alone && g.doubted {
			g.trial = conn
			return conn, false
		}
	case ctx.Err() != nil:
	case g.connected > 0:
		g.log.Debug("no further connection", "relay", g.transport.String(), "err", err)
		enough = true
	default:
		g.close(ctx, err)
	}
	if alone {
		release()
	}
	return conn, enough
}

// crowd tells whether any number of workers may dial.
func (g *gate) crowd() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.connected > 0 && !g.doubted
}

// tries tells whether a connection is the one that tries the relay.
func (g *gate) tries(conn mail.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return conn != nil && g.trial == conn
}

// hungUp says that a connection is gone.
func (g *gate) hungUp(conn mail.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leave(conn)
}

// tooMany is hungUp where the relay asked for one connection less. Where it
// was the only one and took no mail at all, the gate closes.
func (g *gate) tooMany(ctx context.Context, conn mail.Conn, none bool, err error) (closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if closed = none && g.connected == 1; closed {
		g.close(ctx, err)
	}
	g.leave(conn)
	return closed
}

// leave is hungUp under the lock. When the trial ends without mail let in,
// another worker may try.
func (g *gate) leave(conn mail.Conn) {
	g.connected--
	if g.trial == conn {
		g.ended()
	}
}

// ended ends the trial, if there is one, under the lock.
func (g *gate) ended() {
	if g.trial != nil {
		g.trial = nil
		<-g.probe // does not wait: the trial holds it
	}
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
		text += "; it is tried again on " + now.Add(g.pause).In(g.zone).Format("Monday 2 January 2006 15:04:05 MST")
	} else {
		g.pause = min(max(2*g.pause, gateFirst), gateMax)
	}
	g.until = now.Add(g.pause)
	g.clear, g.doubted = false, true
	if werr := g.store.Warn(ctx, WarningRelay, text); werr != nil {
		g.log.Error("note the fault of the relay", "err", werr)
	}
	if !g.fault(err, g.ever, g.until) {
		g.log.Warn("the relay cannot be used; its mail waits", "relay", relay, "next_try", g.pause.String(), "err", err)
	}
}

// letIn says that the relay took an envelope's sender: whatever it says of the
// recipient, it can be used.
func (g *gate) letIn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.believe()
}

// believe is letIn under the lock.
func (g *gate) believe() {
	g.doubted = false
	g.ended()
}

// passed says that the relay took a message. The first time it clears a
// warning that an earlier run may have left.
func (g *gate) passed(ctx context.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.believe()
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
