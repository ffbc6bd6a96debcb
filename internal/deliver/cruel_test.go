package deliver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// deed is what a cruel relay does at one step.
type deed struct {
	say  string        // instead of the answer, without the last CRLF
	late time.Duration // before it
	slow bool          // octet by octet
	part bool          // the last CRLF does not come
	then string        // what follows
}

const (
	ends  = "ends"  // the relay says no more, and reads what still comes
	cuts  = "cuts"  // the connection is gone, with all that is under way
	hangs = "hangs" // nothing more happens
)

// cruelty is what the relay does in the second transaction of a connection, by
// command; "." is the content. What is not named goes as it should.
type cruelty map[string]deed

// cruelties are all that are tried. Whatever a relay does, nobody may be noted
// for what happened to another.
func cruelties() map[string]cruelty {
	all := map[string]cruelty{
		"slow and in many lines": {
			"MAIL": {say: "250-2.1.0 one\r\n250-2.1.0 two\r\n250 2.1.0 three", slow: true},
			"RCPT": {say: "250-2.1.5 one\r\n250 2.1.5 two", slow: true},
			"DATA": {say: "354-one\r\n354 two", slow: true},
			".":    {say: "250-2.0.0 one\r\n250 2.0.0 two", slow: true},
		},
		"late": {
			"MAIL": {late: 5 * time.Millisecond}, "RCPT": {late: 5 * time.Millisecond},
			"DATA": {late: 5 * time.Millisecond}, ".": {late: 5 * time.Millisecond},
		},
		"bare codes":                       {"MAIL": {say: "250"}, "RCPT": {say: "250"}, "DATA": {say: "354"}, ".": {say: "250"}},
		"closes after it took a message":   {".": {say: "250 2.0.0 fine\r\n421 4.7.0 bye", then: ends}},
		"cuts after it took a message":     {".": {say: "250 2.0.0 fine", then: cuts}},
		"refuses the recipient":            {"RCPT": {say: "550 5.1.1 no"}, "DATA": {say: "503 5.5.1 for whom?"}},
		"refuses in many lines":            {"RCPT": {say: "550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user", slow: true}, "DATA": {say: "554 5.5.1 no"}},
		"refuses, and wants content":       {"RCPT": {say: "550 5.1.1 no"}, "DATA": {say: "354 go on"}, ".": {say: "554 5.5.1 no valid recipients"}},
		"refuses, and takes content":       {"RCPT": {say: "550 5.1.1 no"}, "DATA": {say: "354 go on"}, ".": {say: "250 2.0.0 fine"}},
		"defers, and takes content":        {"RCPT": {say: "451 4.7.1 later"}, "DATA": {say: "354 go on"}, ".": {say: "250 2.0.0 fine"}},
		"refuses, wants content, and ends": {"RCPT": {say: "550 5.1.1 no"}, "DATA": {say: "354 go on"}, ".": {then: ends}},
		"closes at a refused recipient":    {"RCPT": {say: "550 5.1.1 no\r\n421 4.7.0 bye", then: ends}},
		"refuses the content":              {".": {say: "554 5.6.0 no"}},
		"defers the content":               {".": {say: "451 4.3.0 later"}},
		"refuses DATA":                     {"DATA": {say: "554 5.6.0 no"}},
		"wants no sender for now":          {"MAIL": {say: "451 4.3.0 later"}, "RCPT": {say: "503 5.5.1 whose?"}, "DATA": {say: "503 5.5.1 whose?"}},
		"too much at MAIL":                 {"MAIL": {say: "250 fine\r\n250 fine"}},
		"too much at RCPT":                 {"RCPT": {say: "250 fine\r\n250 fine"}},
		"too much at the end":              {".": {say: "250 fine\r\n250 fine"}},
		"an end before the content":        {"DATA": {say: "354 go on\r\n250 fine"}, ".": {say: "554 5.6.0 no"}},
		"everything ahead":                 {".": {say: "250 fine\r\n250 fine\r\n250 fine\r\n354 go on\r\n250 fine"}},
		"ends after 354":                   {"DATA": {say: "354 go on", then: ends}},
		"cuts after 354":                   {"DATA": {say: "354 go on", then: cuts}},
		"takes DATA for done":              {"DATA": {say: "250 fine"}},
		"wants more content":               {".": {say: "354 go on"}},
		"half an answer":                   {".": {say: "250", part: true, then: ends}},
		"half a line of many":              {".": {say: "250-fine", then: ends}},
		"codes that differ":                {".": {say: "250-fine\r\n550 no", then: ends}},
	}
	for _, step := range []string{"MAIL", "RCPT", "DATA", "."} {
		all["closes at "+step] = cruelty{step: {say: "421 4.7.0 bye", then: ends}}
		for _, then := range []string{ends, cuts, hangs} {
			all[then+" at "+step] = cruelty{step: {then: then}}
		}
		for name, say := range map[string]string{
			"garbage": "* OK IMAP4 ready", "no code": "fine", "an empty line": "", "a strange code": "650 what", "a code too long": "2500 fine",
			"octets": "\x00\xff\xfe\r", "a long line": "250 " + strings.Repeat("x", 300<<10), "an endless answer": strings.Repeat("250-more\r\n", 30<<10) + "250 done",
		} {
			all[name+" at "+step] = cruelty{step: {say: say + "\r\n", part: true}}
		}
	}
	return all
}

// cruel is a relay that treats some transactions badly and knows what it took.
type cruel struct {
	pipelining bool
	does       cruelty
	port       int

	ctx    context.Context //nolint:containedctx // it ends what hangs when the test is over
	mu     sync.Mutex
	left   int // transactions to be treated badly
	truth  map[string]*fate
	faults []string // of the client
}

// fate is what happened to one recipient at the relay.
type fate struct {
	accepted int // said so
	unknown  int // whole content came, and no proper answer went
	torn     int // content was asked for and not read
	refused  int // for good
}

func (r *cruel) start(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.ctx, r.truth, r.port = ctx, map[string]*fate{}, l.Addr().(*net.TCPAddr).Port
	var served sync.WaitGroup
	served.Go(func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			served.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = l.Close()
		served.Wait()
	})
}

// note changes what is known of a recipient.
func (r *cruel) note(to string, change func(f *fate)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.truth[to] == nil {
		r.truth[to] = &fate{}
	}
	change(r.truth[to])
}

func (r *cruel) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// bad tells whether the n-th transaction of a connection is treated badly.
func (r *cruel) bad(n int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n != 2 || r.left == 0 {
		return false
	}
	r.left--
	return true
}

// victim is one connection to a cruel relay.
type victim struct {
	*cruel
	conn net.Conn
	in   *bufio.Reader
	n    int // transactions
	does cruelty
	to   string // recipient that was accepted
	// sender tells whether MAIL was accepted: without, no answer is about the
	// recipient.
	sender bool
}

func (r *cruel) serve(conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(r.ctx, func() { _ = conn.Close() })()
	v := &victim{cruel: r, conn: conn, in: bufio.NewReader(conn)}
	v.answer("", "220 ready")
	for {
		line, err := v.in.ReadString('\n')
		if err != nil || !v.obey(strings.TrimRight(line, "\r\n")) {
			return
		}
	}
}

// obey does what a command says, and tells whether the connection goes on.
func (v *victim) obey(line string) bool {
	verb := strings.ToUpper(line[:min(4, len(line))])
	answer := "250 2.0.0 fine"
	to := v.to
	switch verb {
	case "EHLO":
		if v.pipelining {
			answer = "250-cruel\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"
		}
	case "MAIL":
		v.n++
		v.to, v.does = "", nil
		if v.bad(v.n) {
			v.does = v.cruel.does
		}
	case "RCPT":
		_, rest, _ := strings.Cut(line, "<")
		to, _, _ = strings.Cut(rest, ">")
	case "DATA":
		if answer = "354 go on"; to == "" {
			answer = "503 5.5.1 for whom?"
		}
	case "RSET":
		v.to = ""
	case "QUIT":
		answer = "221 bye"
	default:
		v.fault("an unknown command: %.60q", line)
		answer = "500 what?"
	}
	code := v.means(verb, answer)
	if verb == "MAIL" {
		v.sender = code/100 == 2
	}
	if code/100 == 5 && v.sender && to != "" && (verb == "RCPT" || verb == "DATA") {
		v.note(to, func(f *fate) { f.refused++ })
	}
	if verb == "RCPT" && code/100 == 2 {
		v.to = to
	}
	wanted := verb == "DATA" && code == 354
	if wanted && to != "" && v.does[verb].then != "" {
		v.note(to, func(f *fate) { f.torn++ })
	}
	if !v.answer(verb, answer) {
		return false
	}
	if wanted {
		return v.content()
	}
	return verb != "QUIT"
}

// content reads a message and answers.
func (v *victim) content() bool {
	header := ""
	octets := 0
	for {
		line, err := v.in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		octets += len(line)
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "To") && header == "" {
			header = strings.Trim(value, " <>\r\n")
		}
	}
	to := v.to
	v.to = ""
	const answer = "250 2.0.0 fine"
	code := v.means(".", answer)
	switch {
	case to == "" && octets > 0:
		v.fault("content for %s, who was refused", header)
	case to == "":
	case header != to:
		v.fault("content for %q came to %s", header, to)
	case code/100 == 2:
		v.note(to, func(f *fate) { f.accepted++ })
	case code/100 == 5:
		v.note(to, func(f *fate) { f.refused++ })
	case code/100 != 4:
		v.note(to, func(f *fate) { f.unknown++ })
	}
	return v.answer(".", answer)
}

// means is the code that a client must see in what is said at a step, 0 where
// it is no proper answer.
func (v *victim) means(step, say string) (code int) {
	d := v.does[step]
	switch {
	case d.say == "" && d.then != "", d.part && !strings.HasSuffix(d.say, "\r\n"):
		return 0
	case d.say != "":
		say = d.say
	}
	return codeOf(say)
}

// answer says what is to be said at a step, and tells whether the connection
// goes on. What it means is noted before, since the client may be quick.
func (v *victim) answer(step, say string) bool {
	d, told := v.does[step]
	if !told {
		_, err := io.WriteString(v.conn, say+"\r\n")
		return err == nil
	}
	if d.late > 0 {
		select {
		case <-time.After(d.late):
		case <-v.ctx.Done():
		}
	}
	if d.say != "" {
		say = d.say
	}
	if d.say != "" || d.then == "" {
		v.utter(say, d)
	}
	switch d.then {
	case ends:
		_ = v.conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, v.in)
	case hangs:
		<-v.ctx.Done()
	}
	return d.then == ""
}

// utter writes an answer as the deed wants it.
func (v *victim) utter(say string, d deed) {
	if !d.part {
		say += "\r\n"
	}
	size := len(say)
	if d.slow {
		size = 1
	}
	for say != "" {
		n := min(size, len(say))
		if _, err := io.WriteString(v.conn, say[:n]); err != nil {
			return // the client had enough of it
		}
		say = say[n:]
	}
}

// codeOf is the code of the first answer in text, 0 where it is no proper one.
func codeOf(text string) int {
	if len(text) > 100<<10 {
		return 0
	}
	first := ""
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) < 3 || first != "" && line[:3] != first {
			return 0
		}
		first = line[:3]
		if len(line) > 3 && line[3] == '-' {
			continue
		}
		code, err := strconv.Atoi(first)
		if err != nil || code < 200 || code > 599 || len(line) > 3 && line[3] != ' ' {
			return 0
		}
		return code
	}
	return 0
}

// TestCruelRelay drains over two connections and compares what the database
// says of each recipient with what the relay knows.
func TestCruelRelay(t *testing.T) {
	for name, does := range cruelties() {
		for _, pipelining := range []bool{true, false} {
			if testing.Short() && !pipelining {
				continue
			}
			t.Run(fmt.Sprintf("%s/pipelining=%v", name, pipelining), func(t *testing.T) {
				t.Parallel()
				r := &cruel{pipelining: pipelining, does: does, left: 3}
				r.start(t)
				r.try(t, strings.HasPrefix(name, hangs))
			})
		}
	}
}

func (r *cruel) try(t *testing.T, short bool) {
	const people = 12
	s := openStore(t)
	subscribe(t, s, people)
	issue := publishIssue(t, s, 7)
	timeout := 10 * time.Second
	if short {
		timeout = 200 * time.Millisecond
	}
	o := options(s, mail.NewSMTP(mail.SMTPOptions{Host: "127.0.0.1", Port: r.port, TLS: mail.TLSNone, Timeout: timeout, FinalTimeout: timeout}))
	o.Resend = false
	for range 5 { // a relay that cannot be used ends a Drain
		err := New(o).Drain(t.Context(), time.Minute)
		if err == nil {
			break
		}
		if _, relay := errors.AsType[*RelayError](err); !relay {
			t.Fatal(err)
		}
	}
	states := map[string]newsletter.DeliveryState{}
	for _, u := range unsettled(t, s, issue) {
		states[u.Email] = u.State
	}
	if c := counts(t, s, issue); c.Pending > 0 || c.Deferred > 0 || c.Canceled > 0 {
		t.Errorf("left: %+v", c)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := range people {
		to := address(n + 1)
		f := fate{}
		if known := r.truth[to]; known != nil {
			f = *known
		}
		if state := states[to]; !f.agrees(state, short || r.does["."].then == cuts) {
			t.Errorf("%s is %q; at the relay: %+v", to, state, f)
		}
	}
	for _, f := range r.faults {
		t.Error(f)
	}
	if r.left == 3 {
		t.Error("nothing was treated badly")
	}
}

// agrees tells whether the database may say state; "" is sent. Where answers
// can get lost on the way, one who was accepted may be in doubt.
func (f fate) agrees(state newsletter.DeliveryState, lossy bool) bool {
	switch state {
	case "":
		return f.accepted == 1 && f.unknown == 0 && f.refused == 0
	case newsletter.DeliveryFailed:
		return f.accepted+f.unknown == 0 && f.refused == 1
	case newsletter.DeliveryInDoubt:
		return f.accepted == 0 && f.unknown+f.torn == 1 || lossy && f.accepted == 1
	}
	return false
}
