package main

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"
)

// raceOptions has a command that was built with the race detector end when it is
// done, not a second later (https://go.dev/doc/articles/race_detector#Options).
const raceOptions = "atexit_sleep_ms=0"

// noProxy stands where the program would go out to ask a public site: nobody
// answers there, at once, and no test asks a machine that is not this one.
const noProxy = "http://127.0.0.1:1"

// TestMain lets the test binary stand for the real program.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"threadmill": main})
}

// relay is a real SMTP server that notes what it took.
type relay struct {
	addr   string
	mu     sync.Mutex
	took   []copyOf
	on     func(n int)
	refuse func(to string) error
	drop   func(to string) bool // hangs up in the place of the last answer
	keep   bool                 // the content of what it takes
	// password of the login, where the relay wants one.
	password string
}

// copyOf is one accepted message; raw only where the relay keeps it.
type copyOf struct{ to, id, subject, raw string }

func newRelay(t *testing.T) *relay {
	t.Helper()
	return startRelay(t, &relay{}, nil)
}

// startRelay has r listen; with a certificate it offers STARTTLS, and a login
// after that.
func startRelay(t *testing.T, r *relay, secure *tls.Config) *relay {
	t.Helper()
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		session := &relaySession{relay: r, conn: c}
		if secure != nil {
			return &loginSession{relaySession: session}, nil
		}
		return session, nil
	}))
	s.TLSConfig = secure
	s.Domain = "relay.test"
	s.ErrorLog = silent{}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	go func() { _ = s.Serve(l) }() // ends with Close
	t.Cleanup(func() { _ = s.Close() })
	return r
}

func (r *relay) port() string { return r.addr[strings.LastIndex(r.addr, ":")+1:] }

// afterEach has on called after each message taken, with their number so far,
// which it returns.
func (r *relay) afterEach(on func(n int)) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.on = on
	return len(r.took)
}

// answer has refuse answer each recipient where it returns an error; nil
// accepts all.
func (r *relay) answer(refuse func(to string) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
}

func (r *relay) accepted() []copyOf {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]copyOf(nil), r.took...)
}

type relaySession struct {
	relay *relay
	conn  *smtp.Conn
	to    string
}

func (s *relaySession) Mail(string, *smtp.MailOptions) error { return nil }

func (s *relaySession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	s.relay.mu.Lock()
	refuse := s.relay.refuse
	s.relay.mu.Unlock()
	if refuse != nil {
		return refuse(to)
	}
	return nil
}

func (s *relaySession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c := copyOf{to: s.to, id: field(string(b), "Message-ID"), subject: field(string(b), "Subject")}
	s.relay.mu.Lock()
	if s.relay.keep {
		c.raw = string(b)
	}
	s.relay.took = append(s.relay.took, c)
	n, on, drop := len(s.relay.took), s.relay.on, s.relay.drop
	s.relay.mu.Unlock()
	if on != nil {
		on(n)
	}
	if drop != nil && drop(s.to) {
		return s.conn.Conn().Close()
	}
	return nil
}

func (s *relaySession) Reset()        { s.to = "" }
func (s *relaySession) Logout() error { return nil }

// field returns a header field of a message.
func field(message, name string) string {
	_, after, _ := strings.Cut(message, "\r\n"+name+": ")
	value, _, _ := strings.Cut(after, "\r\n")
	return value
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// place is a publication in a folder of its own.
type place struct {
	t   *testing.T
	dir string
	env []string // beside that of the test
	// program is another one than that of the test, where it is not empty.
	program string
}

// newPlace writes a publication with threads and subscribers that sends to r.
// extra is appended to its config.
func newPlace(t *testing.T, r *relay, threads, subscribers int, extra string) place {
	t.Helper()
	p := place{t: t, dir: t.TempDir()}
	p.write("config.yaml", fmt.Sprintf(`publication: {title: Test, url: "https://news.example.com", address: none}
mail: {from: news@example.com, smtp: {host: 127.0.0.1, port: %s, tls: none}}
web: {listen: "off"}
%s
`, r.port(), extra))
	for i := range threads {
		p.thread(i)
	}
	var csv strings.Builder
	csv.WriteString("email,name\n")
	for i := range subscribers {
		fmt.Fprintf(&csv, "reader%04d@example.org,Reader %d\n", i, i)
	}
	p.write("list.csv", csv.String())
	if err := os.MkdirAll(filepath.Join(p.dir, "threads"), 0o755); err != nil {
		t.Fatal(err)
	}
	if subscribers > 0 {
		p.run("subscribers", "import", "list.csv")
	}
	return p
}

// thread writes the file of the ith thread.
func (p place) thread(i int) {
	p.write(fmt.Sprintf("threads/2026-01-%02d-part-%d.md", i+1, i), fmt.Sprintf("---\ntitle: Part %d\n---\n\nHow the part number %d of the whole begins.\n\n---\n\nAnd how part %d ends.\n", i, i, i))
}

func (p place) write(name, content string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// edit replaces a part of the config.
func (p place) edit(old, replacement string) {
	p.t.Helper()
	p.write("config.yaml", strings.Replace(p.read("config.yaml"), old, replacement, 1))
}

func (p place) remove(name string) {
	p.t.Helper()
	if err := os.Remove(filepath.Join(p.dir, name)); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) read(name string) string {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(b)
}

// command is a call of the program in the publication's folder.
func (p place) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.t.Context(), cmp.Or(p.program, "threadmill"), args...)
	cmd.Dir = p.dir
	cmd.Env = slices.Concat(os.Environ(), []string{"GORACE=" + raceOptions, "HTTP_PROXY=" + noProxy, "HTTPS_PROXY=" + noProxy}, p.env)
	return cmd
}

// run calls the program and returns what it prints; a failure ends the test.
func (p place) run(args ...string) string {
	p.t.Helper()
	var stderr strings.Builder
	cmd := p.command(args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("threadmill %s: %v\n%s%s", strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}
