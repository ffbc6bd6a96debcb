package inbound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"
)

// The bounds of the mail server. Those who report are mail servers themselves:
// few at a time, quick, and with one recipient.
const (
	maxConnections = 50
	maxFromHost    = 10 // of them; a host of IPv6 has a /64
	maxRecipients  = 10
	maxMessage     = 32 << 20 // of which the first megabyte is kept
	readTimeout    = 2 * time.Minute
	writeTimeout   = time.Minute
	maxConnected   = 15 * time.Minute
)

// ServerOptions are the parts of a [Server].
type ServerOptions struct {
	Listen string // host:port
	Domain string // of the addresses that it takes mail for
	// Accepts tells whether an address of that domain is one that mail comes back
	// to; all others are refused.
	Accepts func(address string) bool
	Take    Take
	Log     *slog.Logger
}

// Server is a mail server (RFC 5321) that takes reports and nothing else. It
// passes no mail on.
type Server struct {
	o        ServerOptions
	listener net.Listener
	smtp     *smtp.Server
}

// Listen takes the address and serves nothing yet.
func Listen(ctx context.Context, o ServerOptions) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen for mail that comes back (mail.bounce.listen): %w", err)
	}
	return &Server{o: o, listener: &shortListener{Listener: netutil.LimitListener(l, maxConnections), hosts: map[netip.Prefix]int{}}}, nil
}

// Addr is the address that it has, with its real port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve takes mail until ctx ends; what is being taken then comes to its end. It
// may be called once.
func (s *Server) Serve(ctx context.Context) error {
	var taking sync.WaitGroup
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{ctx: context.WithoutCancel(ctx), o: s.o, taking: &taking}, nil
	}))
	s.smtp.Domain = s.o.Domain
	s.smtp.MaxMessageBytes = maxMessage
	s.smtp.MaxRecipients = maxRecipients
	s.smtp.ReadTimeout, s.smtp.WriteTimeout = readTimeout, writeTimeout
	s.smtp.EnableSMTPUTF8 = true
	s.smtp.ErrorLog = slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug) // strangers make faults all day
	stop := context.AfterFunc(ctx, func() {
		_ = s.listener.Close()
		taking.Wait()
		_ = s.smtp.Close()
	})
	defer stop()
	err := s.smtp.Serve(s.listener)
	if ctx.Err() != nil || errors.Is(err, smtp.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("take mail on %s: %w", s.Addr(), err)
}

// shortListener cuts connections that last too long, and turns away who has
// many: nobody can keep all others out from one place.
type shortListener struct {
	net.Listener

	mu    sync.Mutex
	hosts map[netip.Prefix]int
}

func (l *shortListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		host := hostOf(conn)
		if !l.enter(host) {
			_ = conn.Close()
			continue
		}
		return &shortConn{
			Conn: conn, end: time.AfterFunc(maxConnected, func() { _ = conn.Close() }),
			leave: sync.OnceFunc(func() { l.leave(host) }),
		}, nil
	}
}

// hostOf is who has opened a connection; the zero Prefix where that is not known.
func hostOf(conn net.Conn) netip.Prefix {
	remote, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}
	}
	addr := remote.Addr().Unmap().WithZone("")
	host, _ := addr.Prefix(min(addr.BitLen(), 64)) // the error is for more bits than there are
	return host
}

func (l *shortListener) enter(host netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts[host] >= maxFromHost {
		return false
	}
	l.hosts[host]++
	return true
}

func (l *shortListener) leave(host netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts[host]--; l.hosts[host] == 0 {
		delete(l.hosts, host)
	}
}

type shortConn struct {
	net.Conn
	end   *time.Timer
	leave func()
}

func (c *shortConn) Close() error {
	c.end.Stop()
	c.leave()
	return c.Conn.Close()
}

// session is one connection.
type session struct {
	ctx        context.Context //nolint:containedctx // go-smtp has none to pass
	o          ServerOptions
	taking     *sync.WaitGroup
	recipients []string
}

// Mail takes every sender: reports have none, complaints and answers have one.
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt takes the addresses that mail comes back to.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	_, domain, _ := strings.Cut(to, "@")
	if !strings.EqualFold(strings.TrimSuffix(domain, "."), s.o.Domain) || !s.o.Accepts(to) {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such address here"}
	}
	s.recipients = append(s.recipients, to)
	return nil
}

// Data takes the mail in; the other side gets its 250 after that.
func (s *session) Data(r io.Reader) error {
	s.taking.Add(1)
	defer s.taking.Done()
	raw, err := io.ReadAll(io.LimitReader(r, maxMail))
	if err == nil {
		_, err = io.Copy(io.Discard, r)
	}
	if err != nil {
		return err
	}
	for _, to := range s.recipients {
		if _, err := s.o.Take(s.ctx, to, raw); err != nil {
			s.o.Log.Error("mail that came back was not taken in, and is to come again", "err", err)
			return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "Try again later"}
		}
	}
	return nil
}

// Reset forgets the recipients.
func (s *session) Reset() { s.recipients = nil }

// Logout ends the session.
func (s *session) Logout() error { return nil }
