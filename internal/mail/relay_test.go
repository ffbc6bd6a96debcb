package mail

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// relay is a real SMTP server that keeps what it accepts.
type relay struct {
	options SMTPOptions // how to reach it

	mu    sync.Mutex
	got   []Message
	conns int
}

const (
	username = "ada@example.org"
	password = "s3cret pässword"
)

// startRelay listens on loopback. With a mode that needs TLS it shows a
// certificate that the options trust.
func startRelay(t *testing.T, mode string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{options: SMTPOptions{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: mode, Timeout: 5 * time.Second, FinalTimeout: 5 * time.Second,
	}}
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.conns++
		return &session{relay: r}, nil
	}))
	s.AllowInsecureAuth = true
	s.ErrorLog = quiet{}
	if mode != TLSNone {
		web := httptest.NewTLSServer(nil) // its certificate is valid for 127.0.0.1
		web.Close()
		s.TLSConfig = &tls.Config{Certificates: web.TLS.Certificates}
		roots := x509.NewCertPool()
		roots.AddCert(web.Certificate())
		r.options.TLSConfig = &tls.Config{RootCAs: roots}
	}
	if mode == TLSImplicit {
		l = tls.NewListener(l, s.TLSConfig)
	}
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		_ = s.Close()
		served.Wait()
	})
	return r
}

// received are the messages so far.
func (r *relay) received() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Message(nil), r.got...)
}

func (r *relay) connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.conns
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type session struct {
	relay *relay
	m     Message
}

func (s *session) Reset()        { s.m = Message{} }
func (s *session) Logout() error { return nil }

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	s.m.From = from
	return nil
}

// Rcpt refuses whoever is nobody.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	s.m.To = to
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.relay.mu.Lock()
	defer s.relay.mu.Unlock()
	s.relay.got = append(s.relay.got, Message{s.m.From, s.m.To, data})
	return nil
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, pass string) error {
		if user != username || pass != password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "it is not " + pass}
		}
		return nil
	}), nil
}

// script is a relay that answers each command as told: by the verb, "" for
// the greeting and "." for the content. Verbs without an answer are accepted.
// The answers cut, hang and flood are no SMTP.
type script map[string]string

const (
	cutOff = "cut"   // closes the connection
	hang   = "hang"  // says nothing more, and reads nothing more
	flood  = "flood" // says more than anybody wants to read
)

// start serves one connection after the other. When a command is answered by
// hang, hung is called.
func (s script) start(t *testing.T, hung func()) SMTPOptions {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.serve(ctx, conn, hung)
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		served.Wait()
	})
	return SMTPOptions{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: TLSNone,
		Timeout: 5 * time.Second, FinalTimeout: 5 * time.Second,
	}
}

func (s script) serve(ctx context.Context, conn net.Conn, hung func()) {
	defer conn.Close()
	_ = conn.(*net.TCPConn).SetReadBuffer(4096)
	in := bufio.NewReader(conn)
	for verb := ""; ; {
		answer, told := s[verb]
		if !told {
			answer = map[string]string{"": "220 ready", "DATA": "354 go on", "QUIT": "221 bye"}[verb]
		}
		switch answer {
		case cutOff:
			return
		case hang:
			hung()
			<-ctx.Done()
			return
		case flood:
			for ctx.Err() == nil {
				if _, err := conn.Write([]byte("250-more and more and more and more and more and more\r\n")); err != nil {
					return
				}
			}
		case "":
			answer = "250 fine"
		}
		answer, stops := strings.CutSuffix(answer, "\r\n"+hang)
		if _, err := conn.Write([]byte(answer + "\r\n")); err != nil {
			return
		}
		if stops {
			hung()
			<-ctx.Done()
			return
		}
		content := verb == "DATA" && strings.HasPrefix(answer, "354")
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			if verb, _, _ = strings.Cut(strings.TrimSpace(line), " "); !content || verb == "." {
				break
			}
		}
	}
}
