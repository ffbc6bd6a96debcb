package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
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
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
}

// Addr returns the address that the server has, such as "127.0.0.1:41234".
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers requests until ctx ends, then lets those that run come to
// their end for at most ten seconds and returns nil. It may be called once.
func (s *Server) Serve(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.listener) }()
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
