package mail

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"html/template"
	"net"
	netmail "net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// deliverOne sends one message over c.
func deliverOne(ctx context.Context, c Conn, m Message) error { return Deliver(ctx, c, m) }

// recital is a relay that answers by rote: one text for each step of a
// transaction, MAIL, RCPT, DATA and the content, whatever the client says. It
// hangs up when it has said so many octets.
type recital struct {
	texts [4]string
	limit int

	heard  bool // the whole content came
	spoken strings.Builder
}

// try sends a message to the relay.
func (r *recital) try(ctx context.Context, l net.Listener, timeout time.Duration) error {
	var served sync.WaitGroup
	defer served.Wait()
	served.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		r.serve(conn)
	})
	conn, err := NewSMTP(SMTPOptions{
		Host: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port, TLS: TLSNone, Timeout: timeout, FinalTimeout: timeout,
	}).Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return deliverOne(ctx, conn, message1)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func (r *recital) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	if _, err := conn.Write([]byte("220 ready\r\n")); err != nil {
		return
	}
	if _, err := in.ReadString('\n'); err != nil { // EHLO
		return
	}
	if _, err := conn.Write([]byte("250-hello\r\n250 PIPELINING\r\n")); err != nil {
		return
	}
	for step, text := range r.texts {
		if !r.listen(in, step == len(r.texts)-1) {
			return
		}
		said := text[:min(len(text), r.limit)]
		r.limit -= len(said)
		r.spoken.WriteString(said)
		if _, err := conn.Write([]byte(said)); err != nil || len(said) < len(text) {
			return
		}
		if codeOf(text) == "" { // the client may wait for more, and there is none
			_ = conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		}
	}
	for r.listen(in, false) { // until the client goes
	}
}

// listen reads a command, or the content. A client that gives up says QUIT or
// RSET.
func (r *recital) listen(in *bufio.Reader, content bool) bool {
	for lines := 0; ; lines++ {
		line, err := in.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "QUIT") {
			return false
		}
		if !content {
			return true
		}
		if line == ".\r\n" {
			r.heard = lines > 0 // who gives up a transaction at 354 sends nothing
			return true
		}
	}
}

// wellFormed is one reply of RFC 5321, section 4.2, whose last line may lack
// its end.
var wellFormed = regexp.MustCompile(`^(?:\d{3}-[^\r\n]*\r\n)*(\d{3}) [^\r\n]*(?:\r\n?)?$`)

// codeOf is the code of text where it is one reply.
func codeOf(text string) string {
	found := wellFormed.FindStringSubmatch(text)
	if found == nil {
		return ""
	}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, found[1]) {
			return ""
		}
	}
	return found[1]
}

// mayAccept tells whether a client may take its message for accepted. Where
// the relay does not answer each step by one reply, the two may disagree about
// which is the last; then any but the first three lines may be it.
func mayAccept(texts [4]string) bool {
	var codes []string
	for _, text := range texts {
		codes = append(codes, codeOf(text))
	}
	if !slices.Contains(codes, "") {
		return codes[0][0] == '2' && codes[1][0] == '2' && codes[2] == "354" && codes[3][0] == '2'
	}
	lines := strings.SplitAfter(strings.Join(texts[:], ""), "\n")
	return slices.ContainsFunc(lines[min(3, len(lines)):], func(line string) bool { return strings.HasPrefix(line, "2") })
}

// TestCutAtEveryOctet ends the connection after each octet that a relay says.
func TestCutAtEveryOctet(t *testing.T) {
	texts := [4]string{"250 2.1.0 fine\r\n", "250-2.1.5 so\r\n250 2.1.5 fine\r\n", "354 go on\r\n", "250-2.0.0 taken\r\n250 2.0.0 with thanks\r\n"}
	all := len(strings.Join(texts[:], ""))
	l := listen(t)
	for limit := range all + 1 {
		r := recital{texts: texts, limit: limit}
		err := r.try(t.Context(), l, 10*time.Second)
		spoken := r.spoken.String()
		fault, faulty := errors.AsType[*Fault](err)
		switch {
		case err == nil && !strings.Contains(spoken, "taken\r\n250 "):
			t.Errorf("accepted after %q", spoken)
		case limit == all && err != nil:
			t.Errorf("%v after everything was said", err)
		case err != nil && !faulty:
			t.Errorf("%v after %q, want a fault", err, spoken)
		case faulty && r.heard && !fault.InDoubt():
			t.Errorf("%v after %q, and the relay has the whole content", err, spoken)
		case faulty && fault.InDoubt() && !strings.Contains(spoken, "354"):
			t.Errorf("in doubt after %q, and no content was asked for", spoken)
		}
	}
}

// FuzzReplies says anything at each step: Send ends, and takes for accepted
// only what was.
func FuzzReplies(f *testing.F) {
	for _, s := range [][4]string{
		{"250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 ok\r\n"},
		{"250-a\r\n250 b\r\n", "250\r\n", "354\r\n", "554 5.6.0 no\r\n"},
		{"250 ok\r\n", "550 5.1.1 no\r\n", "354 go\r\n", "250 ok\r\n"},
		{"250 ok\r\n", "250 ok\r\n", "354 go\r\n250 ahead\r\n", "554 no\r\n"},
		{"250 a\r\n250 b\r\n354 c\r\n250 d\r\n", "550 no\r\n", "503 no\r\n", "500 no\r\n"},
		{"250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250-ok\r\n550 no\r\n"},
		{"\x00\xff", "-1\r\n", "2500 x\r\n", "25"},
		{"421 bye\r\n", "", "", ""},
		{"250 ok\n", "250 ok\n", "354 go\n", "250 ok\n"},
	} {
		f.Add(s[0], s[1], s[2], s[3])
	}
	l := listen(f)
	f.Fuzz(func(t *testing.T, mail, rcpt, data, final string) {
		texts := [4]string{mail, rcpt, data, final}
		r := recital{texts: texts, limit: len(mail + rcpt + data + final)}
		err := r.try(t.Context(), l, 100*time.Millisecond)
		spoken := r.spoken.String()
		if err == nil && !(r.heard && mayAccept(texts)) {
			t.Errorf("taken for accepted after %q, the content heard: %v", spoken, r.heard)
		}
		if refusal, ok := errors.AsType[*Refusal](err); ok && !strings.Contains(spoken, strconv.Itoa(refusal.Code)) {
			t.Errorf("%v, and nobody said so: %q", err, spoken)
		}
		if fault, ok := errors.AsType[*Fault](err); ok && r.heard && !fault.InDoubt() {
			t.Errorf("%v, and the relay has the whole content: %q", err, spoken)
		}
	})
}

// TestMessageSurvives sends what is hard to carry through the real transport
// and reads what came.
func TestMessageSurvives(t *testing.T) {
	s := NewSlots()
	l := letter(s)
	l.Text = ".\n..\n.dot\n" + s.Name + "\n" + strings.Repeat("x", 2000) + "\n" + s.Name + "," + s.Email + "\n" + s.UnsubscribeURL + "\n.\n"
	l.HTML = "<p>\n.\n" + s.Name + "\n</p>" + strings.Repeat("y", 2000) + "<a href=\"" + s.UnsubscribeURL + "\">" + s.Email + "</a>\n.\n"
	m := compose(t, l, s)
	relay := startRelay(t, TLSNone)
	c := dial(t, NewSMTP(relay.options))
	names := []string{
		"", ".", "..", `"Bo" O'Neill, Jr.; \ and (sons) <b@example.com>`, "Bo\r\n.\r\nQUIT\r\n", "👩‍🔧🧵 Zoë", strings.Repeat("é", 300),
		strings.Repeat("a", 300), strings.Repeat("🧵", 300), ". " + strings.Repeat("ab, ", 74) + "c", "=?utf-8?q?x?= =2E", "\u202eright to left",
	}
	for i, name := range names {
		r := recipient
		r.Name = name
		sent := m.Append(nil, r)
		if err := deliverOne(t.Context(), c, Message{From: "ada@example.org", To: r.Email, Data: sent}); err != nil {
			t.Fatalf("name %q: %v", name, err)
		}
		came := relay.received()[i].Data
		if !bytes.Equal(came, sent) {
			t.Errorf("name %q: sent\n%q\nand there came\n%q", name, sent, came)
		}
		checkLines(t, came)
		p := parse(t, came)
		if to, err := netmail.ParseAddress(p.header.Get("To")); err != nil || to.Name != clean(name) || to.Address != r.Email {
			t.Errorf("name %q: To = %v, %v", name, to, err)
		}
		fill := func(body string, escape func(string) string) string {
			return strings.NewReplacer(s.Name, escape(clean(name)), s.Email, escape(r.Email), s.UnsubscribeURL, escape(r.UnsubscribeURL)).Replace(body)
		}
		if diff := cmp.Diff(fill(l.Text, func(v string) string { return v }), p.text); diff != "" {
			t.Errorf("name %q: text (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(fill(l.HTML, template.HTMLEscapeString), p.html); diff != "" {
			t.Errorf("name %q: html (-want +got):\n%s", name, diff)
		}
	}
}
