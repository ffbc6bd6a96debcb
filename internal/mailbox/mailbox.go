package mailbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// The bounds of one mail.
const (
	maxBytes      = 10 << 20
	maxRecipients = 100 // RFC 5321, section 4.5.3.1.8
)

// The longest waits for a client (RFC 5321, section 4.5.3.2.7).
const (
	readTimeout  = 5 * time.Minute
	writeTimeout = time.Minute
)

// Mailbox is a running SMTP server and the mails it has kept. Its methods may
// be called from any goroutine.
type Mailbox struct {
	dir      string
	log      *slog.Logger
	listener net.Listener
	server   *smtp.Server

	mu     sync.Mutex
	mails  []mail // in order of arrival
	taken  int    // since Listen
	closed bool

	running sync.WaitGroup // the accept loop and the mails that are being kept
	once    sync.Once
	cut     context.CancelFunc // closes every connection
	err     error              // of the one Close that did the work
}

// Listen starts a mailbox on addr, which must be a loopback address such as
// "127.0.0.1:0"; port 0 takes a free one. Mails are kept in dir, which is made
// if need be; those of an earlier run stay and their numbers go on. The
// mailbox runs until ctx ends or Close is called.
func Listen(ctx context.Context, addr, dir string, log *slog.Logger) (*Mailbox, error) {
	addr, err := loopback(addr)
	if err != nil {
		return nil, fmt.Errorf("listen for mail: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the mailbox folder: %w", err)
	}
	mails, err := readFolder(dir)
	if err != nil {
		return nil, fmt.Errorf("read the mailbox folder: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for mail: %w", err)
	}
	ctx, cut := context.WithCancel(ctx)
	m := &Mailbox{dir: dir, log: log, listener: l, mails: mails, cut: cut}
	m.server = m.newServer()
	m.running.Go(func() {
		if err := m.server.Serve(listener{l, ctx}); err != nil && !errors.Is(err, net.ErrClosed) {
			log.Error("mailbox stopped", "err", err)
		}
	})
	context.AfterFunc(ctx, func() { _ = m.Close() })
	return m, nil
}

// loopback returns addr with its host as a number, or an error when other
// machines could reach it.
func loopback(addr string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return "", fmt.Errorf("%q is not a loopback address; use one such as 127.0.0.1:2525", addr)
	}
	return net.JoinHostPort(host, port), nil
}

// Addr is the address the mailbox listens on, with its real port.
func (m *Mailbox) Addr() string { return m.listener.Addr().String() }

// Count tells how many mails came in since Listen. A mail to several
// recipients counts once for each.
func (m *Mailbox) Count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken
}

// Files returns the paths of all mails in the folder in order of arrival,
// those of earlier runs first.
func (m *Mailbox) Files() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	paths := make([]string, len(m.mails))
	for i, k := range m.mails {
		paths[i] = filepath.Join(m.dir, k.name)
	}
	return paths
}

// Close stops the server and cuts its connections. When it returns, no file
// is written any more. Further calls wait for the first and return the same.
func (m *Mailbox) Close() error {
	m.once.Do(func() {
		m.mu.Lock()
		m.closed = true
		m.mu.Unlock()
		m.cut()
		// The server closes only listeners that its accept loop has registered,
		// so the listener is closed here as well.
		if err := m.listener.Close(); err != nil {
			m.err = fmt.Errorf("close the mailbox: %w", err)
		}
		if err := m.server.Close(); err != nil && !errors.Is(err, net.ErrClosed) && m.err == nil {
			m.err = fmt.Errorf("close the mailbox: %w", err)
		}
		m.running.Wait()
	})
	return m.err
}

// listener ties the life of each connection to a context. The server's own
// Close misses a connection that was accepted a moment before.
type listener struct {
	net.Listener
	ctx context.Context
}

// Accept waits for the next connection.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{c, context.AfterFunc(l.ctx, func() { _ = c.Close() })}, nil
}

// conn is a connection that its context closes.
type conn struct {
	net.Conn
	forget func() bool
}

// Close closes the connection before its context does.
func (c *conn) Close() error {
	c.forget()
	return c.Conn.Close()
}
