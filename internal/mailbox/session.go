package mailbox

import (
	"errors"
	"io"
	"log/slog"

	"github.com/emersion/go-smtp"
)

// newServer is the SMTP server of m, not yet listening.
func (m *Mailbox) newServer() *smtp.Server {
	s := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		return &session{mailbox: m}, nil
	}))
	s.Domain = "localhost"
	s.MaxMessageBytes = maxBytes
	s.MaxRecipients = maxRecipients
	s.ReadTimeout = readTimeout
	s.WriteTimeout = writeTimeout
	s.EnableSMTPUTF8 = true
	s.ErrorLog = slog.NewLogLogger(m.log.Handler(), slog.LevelWarn)
	return s
}

// session is one SMTP connection.
type session struct {
	mailbox    *Mailbox
	recipients []string
}

// Mail accepts every sender.
func (s *session) Mail(string, *smtp.MailOptions) error { return nil }

// Rcpt accepts every recipient.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.recipients = append(s.recipients, to)
	return nil
}

// Data keeps the mail; the client gets its 250 after that.
func (s *session) Data(r io.Reader) error {
	if !s.mailbox.enter() {
		return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "the mailbox is closing"}
	}
	defer s.mailbox.running.Done()
	raw, err := io.ReadAll(r)
	if err != nil {
		return refusal(err)
	}
	if err := s.mailbox.keep(raw, s.recipients); err != nil {
		s.mailbox.log.Error("mail not kept", "err", err)
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "the mail could not be kept"}
	}
	return nil
}

// refusal is the answer to a mail that could not be read. It is itself an
// SMTPError because go-smtp unwraps nothing.
func refusal(err error) error {
	if refused, ok := errors.AsType[*smtp.SMTPError](err); ok {
		return refused
	}
	if errors.Is(err, smtp.ErrTooLongLine) {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 6, 0}, Message: "a line of the mail is too long; 998 bytes are allowed"}
	}
	return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 4, 2}, Message: "the mail broke off"}
}

// Reset forgets the envelope.
func (s *session) Reset() { s.recipients = nil }

// Logout has nothing to free.
func (s *session) Logout() error { return nil }

// enter counts one more mail that Close must wait for; false when the mailbox
// is closing.
func (m *Mailbox) enter() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.running.Add(1)
	return true
}
