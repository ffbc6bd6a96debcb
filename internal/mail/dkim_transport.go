package mail

import "context"

// Signed returns a transport whose messages are signed on their way to t. A
// connection signs its own messages, so that as many cores sign as there are
// connections at work, and no more than one message of each is in memory.
func Signed(t Transport, s *Signer) Transport { return &signedTransport{t, s} }

type signedTransport struct {
	Transport
	signer *Signer
}

// Dial implements [Transport].
func (t *signedTransport) Dial(ctx context.Context) (Conn, error) {
	conn, err := t.Transport.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &signedConn{Conn: conn, signer: t.signer}, nil
}

type signedConn struct {
	Conn
	signer *Signer
	buf    []byte
	failed bool
}

// Usable is false after a message that could not be signed: the relay waits for
// its content.
func (c *signedConn) Usable() bool { return !c.failed && c.Conn.Usable() }

// Send signs the content as it is before its dots are stuffed. What cannot be
// signed does not leave.
func (c *signedConn) Send(ctx context.Context, content Content, next *Envelope) (sent, begun error) {
	c.buf = content.Append(c.buf[:0], false)
	fields, err := c.signer.Sign(c.buf)
	if err != nil {
		c.failed = true
		return &Fault{StageData, err}, ErrNotBegun
	}
	return c.Conn.Send(ctx, signedContent{fields, c.buf}, next)
}

// signedContent is a message with its signatures. No line of these begins with
// a dot.
type signedContent struct{ fields, message []byte }

// Append implements [Content].
func (s signedContent) Append(dst []byte, wire bool) []byte {
	return Raw(s.message).Append(append(dst, s.fields...), wire)
}
