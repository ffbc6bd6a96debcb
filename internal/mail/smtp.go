package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	gosmtp "github.com/wneessen/go-mail/smtp"

	"threadmill/internal/newsletter"
)

// The values of SMTPOptions.TLS.
const (
	TLSMandatory     = "mandatory"     // STARTTLS, or no connection
	TLSOpportunistic = "opportunistic" // STARTTLS where the relay offers it
	TLSImplicit      = "implicit"      // TLS from the first octet
	TLSNone          = "none"
)

// SMTPOptions say where the relay is and how to talk to it.
type SMTPOptions struct {
	Host string
	// Port is 465 for implicit TLS and else 587, where it is 0.
	Port int
	// Username is empty where the relay asks for none.
	Username, Password string
	TLS                string // empty: mandatory
	// Timeout bounds each step of dialling and each answer; 0: 30 s.
	Timeout time.Duration
	// FinalTimeout bounds the answer to the content, at which a relay may
	// think long (RFC 5321, section 4.5.3.2.6); 0: 10 min.
	FinalTimeout time.Duration
	// MessagesPerConnection is how many messages one connection takes; 0: any
	// number.
	MessagesPerConnection int
	// LocalName is the name for EHLO; empty: localhost.
	LocalName string
	// Resolver finds the relay; nil: the system's.
	Resolver *net.Resolver
	// TLSConfig is for tests; nil: the system's roots.
	TLSConfig *tls.Config
}

// SMTP hands messages to a relay.
type SMTP struct {
	o   SMTPOptions
	tls *tls.Config
}

// NewSMTP returns a transport; it does not dial.
func NewSMTP(o SMTPOptions) *SMTP {
	o.TLS = cmp.Or(o.TLS, TLSMandatory)
	if o.Port == 0 {
		o.Port = 587
		if o.TLS == TLSImplicit {
			o.Port = 465
		}
	}
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	o.FinalTimeout = cmp.Or(o.FinalTimeout, 10*time.Minute)
	o.LocalName = cmp.Or(o.LocalName, "localhost")
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLSConfig != nil {
		config = o.TLSConfig.Clone()
	}
	config.ServerName = cmp.Or(config.ServerName, o.Host)
	return &SMTP{o, config}
}

// String is host:port.
func (s *SMTP) String() string { return net.JoinHostPort(s.o.Host, strconv.Itoa(s.o.Port)) }

// Dial connects, takes up TLS and logs in.
func (s *SMTP) Dial(ctx context.Context) (Conn, error) {
	d := net.Dialer{Timeout: s.o.Timeout, Resolver: s.o.Resolver}
	raw, err := d.DialContext(ctx, "tcp", s.String())
	if err != nil {
		return nil, s.fault(ctx, StageConnect, err)
	}
	c := &smtpConn{o: s.o, wire: &wire{Conn: raw}}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	stage, err := s.greet(ctx, c)
	if !stop() && err == nil {
		stage, err = StageConnect, ctx.Err()
	}
	if err != nil {
		_ = raw.Close()
		return nil, s.fault(ctx, stage, err)
	}
	return c, nil
}

// greet brings a new connection to where it takes messages. It returns the
// stage that it came to.
func (s *SMTP) greet(ctx context.Context, c *smtpConn) (Stage, error) {
	var conn net.Conn = c.wire
	c.wire.await(s.o.Timeout)
	if s.o.TLS == TLSImplicit {
		secured := tls.Client(conn, s.tls)
		if err := secured.HandshakeContext(ctx); err != nil {
			return StageTLS, err
		}
		conn = secured
	}
	client, err := gosmtp.NewClient(conn, s.o.Host)
	if err != nil {
		return StageConnect, err
	}
	c.wire.await(s.o.Timeout)
	if err := client.Hello(s.o.LocalName); err != nil {
		return StageConnect, err
	}
	if err := s.startTLS(c.wire, client); err != nil {
		return StageTLS, err
	}
	c.text = client.Text
	c.pipelining, _ = client.Extension("PIPELINING")
	c.wire.await(s.o.Timeout)
	return StageAuth, s.authenticate(client)
}

func (s *SMTP) startTLS(w *wire, client *gosmtp.Client) error {
	if s.o.TLS != TLSMandatory && s.o.TLS != TLSOpportunistic {
		return nil
	}
	if offered, _ := client.Extension("STARTTLS"); !offered {
		if s.o.TLS == TLSOpportunistic {
			return nil
		}
		return errors.New("the relay offers no STARTTLS; set mail.smtp.tls to implicit (usual on port 465), or to none for a relay on this machine")
	}
	w.await(s.o.Timeout)
	return client.StartTLS(s.tls)
}

// authenticate logs in by the best way that the relay offers. A password goes
// over TLS, to this machine, or where the configuration says tls: none.
func (s *SMTP) authenticate(client *gosmtp.Client) error {
	if s.o.Username == "" {
		return nil
	}
	state, err := client.GetTLSConnectionState()
	secured := err == nil
	open := s.o.TLS == TLSNone || newsletter.Loopback(s.o.Host)
	_, offered := client.Extension("AUTH")
	user, password := s.o.Username, s.o.Password
	for _, way := range []struct {
		name   string
		usable bool
		auth   func() gosmtp.Auth
	}{
		{"SCRAM-SHA-256-PLUS", secured, func() gosmtp.Auth { return gosmtp.ScramSHA256PlusAuth(user, password, state) }},
		{"SCRAM-SHA-256", true, func() gosmtp.Auth { return gosmtp.ScramSHA256Auth(user, password) }},
		{"PLAIN", secured || open, func() gosmtp.Auth { return gosmtp.PlainAuth("", user, password, s.o.Host, open) }},
		{"LOGIN", secured || open, func() gosmtp.Auth { return gosmtp.LoginAuth(user, password, s.o.Host, open) }},
		{"CRAM-MD5", true, func() gosmtp.Auth { return gosmtp.CRAMMD5Auth(user, password) }},
	} {
		if way.usable && hasWord(offered, way.name) {
			return client.Auth(way.auth())
		}
	}
	if offered == "" {
		return errors.New("the relay offers no login; leave mail.smtp.username empty, or set mail.smtp.tls if it offers one over TLS only")
	}
	return fmt.Errorf("the relay offers no login that can be used (it offers %s); without TLS a password is not sent to another machine", oneLine(offered))
}

func hasWord(list, word string) bool {
	for w := range strings.FieldsSeq(list) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}

// fault is the error of dialling as callers see it.
func (s *SMTP) fault(ctx context.Context, stage Stage, err error) error {
	if ctx.Err() != nil {
		return &Fault{stage, context.Cause(ctx)}
	}
	err = answered(stage, err)
	if r, ok := errors.AsType[*Refusal](err); ok {
		r.Text = s.redacted(r.Text)
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		f.Err = s.advice(f.Err)
		if text := f.Err.Error(); s.redacted(text) != text {
			f.Err = errors.New(s.redacted(text))
		}
	}
	return err
}

// redacted takes the login out of a text of the relay, which may repeat the
// command it did not like.
func (s *SMTP) redacted(text string) string {
	b64 := base64.StdEncoding.EncodeToString
	for _, secret := range []string{
		b64([]byte("\x00" + s.o.Username + "\x00" + s.o.Password)),
		b64([]byte(s.o.Password)),
		s.o.Password,
	} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "[redacted]")
		}
	}
	return text
}

// advice adds what to do to the error of a failed dial.
func (s *SMTP) advice(err error) error {
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return fmt.Errorf("there is no host %s; check mail.smtp.host: %w", s.o.Host, err)
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return fmt.Errorf("the certificate of the relay %s is not trusted; check mail.smtp.host, have the certificate fixed, or set mail.smtp.tls: %w", s, err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("the relay %s does not speak TLS at once; set mail.smtp.tls to mandatory: %w", s, err)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing listens at %s; check mail.smtp.host and mail.smtp.port, and that the relay runs: %w", s, err)
	}
	return err
}
