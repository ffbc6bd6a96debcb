package mail

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/textproto"
	"time"
)

// wire bounds what each answer of the relay may take, in time and octets.
type wire struct {
	net.Conn
	left int
}

// maxAnswer is the room for one answer, or for one TLS handshake.
const maxAnswer = 256 << 10

var errAnswerTooLong = errors.New("the answer of the relay is too long")

// await allows the next step to take d.
func (w *wire) await(d time.Duration) {
	w.left = maxAnswer
	_ = w.SetDeadline(time.Now().Add(d)) // a closed connection shows at the next read
}

func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, errAnswerTooLong
	}
	n, err := w.Conn.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, err
}

// smtpConn speaks on a connection that is greeted and logged in. After an
// answer that it does not expect it is closed, without QUIT: on a connection
// whose state is not known, any further octet could complete a message.
type smtpConn struct {
	o      SMTPOptions
	wire   *wire
	text   *textproto.Conn
	sent   int // messages tried
	closed bool
}

func (c *smtpConn) Usable() bool {
	return !c.closed && (c.o.MessagesPerConnection <= 0 || c.sent < c.o.MessagesPerConnection)
}

// quitTimeout bounds the answer to QUIT, which nobody needs.
const quitTimeout = 2 * time.Second

func (c *smtpConn) Close() error {
	if c.closed {
		return nil
	}
	c.wire.await(min(quitTimeout, c.o.Timeout))
	if c.text.PrintfLine("QUIT") == nil {
		_, _, _ = c.text.ReadResponse(221)
	}
	c.drop()
	return nil
}

func (c *smtpConn) drop() {
	c.closed = true
	_ = c.wire.Close()
}

func (c *smtpConn) Send(ctx context.Context, m Message) error {
	if c.closed {
		return &Fault{StageMail, net.ErrClosed}
	}
	if err := ctx.Err(); err != nil {
		return &Fault{StageMail, context.Cause(ctx)}
	}
	c.sent++
	stop := context.AfterFunc(ctx, func() { _ = c.wire.Close() })
	err := c.transact(m)
	if !stop() {
		c.drop()
	}
	if f, ok := errors.AsType[*Fault](err); ok {
		c.drop()
		if ctx.Err() != nil {
			f.Err = context.Cause(ctx)
		}
	}
	if r, ok := errors.AsType[*Refusal](err); ok {
		c.recover(r)
	}
	return err
}

// transact is one mail transaction (RFC 5321, section 3.3). An address that
// would break the line counts as refused, as the relay would refuse it.
func (c *smtpConn) transact(m Message) error {
	for stage, address := range map[Stage]string{StageMail: m.From, StageRcpt: m.To} {
		if keep(address, visible) != address {
			return &Refusal{stage, 553, "5.1.3", "the address cannot stand in an envelope"}
		}
	}
	if err := c.command(StageMail, 2, "MAIL FROM:<%s>", m.From); err != nil {
		return err
	}
	if err := c.command(StageRcpt, 2, "RCPT TO:<%s>", m.To); err != nil {
		return err
	}
	if err := c.command(StageData, 354, "DATA"); err != nil {
		return err
	}
	// A write that fails did not hand over its last octets, and the dot is
	// the last of all: until here the relay cannot have the whole message.
	c.wire.await(c.o.FinalTimeout)
	if err := writeDotted(c.text.W, m.Data); err != nil {
		return &Fault{StageData, err}
	}
	if err := c.text.W.Flush(); err != nil {
		return &Fault{StageData, err}
	}
	c.wire.await(c.o.FinalTimeout)
	return c.answer(StageFinal, 2)
}

// command sends a line and reads its answer, which has to begin with the
// digits of expect.
func (c *smtpConn) command(stage Stage, expect int, format string, args ...any) error {
	c.wire.await(c.o.Timeout)
	if err := c.text.PrintfLine(format, args...); err != nil {
		return &Fault{stage, err}
	}
	return c.answer(stage, expect)
}

func (c *smtpConn) answer(stage Stage, expect int) error {
	_, _, err := c.text.ReadResponse(expect)
	return answered(stage, err)
}

// answered tells refusals from faults. Only 4xx and 5xx are refusals; any
// other answer that was not expected means that the two sides disagree about
// where they are.
func answered(stage Stage, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*textproto.Error](err); ok && (e.Code/100 == 4 || e.Code/100 == 5) {
		return newRefusal(stage, e.Code, e.Msg)
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return &Fault{stage, err}
}

// recover makes the connection ready for the next message after a refusal.
func (c *smtpConn) recover(r *Refusal) {
	switch {
	case c.closed:
	case r.Code == 421: // the relay closes the channel (RFC 5321, section 3.8)
		c.drop()
	case r.Stage == StageFinal: // the transaction is over
	default:
		if err := c.command(StageMail, 2, "RSET"); err != nil {
			c.drop()
		}
	}
}

// writeDotted writes content with its dots stuffed, and its end (RFC 5321,
// section 4.5.2). Content without a line end at its end gets one.
func writeDotted(w io.Writer, content []byte) error {
	crlfDot := []byte("\r\n.")
	if bytes.HasPrefix(content, crlfDot[2:]) {
		if _, err := w.Write(crlfDot[2:]); err != nil {
			return err
		}
	}
	for i := bytes.Index(content, crlfDot); i >= 0; i = bytes.Index(content, crlfDot) {
		if _, err := w.Write(content[:i+len(crlfDot)]); err != nil {
			return err
		}
		content = content[i+2:] // begins with the dot that was just written
	}
	end := []byte("\r\n.\r\n")
	if bytes.HasSuffix(content, end[:2]) {
		end = end[2:]
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	_, err := w.Write(end)
	return err
}
