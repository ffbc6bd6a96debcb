package mail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Envelope is who sends a message to whom; the addresses are ASCII.
type Envelope struct{ From, To string }

// Message is ready for the wire.
type Message struct {
	From, To string // of the envelope, ASCII
	Data     []byte // CRLF line ends, not dot-stuffed
}

// Content is what follows an envelope, with CRLF line ends.
type Content interface {
	// Append adds it to dst, on the wire with its dots stuffed (RFC 5321,
	// section 4.5.2).
	Append(dst []byte, wire bool) []byte
}

// Raw is content that was made as a whole.
type Raw []byte

// Append implements [Content].
func (r Raw) Append(dst []byte, wire bool) []byte {
	if wire {
		return appendStuffed(dst, r)
	}
	return append(dst, r...)
}

// Copy is a template's content for one recipient.
type Copy struct {
	*Template
	Recipient
}

// Append implements [Content].
func (c *Copy) Append(dst []byte, wire bool) []byte { return c.append(dst, &c.Recipient, wire) }

// Transport gives connections to what takes messages. It may be used by many
// goroutines.
type Transport interface {
	// Dial returns a connection that is ready to send. Its error is a
	// [*Refusal] or a [*Fault].
	Dial(ctx context.Context) (Conn, error)
	// String names the place for logs and messages; it holds no secret.
	String() string
}

// Conn takes one message after the other, each in two steps: its envelope, then
// its content. It belongs to one goroutine. An error is a [*Refusal] or a
// [*Fault]. When ctx ends during a call the connection is cut at once; a caller
// who wants the message under way to be finished passes a context that
// outlives its own.
type Conn interface {
	// Begin sends an envelope; nil: the relay waits for the content.
	Begin(ctx context.Context, e Envelope) error
	// Send sends the content for the envelope that was begun. Where next is
	// given it may be begun in the same group of commands, which saves a round
	// trip a message. sent is the fate of the content, begun that of next:
	// ErrNotBegun where it was left out.
	Send(ctx context.Context, c Content, next *Envelope) (sent, begun error)
	// Usable tells whether the connection takes another message. When it does
	// not, close it and dial again.
	Usable() bool
	// Close says goodbye where the connection is idle and sound, and lets go
	// of it; an envelope without content is dropped with it. A second call
	// does nothing.
	Close() error
}

// ErrNotBegun says that the next envelope was not sent with the content.
var ErrNotBegun = errors.New("the next envelope was not begun")

// Deliver hands one message to a connection.
func Deliver(ctx context.Context, c Conn, m Message) error {
	if err := c.Begin(ctx, Envelope{m.From, m.To}); err != nil {
		return err
	}
	sent, _ := c.Send(ctx, Raw(m.Data), nil)
	return sent
}

// Stage is the step of a delivery at which an answer came or did not come.
type Stage string

// The stages, in their order.
const (
	StageConnect Stage = "connect" // dialling, greeting and EHLO
	StageTLS     Stage = "tls"
	StageAuth    Stage = "auth"
	StageMail    Stage = "mail"
	StageRcpt    Stage = "rcpt"
	StageData    Stage = "data"  // DATA and the content up to its last octet
	StageFinal   Stage = "final" // the answer to the content
)

// Refusal is a 4xx or 5xx answer of the relay.
type Refusal struct {
	Stage    Stage
	Code     int
	Enhanced string // RFC 3463, such as "5.1.1"; empty where the relay gave none
	Text     string // one line, at most 500 octets
}

// Temporary tells whether the relay asks to try again later.
func (r *Refusal) Temporary() bool { return r.Code/100 == 4 }

func (r *Refusal) Error() string {
	code := fmt.Sprint(r.Code)
	if r.Enhanced != "" {
		code += " " + r.Enhanced
	}
	text := fmt.Sprintf("refused at %s: %s %s", r.Stage, code, r.Text)
	if r.Stage == StageAuth && !r.Temporary() || r.Code == 530 {
		text += "; check mail.smtp.username and mail.smtp.password"
	}
	return text
}

// Fault is the lack of a proper answer: the connection broke, time ran out,
// or what came was no SMTP.
type Fault struct {
	Stage Stage
	Err   error
}

// InDoubt tells whether the message may have been accepted all the same: the
// content was sent to its end, and the answer is not known.
func (f *Fault) InDoubt() bool { return f.Stage == StageFinal }

func (f *Fault) Unwrap() error { return f.Err }

func (f *Fault) Error() string {
	if f.Err == nil {
		return fmt.Sprintf("no answer at %s", f.Stage)
	}
	if errors.Is(f.Err, os.ErrDeadlineExceeded) {
		return fmt.Sprintf("no answer at %s in time: %v", f.Stage, f.Err)
	}
	return fmt.Sprintf("fault at %s: %v", f.Stage, f.Err)
}

// newRefusal reads an answer of the relay, whose text may have many lines.
func newRefusal(stage Stage, code int, text string) *Refusal {
	r := &Refusal{Stage: stage, Code: code}
	var lines []string
	for line := range strings.Lines(text) {
		enhanced, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !isEnhanced(enhanced) {
			rest = line
		} else if r.Enhanced == "" {
			r.Enhanced = enhanced
		}
		if rest = oneLine(rest); rest != "" {
			lines = append(lines, rest)
		}
	}
	const limit = 500
	r.Text = strings.Join(lines, " ")
	if len(r.Text) > limit {
		r.Text = strings.ToValidUTF8(r.Text[:limit-len("…")], "") + "…"
	}
	return r
}

// isEnhanced tells whether s is a status code of RFC 3463, section 2.
func isEnhanced(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) != 3 || len(parts[0]) != 1 || !strings.Contains("245", parts[0]) {
		return false
	}
	for _, p := range parts[1:] {
		if p == "" || len(p) > 3 || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}
