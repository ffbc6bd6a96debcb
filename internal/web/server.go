package web

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// The bounds of a connection. A reader may be slow, but not for ever.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 60 * time.Second
	shutdownTimeout   = 10 * time.Second
	maxHeader         = 16 << 10
)

// Server is a web server that listens.
type Server struct {
	listener net.Listener
	http     *http.Server

	certifier *certifier // of one that speaks TLS
	plain     *Server    // beside it, where there is one
}

// Listen takes the address, such as "127.0.0.1:8080" or ":0", and serves
// nothing yet. Faults of single connections go to log.
func Listen(ctx context.Context, listen string, h http.Handler, log *slog.Logger) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: another program uses this address; stop it or choose another port: %w", listen, err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: not allowed; ports below 1024 need a privilege: %w", listen, err)
	case err != nil:
		return nil, fmt.Errorf("listen on %s: %w", listen, err)
	}
	return newServer(l, h, log), nil
}

func newServer(l net.Listener, h http.Handler, log *slog.Logger) *Server {
	return &Server{listener: l, http: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ConnState:         newCrowd(maxConnections).state,
		ErrorLog:          stdlog.New(connectionLog{log}, "", 0),
	}}
}

// connectionLog takes what net/http says about connections.
type connectionLog struct{ log *slog.Logger }

// Write takes one line. Handshakes that come to nothing are daily bread where
// anybody may knock; they are told without the address of who did.
func (l connectionLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if from, ok := strings.CutPrefix(text, "http: TLS handshake error from "); ok {
		_, why, _ := strings.Cut(from, ": ")
		l.log.Debug("no TLS with a client", "err", why)
	} else {
		l.log.Warn(text)
	}
	return len(line), nil
}

// Addr returns the address that the server has, such as "127.0.0.1:41234".
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers requests until ctx ends, then lets those that run come to
// their end for at most ten seconds and returns nil. It may be called once.
func (s *Server) Serve(ctx context.Context) error {
	if s.certifier == nil {
		return s.serve(ctx, s.http.Serve)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return s.serve(ctx, func(l net.Listener) error { return s.http.ServeTLS(l, "", "") })
	})
	if s.plain != nil {
		group.Go(func() error { return s.plain.Serve(ctx) })
	}
	go s.certifier.keep(ctx) // which an authority may keep for minutes
	return group.Wait()
}

func (s *Server) serve(ctx context.Context, accept func(net.Listener) error) error {
	served := make(chan error, 1)
	go func() { served <- accept(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", s.Addr(), err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := s.http.Shutdown(bounded)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	if err != nil {
		return fmt.Errorf("stop serving on %s: %w", s.Addr(), err)
	}
	return nil
}

// Serve is Listen and [Server.Serve] in one.
func Serve(ctx context.Context, listen string, h http.Handler, log *slog.Logger) error {
	s, err := Listen(ctx, listen, h, log)
	if err != nil {
		return err
	}
	return s.Serve(ctx)
}
