package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

func TestSupervisorFromEnvironment(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, socket, usec string
		want               supervisor
	}{
		{"none", "", "", supervisor{}},
		{"no watchdog", "/run/n", "", supervisor{socket: "/run/n"}},
		{"watchdog", "@n", "30000000", supervisor{socket: "@n", every: 15 * time.Second}},
		{"nobody listens", "", "30000000", supervisor{}},
		{"no number", "/run/n", "soon", supervisor{socket: "/run/n"}},
		{"negative", "/run/n", "-5", supervisor{socket: "/run/n"}},
		{"too long", "/run/n", "9223372036854775807", supervisor{socket: "/run/n", every: 12 * time.Hour}},
	} {
		values := map[string]string{"NOTIFY_SOCKET": tt.socket, "WATCHDOG_USEC": tt.usec}
		got := newSupervisor(func(name string) (string, bool) { return values[name], values[name] != "" })
		if got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// A sign of life follows a look, and a look that hangs stops them.
func TestWatchdogHearsLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		looks := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			supervisor{every: 10 * time.Second}.watch(ctx, func(ctx context.Context) {
				if looks++; looks == 3 {
					<-ctx.Done()
				}
			})
		}()
		time.Sleep(time.Hour)
		synctest.Wait()
		if looks != 3 {
			t.Errorf("%d looks, want 3: the third hangs", looks)
		}
		cancel()
		<-done
	})
}

// The daemon says when it is ready, that it lives, and that it stops.
func TestRunTellsSupervisor(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 1, 1, "")
	dir, err := os.MkdirTemp("", "tm") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket := filepath.Join(dir, "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Skipf("no such sockets here: %v", err)
	}
	defer l.Close()
	cmd := p.command("run")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=20000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	hear := func() string {
		b := make([]byte, 100)
		if err := l.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		n, err := l.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
	if first, second := hear(), hear(); first != "READY=1" || second != "WATCHDOG=1" {
		t.Errorf("it said %q and %q", first, second)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	said := hear()
	for said == "WATCHDOG=1" {
		said = hear()
	}
	if said != "STOPPING=1" {
		t.Errorf("it said %q at the end", said)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
