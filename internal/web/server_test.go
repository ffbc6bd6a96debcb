package web

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

var hello = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })

func TestServe(t *testing.T) {
	s, err := Listen(t.Context(), "127.0.0.1:0", hello, discard())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- s.Serve(ctx) }()
	res, err := http.Get("http://" + s.Addr() + "/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || string(body) != "hello" {
		t.Errorf("got %q, %v", body, err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("a stop gives %v", err)
	}
	if _, err := net.Dial("tcp", s.Addr()); err == nil {
		t.Error("it still listens")
	}
}

// A stop that comes before the start is a stop.
func TestServeStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	s, err := Listen(ctx, "127.0.0.1:0", hello, discard())
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if err := s.Serve(ctx); err != nil {
		t.Errorf("got %v", err)
	}
	if _, err := net.Dial("tcp", s.Addr()); err == nil {
		t.Error("it still listens")
	}
}

func TestListenRefuses(t *testing.T) {
	s, err := Listen(t.Context(), "127.0.0.1:0", hello, discard())
	if err != nil {
		t.Fatal(err)
	}
	defer s.listener.Close()
	err = Serve(t.Context(), s.Addr(), hello, discard())
	want := "listen on " + s.Addr() + ": another program uses this address; stop it or choose another port"
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), want) {
		t.Errorf("an address in use gives %v", err)
	}
	for _, listen := range []string{"127.0.0.1", "127.0.0.1:99999", "no such host.invalid:80"} {
		if err := Serve(t.Context(), listen, hello, discard()); err == nil || !strings.HasPrefix(err.Error(), "listen on "+listen+": ") {
			t.Errorf("%q gives %v", listen, err)
		}
	}
}

// pipes is a listener in memory, so that time can be faked.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	close(p.closed)
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.conns <- server
	return client
}

// bubble runs a server on pipes with faked time and stops it after test.
func bubble(t *testing.T, h http.Handler, test func(t *testing.T, l *pipes)) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error)
		go func() { served <- newServer(l, h, discard()).Serve(ctx) }()
		test(t, l)
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// A reader that never ends its header, or never begins it, is cut off.
func TestSlowHeader(t *testing.T) {
	for _, sent := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "} {
		bubble(t, hello, func(t *testing.T, l *pipes) {
			conn := l.dial()
			defer conn.Close()
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			_, err := io.Copy(io.Discard, conn)
			if took := time.Since(start); took != readHeaderTimeout {
				t.Errorf("cut off after %v (%v)", took, err)
			}
		})
	}
}

func TestSlowBody(t *testing.T) {
	read := make(chan error, 1)
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		read <- err
	})
	bubble(t, h, func(t *testing.T, l *pipes) {
		conn := l.dial()
		defer conn.Close()
		start := time.Now()
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, conn)
		if err := <-read; err == nil || time.Since(start) != readTimeout {
			t.Errorf("the body ended after %v with %v", time.Since(start), err)
		}
	})
}

func TestHugeHeader(t *testing.T) {
	bubble(t, hello, func(t *testing.T, l *pipes) {
		conn := l.dial()
		defer conn.Close()
		go func() {
			// The server closes before it has read all of this.
			_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Huge: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
		}()
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("64 KB of header give %s", res.Status)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A request that runs when the stop comes is answered, unless it takes too
// long.
func TestGracefulStop(t *testing.T) {
	for _, tt := range []struct {
		name       string
		takes, end time.Duration
		answered   bool
	}{
		{"in time", 3 * time.Second, 3 * time.Second, true},
		{"too long", 30 * time.Second, 30 * time.Second, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := &pipes{conns: make(chan net.Conn), closed: make(chan struct{})}
				ctx, stop := context.WithCancel(t.Context())
				served := make(chan error)
				slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					stop()
					<-time.After(tt.takes)
					hello(w, r)
				})
				go func() { served <- newServer(l, slow, discard()).Serve(ctx) }()
				conn := l.dial()
				defer conn.Close()
				if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				answer, _ := io.ReadAll(conn)
				if got := strings.HasSuffix(string(answer), "hello"); got != tt.answered {
					t.Errorf("the answer is %q", answer)
				}
				if err := <-served; err != nil {
					t.Error(err)
				}
				// Let a handler that was cut off end before the bubble does.
				<-time.After(tt.end)
			})
		})
	}
}
