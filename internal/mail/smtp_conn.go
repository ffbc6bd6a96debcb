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

// smtpConn speaks on a connection that is greeted and logged in. Where the
// relay offers PIPELINING (RFC 2920) an envelope is one group of commands, and
// the content of one message and the envelope of the next are one, so that a
// message costs one round trip. After an answer that it does not expect it is
// closed, without QUIT: on a connection whose state is not known, any further
// octet could complete a message.
type smtpConn struct {
	o          SMTPOptions
	wire       *wire
	text       *textproto.Conn
	pipelining bool
	tried      int  // envelopes
	begun      bool // the relay waits for content
	closed     bool
	out        []byte
	watched    context.Context // cuts the connection when it ends
	unwatch    func() bool
}

func (c *smtpConn) Usable() bool {
	return !c.closed && (c.o.MessagesPerConnection <= 0 || c.tried < c.o.MessagesPerConnection)
}

var errNoEnvelope = errors.New("no envelope was begun")

// quitTimeout bounds the answer to QUIT, which nobody needs.
const quitTimeout = 2 * time.Second

func (c *smtpConn) Close() error {
	if c.closed {
		return nil
	}
	if !c.begun {
		c.wire.await(min(quitTimeout, c.o.Timeout))
		if c.text.PrintfLine("QUIT") == nil {
			_ = c.answer(StageMail, 2)
		}
	}
	c.drop()
	return nil
}

func (c *smtpConn) drop() {
	c.closed = true
	_ = c.wire.Close()
	if c.unwatch != nil {
		c.unwatch()
	}
}

// errAhead says that an answer came before its command: what belongs to what is
// not known any more.
var errAhead = errors.New("the relay answered before it was asked")

// watch looks whether the connection is in the state it should be in, and cuts
// it when ctx ends. Most calls come with the same one.
func (c *smtpConn) watch(ctx context.Context) error {
	if c.closed {
		return net.ErrClosed
	}
	if c.text.R.Buffered() > 0 {
		return errAhead
	}
	if c.watched != ctx {
		if c.unwatch != nil {
			c.unwatch()
		}
		c.watched, c.unwatch = ctx, context.AfterFunc(ctx, func() { _ = c.wire.Close() })
	}
	return context.Cause(ctx)
}

func (c *smtpConn) Begin(ctx context.Context, e Envelope) error {
	if err := c.watch(ctx); err != nil {
		c.drop()
		return &Fault{StageMail, err}
	}
	if r := e.fault(); r != nil {
		return r
	}
	c.tried++
	if c.pipelining {
		c.wire.await(c.o.Timeout)
		c.out = e.append(c.out[:0])
		if _, err := c.write(); err != nil {
			return c.failed(&Fault{StageMail, err})
		}
		return c.failed(c.envelopeAnswers())
	}
	return c.failed(c.oneByOne(e))
}

// oneByOne begins an envelope with a relay that wants each command alone.
func (c *smtpConn) oneByOne(e Envelope) error {
	for _, step := range []struct {
		stage  Stage
		line   string
		expect int
	}{
		{StageMail, "MAIL FROM:<" + e.From + ">", 2},
		{StageRcpt, "RCPT TO:<" + e.To + ">", 2},
		{StageData, "DATA", 354},
	} {
		if err := c.command(step.stage, step.expect, step.line); err != nil {
			return err
		}
	}
	c.begun = true
	return nil
}

// envelopeAnswers reads the answers to MAIL, RCPT and DATA. The first that is
// not as it should be is the fate of the envelope, whatever comes after it.
func (c *smtpConn) envelopeAnswers() error {
	var fate error
	for _, step := range [...]struct {
		stage  Stage
		expect int
	}{{StageMail, 2}, {StageRcpt, 2}, {StageData, 354}} {
		if !c.answerWaits() {
			c.wire.await(c.o.Timeout)
		}
		err := c.answer(step.stage, step.expect)
		if err == nil && step.stage == StageData && fate != nil {
			return c.empty(fate)
		}
		if fate == nil {
			fate = err
		}
		if ends(err) { // nothing more comes
			c.drop()
			return fate
		}
	}
	c.begun = fate == nil
	return fate
}

// answerWaits tells whether a whole answer is there.
func (c *smtpConn) answerWaits() bool {
	waiting, _ := c.text.R.Peek(c.text.R.Buffered())
	for line := range bytes.Lines(waiting) {
		if bytes.HasSuffix(line, []byte("\n")) && (len(line) < 4 || line[3] != '-') {
			return true
		}
	}
	return false
}

// ends tells whether err ends the connection: no proper answer came, or 421.
func ends(err error) bool {
	r, refused := errors.AsType[*Refusal](err)
	return err != nil && (!refused || r.Code == 421)
}

// empty ends a DATA that the relay granted although it refused the recipient:
// it gets no content, and refuses that too (RFC 2920, section 3.1).
func (c *smtpConn) empty(fate error) error {
	c.wire.await(c.o.Timeout)
	err := c.text.PrintfLine(".")
	if err == nil {
		err = c.answer(StageFinal, 2)
	}
	if _, refused := errors.AsType[*Refusal](err); !refused {
		c.drop() // it took a message to nobody, or went away
	}
	return fate
}

func (c *smtpConn) Send(ctx context.Context, content Content, next *Envelope) (sent, begun error) {
	if err := c.watch(ctx); err != nil {
		c.drop()
		return &Fault{StageData, err}, ErrNotBegun
	}
	if !c.begun {
		return &Fault{StageData, errNoEnvelope}, ErrNotBegun
	}
	c.begun = false
	c.out = appendEnd(content.Append(c.out[:0], true))
	length := len(c.out)
	grouped := next != nil && c.pipelining && c.Usable() && next.fault() == nil
	if grouped {
		c.out = next.append(c.out)
	}
	c.wire.await(c.o.FinalTimeout)
	// Until its last octet is handed over, the relay cannot have the message.
	if n, err := c.write(); err != nil && n < length {
		return c.failed(&Fault{StageData, err}), ErrNotBegun
	}
	c.wire.await(c.o.FinalTimeout)
	sent = c.failed(c.answer(StageFinal, 2))
	if !grouped || c.closed {
		return sent, ErrNotBegun
	}
	c.tried++
	return sent, c.failed(c.envelopeAnswers())
}

// write hands c.out over in one piece, and tells how much of it was.
func (c *smtpConn) write() (int, error) {
	n, err := c.text.W.Write(c.out) // larger than its buffer, it goes straight through
	if err == nil {
		err = c.text.W.Flush()
	}
	return n - c.text.W.Buffered(), err
}

// failed brings the connection into a known state after an error, and returns
// it as the caller should see it.
func (c *smtpConn) failed(err error) error {
	if f, ok := errors.AsType[*Fault](err); ok {
		c.drop()
		if c.watched.Err() != nil {
			f.Err = context.Cause(c.watched)
		}
	}
	if r, ok := errors.AsType[*Refusal](err); ok {
		c.recover(r)
	}
	return err
}

// command sends a line and reads its answer, which has to begin with the
// digits of expect.
func (c *smtpConn) command(stage Stage, expect int, line string) error {
	c.wire.await(c.o.Timeout)
	if err := c.text.PrintfLine("%s", line); err != nil {
		return &Fault{stage, err}
	}
	return c.answer(stage, expect)
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

// fault tells why an address cannot stand in an envelope: it would break the
// line. It counts as refused, as the relay would refuse it.
func (e Envelope) fault() *Refusal {
	for _, a := range [...]struct {
		stage   Stage
		address string
	}{{StageMail, e.From}, {StageRcpt, e.To}} {
		if keep(a.address, visible) != a.address {
			text := "the address cannot stand in an envelope"
			if !printable(a.address) && clean(a.address) == a.address {
				text += ": it has letters beyond ASCII, which would need SMTPUTF8 (RFC 6531)"
			}
			return &Refusal{a.stage, 553, "5.1.3", text}
		}
	}
	return nil
}

// append adds the commands of the envelope as one group.
func (e Envelope) append(b []byte) []byte {
	b = append(b, "MAIL FROM:<"...)
	b = append(b, e.From...)
	b = append(b, ">\r\nRCPT TO:<"...)
	b = append(b, e.To...)
	return append(b, ">\r\nDATA\r\n"...)
}

// answered tells refusals from faults in what the library says while dialling.
// Only 4xx and 5xx are refusals; any other answer that was not expected means
// that the two sides disagree about where they are.
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

// appendStuffed adds content with its dots stuffed.
func appendStuffed(b, content []byte) []byte {
	crlfDot := []byte("\r\n.")
	if bytes.HasPrefix(content, crlfDot[2:]) {
		b = append(b, '.')
	}
	for i := bytes.Index(content, crlfDot); i >= 0; i = bytes.Index(content, crlfDot) {
		b = append(b, content[:i+len(crlfDot)]...)
		content = content[i+2:] // begins with the dot that was just written
	}
	return append(b, content...)
}

// appendEnd ends content on the wire. Content without a line end at its end
// gets one.
func appendEnd(b []byte) []byte {
	end := []byte("\r\n.\r\n")
	if bytes.HasSuffix(b, end[:2]) {
		end = end[2:]
	}
	return append(b, end...)
}
