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

// Preparer is a [Conn] that does some of the work on a message before it is
// sent.
type Preparer interface {
	// Prepare makes ready what the next Send is given, which must not change
	// until then, and returns at once. A copy that is not sent after all is
	// dropped with the next call.
	Prepare(c *Copy)
}

type signedConn struct {
	Conn
	signer *Signer
	buf    []byte
	failed bool
	// prepared is the copy that was signed ahead, and signed is closed when
	// nothing is under way.
	prepared *Copy
	signed   chan struct{}
	fields   []byte
	err      error
}

// Usable is false after a message that could not be signed: the relay waits for
// its content.
func (c *signedConn) Usable() bool { return !c.failed && c.Conn.Usable() }

// Close implements [Conn].
func (c *signedConn) Close() error {
	c.drop()
	return c.Conn.Close()
}

// drop waits until nothing is under way.
func (c *signedConn) drop() {
	if c.signed != nil {
		<-c.signed
	}
	c.prepared, c.signed = nil, nil
}

// Prepare implements [Preparer]: it signs while the caller waits for something
// else.
func (c *signedConn) Prepare(ahead *Copy) {
	c.drop()
	c.prepared, c.signed = ahead, make(chan struct{})
	go func() {
		defer close(c.signed)
		c.sign(ahead)
	}()
}

// sign signs content as it is before its dots are stuffed.
func (c *signedConn) sign(content Content) {
	c.buf = content.Append(c.buf[:0], false)
	c.fields, c.err = c.signer.Sign(c.buf)
}

// Send sends the signed content. What cannot be signed does not leave.
func (c *signedConn) Send(ctx context.Context, content Content, next *Envelope) (sent, begun error) {
	ahead, _ := content.(*Copy)
	ready := ahead != nil && ahead == c.prepared
	c.drop()
	if !ready {
		c.sign(content)
	}
	if c.err != nil {
		c.failed = true
		return &Fault{StageData, c.err}, ErrNotBegun
	}
	return c.Conn.Send(ctx, signedContent{c.fields, c.buf}, next)
}

// signedContent is a message with its signatures. No line of these begins with
// a dot.
type signedContent struct{ fields, message []byte }

// Append implements [Content].
func (s signedContent) Append(dst []byte, wire bool) []byte {
	return Raw(s.message).Append(append(dst, s.fields...), wire)
}
