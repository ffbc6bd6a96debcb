package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"threadmill/internal/mail"
)

// gate holds all workers while the relay cannot be used: it opens after a
// second, and after twice as long with each try that fails.
type gate struct {
	store     Store
	transport mail.Transport
	log       *slog.Logger
	fault     func(err error, ever bool) (stop bool)

	mu        sync.Mutex
	ever      bool // the relay took a message
	dialing   int
	connected int
	until     time.Time // closed until then
	pause     time.Duration
}

const (
	gateFirst = time.Second
	gateMax   = 5 * time.Minute
)

// dial opens a connection once the gate is open. Without one, alone tells that
// the relay just does not want so many: others are connected.
func (g *gate) dial(ctx context.Context) (conn mail.Conn, alone bool) {
	if !g.wait(ctx) {
		return nil, false
	}
	g.mu.Lock()
	g.dialing++
	g.mu.Unlock()
	conn, err := g.transport.Dial(ctx)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dialing--
	switch {
	case err == nil:
		g.connected++
		return conn, false
	case ctx.Err() != nil:
		return nil, false
	case g.connected+g.dialing > 0:
		g.log.Debug("no further connection", "relay", g.transport.String(), "err", err)
		return nil, true
	}
	g.close(err)
	return nil, false
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
func (g *gate) failed(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.close(err)
}

// close is failed under the lock. Tries that began before the gate closed
// count once.
func (g *gate) close(err error) {
	if g.fault(err, g.ever) || time.Now().Before(g.until) {
		return
	}
	g.pause = min(max(2*g.pause, gateFirst), gateMax)
	g.until = time.Now().Add(g.pause)
	relay := g.transport.String()
	g.log.Warn("the relay cannot be used; its mail waits", "relay", relay, "next_try", g.pause.String(), "err", err)
	if werr := g.store.Warn(context.Background(), WarningRelay, relay+": "+err.Error()); werr != nil {
		g.log.Error("note the fault of the relay", "err", werr)
	}
}

// passed says that the relay took a message.
func (g *gate) passed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ever && g.pause == 0 {
		return
	}
	g.ever, g.pause = true, 0
	if err := g.store.Unwarn(context.Background(), WarningRelay); err != nil {
		g.log.Error("clear the fault of the relay", "err", err)
	}
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
