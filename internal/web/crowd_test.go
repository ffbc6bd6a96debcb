package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Many who never end their header keep nobody else out: all others are
// answered at once, and the slow are cut off.
func TestSlowloris(t *testing.T) {
	const slow, others = 500, 20
	bubble(t, hello, func(t *testing.T, l *pipes) {
		cut := make(chan struct{}, slow)
		for range slow {
			conn := l.dial()
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n")
				for _, err := io.WriteString(conn, "X-A: b\r\n"); err == nil; _, err = io.WriteString(conn, "X-A: b\r\n") {
					time.Sleep(time.Second) // time is faked
				}
				cut <- struct{}{}
			}()
		}
		start := time.Now()
		for range others {
			get(t, l.dial())
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("the others waited %v", took)
		}
		for range slow {
			<-cut
		}
		if took := time.Since(start); took > readHeaderTimeout+time.Second {
			t.Errorf("the slow were cut off after %v", took)
		}
	})
}

// get asks once on a connection and ends it.
func get(t *testing.T, conn net.Conn) {
	t.Helper()
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		t.Fatal(err)
	}
}

// The newest takes the place of the one that waits longest, never of one that
// is being answered.
func TestCrowd(t *testing.T) {
	c := newCrowd(3)
	conns := make([]net.Conn, 6)
	for i := range conns {
		conns[i], _ = net.Pipe()
	}
	step := func(i int, state http.ConnState, want int) {
		t.Helper()
		full := c.note(conns[i], state)
		if want < 0 && full != nil || want >= 0 && full != conns[want] {
			t.Errorf("connection %d in state %v drives out the wrong one", i, state)
		}
	}
	step(0, http.StateNew, -1)
	step(1, http.StateNew, -1)
	step(2, http.StateNew, -1)
	step(0, http.StateActive, -1)
	step(3, http.StateNew, 1)
	step(1, http.StateClosed, -1)
	step(0, http.StateIdle, -1)
	step(4, http.StateNew, 2)
	step(3, http.StateActive, -1)
	step(4, http.StateActive, -1)
	step(0, http.StateActive, -1)
	step(5, http.StateNew, 5)
	if len(c.conns) != c.order.Len() {
		t.Errorf("%d connections and %d in order", len(c.conns), c.order.Len())
	}
}

// A crowd that only waits shuts nobody out.
func TestCrowdIsAnswered(t *testing.T) {
	bubble(t, hello, func(t *testing.T, l *pipes) {
		for range maxConnections {
			conn := l.dial()
			defer conn.Close()
		}
		synctest.Wait()
		start := time.Now()
		get(t, l.dial())
		if took := time.Since(start); took != 0 {
			t.Errorf("waited %v", took)
		}
	})
}
