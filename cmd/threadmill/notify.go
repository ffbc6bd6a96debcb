package main

import (
	"context"
	"net"
	"strconv"
	"time"
)

// supervisor is who started the daemon and wants to hear how it does, by the
// protocol of sd_notify(3). A zero supervisor hears nothing.
type supervisor struct {
	socket string
	every  time.Duration // between two signs of life; 0 wants none
}

// newSupervisor reads what systemd says in the environment: NOTIFY_SOCKET, and
// WATCHDOG_USEC, of which half is the time between two signs, as
// sd_watchdog_enabled(3) advises.
func newSupervisor(env func(string) (string, bool)) supervisor {
	var s supervisor
	s.socket, _ = env("NOTIFY_SOCKET")
	text, _ := env("WATCHDOG_USEC")
	if usec, err := strconv.ParseInt(text, 10, 64); err == nil && usec > 0 && s.socket != "" {
		s.every = min(time.Duration(usec), maxWatchdog) * time.Microsecond / 2
	}
	return s
}

// maxWatchdog bounds a watchdog's microseconds: a day.
const maxWatchdog = 24 * 60 * 60 * 1e6

// tell sends a state such as READY=1. A supervisor that does not listen is not
// waited for, and nothing depends on what it hears.
func (s supervisor) tell(ctx context.Context, state string) error {
	if s.socket == "" {
		return nil
	}
	// A socket that begins with @ has an abstract name; net knows of that.
	conn, err := new(net.Dialer).DialContext(ctx, "unixgram", s.socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(state))
	return err
}

// watch gives signs of life until ctx is done. Before each it has alive look;
// one that does not come back is what the watchdog is for.
func (s supervisor) watch(ctx context.Context, alive func(context.Context)) {
	if s.every == 0 {
		return
	}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			alive(ctx)
			_ = s.tell(ctx, "WATCHDOG=1") // the supervisor notices itself that none came
		case <-ctx.Done():
			return
		}
	}
}

// supervised tells the supervisor that the daemon is ready, that it lives, and
// once ctx is done, that it stops.
func (p *publication) supervised(ctx context.Context) {
	s := p.supervisor
	if err := s.tell(ctx, "READY=1"); err != nil {
		p.log.Warn("the supervisor does not hear that the daemon runs", "socket", s.socket, "error", err)
	}
	// A database that is away is told by its own warning and is not mended by a
	// restart: whatever the answer, there is one.
	s.watch(ctx, func(ctx context.Context) { _, _ = p.store.Served(ctx) })
	<-ctx.Done()
	_ = s.tell(context.WithoutCancel(ctx), "STOPPING=1")
}
