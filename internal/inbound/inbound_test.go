package inbound_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"threadmill/internal/inbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// desk takes what says "ours", and is closed at times.
type desk struct {
	mu     sync.Mutex
	got    []string
	looked int
	closed bool
	some   chan struct{}
}

var errClosed = errors.New("closed")

func (d *desk) take(_ context.Context, envelope string, raw []byte) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looked++
	if d.some != nil {
		defer func() { d.some <- struct{}{} }()
	}
	switch {
	case d.closed:
		return false, errClosed
	case !strings.Contains(string(raw), "ours"):
		return false, nil
	}
	d.got = append(d.got, envelope+": "+string(raw))
	return true, nil
}

func TestServer(t *testing.T) {
	t.Parallel()
	d := &desk{}
	ctx, stop := context.WithCancel(t.Context())
	s, err := inbound.Listen(ctx, inbound.ServerOptions{
		Listen: "127.0.0.1:0", Domain: "bounces.example.com", Take: d.take, Log: quiet(),
		Accepts: func(address string) bool { return strings.HasPrefix(strings.ToLower(address), "bounce+a") },
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	c, err := smtp.Dial(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for to, code := range map[string]int{
		"bounce+a@bounces.example.com": 0, "BOUNCE+A@BOUNCES.EXAMPLE.COM": 0,
		"bounce+b@bounces.example.com": 550, "bounce+a@example.com": 550, "postmaster@bounces.example.com": 550,
	} {
		err := c.Mail("", nil)
		if err == nil {
			err = c.Rcpt(to, nil)
		}
		got := 0
		if refused, ok := errors.AsType[*smtp.SMTPError](err); ok {
			got = refused.Code
		}
		if got != code {
			t.Errorf("%s: %v, want %d", to, err, code)
		}
		if err := c.Reset(); err != nil {
			t.Fatal(err)
		}
	}
	send := func(text string) error {
		return c.SendMail("", []string{"bounce+a@bounces.example.com"}, strings.NewReader(text))
	}
	if err := send("Subject: ours\r\n\r\n" + strings.Repeat("long line\r\n", 200_000)); err != nil {
		t.Error(err)
	}
	if err := send("Subject: other\r\n\r\n"); err != nil { // nothing is told to those who try
		t.Error(err)
	}
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	if refused, ok := errors.AsType[*smtp.SMTPError](send("Subject: ours\r\n\r\n")); !ok || refused.Code != 451 {
		t.Errorf("while the database is busy: %v", refused)
	}
	if len(d.got) != 1 || !strings.HasPrefix(d.got[0], "bounce+a@bounces.example.com: Subject: ours") || len(d.got[0]) > 1<<20+100 {
		t.Errorf("got %.200q", d.got)
	}
	_ = c.Quit()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestServerAddressTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := inbound.Listen(t.Context(), inbound.ServerOptions{Listen: l.Addr().String()}); err == nil || !strings.Contains(err.Error(), "mail.bounce.listen") {
		t.Errorf("%v", err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "new"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "new", name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func files(t *testing.T, dir string) string {
	t.Helper()
	var list []string
	for _, part := range []string{"new", "cur"} {
		entries, _ := os.ReadDir(filepath.Join(dir, part))
		for _, e := range entries {
			list = append(list, part+"/"+e.Name())
		}
	}
	return strings.Join(list, " ")
}

func TestMaildir(t *testing.T) {
	t.Parallel()
	d, dir := &desk{}, t.TempDir()
	m := &inbound.Maildir{Dir: dir, Take: d.take, Log: quiet()}
	if err := m.Scan(t.Context()); err == nil || !strings.Contains(err.Error(), "mail.bounce.maildir") {
		t.Errorf("a folder that is none: %v", err)
	}
	write(t, dir, "1", "Subject: ours\n\n")
	write(t, dir, "2", "Subject: other\n\n")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "new", "3")); err != nil {
		t.Fatal(err)
	}
	d.closed = true
	if err := m.Scan(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("while the database is busy: %v", err)
	}
	d.closed = false
	for range 2 {
		if err := m.Scan(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := files(t, dir); got != "new/2 new/3 cur/1:2,S" || len(d.got) != 1 || d.looked != 3 {
		t.Errorf("%s, %q, looked at %d", got, d.got, d.looked)
	}
}

const dovecotConf = `base_dir = DIR/run
state_dir = DIR/run
log_path = DIR/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:DIR/mail
passdb {
  driver = static
  args = password=secret
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=DIR/mail
}
service imap-login {
  inet_listener imap {
    port = PORT
  }
  inet_listener imaps {
    port = 0
  }
}
`

// dovecot starts an IMAP server over the Maildir that it returns.
func dovecot(t *testing.T) (port int, dir string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("Dovecot needs root to start")
	}
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin")
	if _, err := exec.LookPath("dovecot"); err != nil {
		t.Skipf("%v; on Debian: apt-get install --no-install-recommends dovecot-imapd", err)
	}
	base, err := os.MkdirTemp("", "imap") // short, for sockets, and for all to enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	dir = filepath.Join(base, "mail")
	for _, name := range []string{"", "run", "mail", "mail/new", "mail/cur", "mail/tmp"} {
		if err := os.MkdirAll(filepath.Join(base, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	conf := filepath.Join(base, "dovecot.conf")
	text := strings.NewReplacer("DIR", base, "PORT", strconv.Itoa(port)).Replace(dovecotConf)
	if err := errors.Join(os.WriteFile(conf, []byte(text), 0o644), os.Chmod(base, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dovecot", "-F", "-c", conf)
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(base, "dovecot.log"))
			t.Logf("%s", log)
		}
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); ; <-tick.C {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			_ = conn.Close()
			return port, dir
		}
		if time.Now().After(end) {
			t.Fatal("Dovecot does not listen")
		}
	}
}

// own gives what was written to Dovecot's user.
func own(t *testing.T, dir string) {
	t.Helper()
	if err := filepath.Walk(dir, func(path string, _ os.FileInfo, err error) error {
		return errors.Join(err, os.Chown(path, 5000, 5000))
	}); err != nil {
		t.Fatal(err)
	}
}

// A mailbox with other mail in it: what is ours is seen, the rest as it was, and
// what comes later is fetched as it comes.
func TestIMAP(t *testing.T) {
	port, dir := dovecot(t)
	write(t, dir, "1", "Subject: ours 1\n\n")
	write(t, dir, "2", "Subject: other\n\n")
	own(t, dir)
	d := &desk{some: make(chan struct{}, 10)}
	m := &inbound.IMAP{Host: "127.0.0.1", Port: port, Username: "jo", Password: "secret", Folder: "INBOX", TLS: "none", Take: d.take, Log: quiet()}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	<-d.some
	<-d.some
	late := filepath.Join(dir, "tmp", "3")
	if err := errors.Join(os.WriteFile(late, []byte("Subject: ours 2\n\n"), 0o600), os.Chown(late, 5000, 5000), os.Rename(late, filepath.Join(dir, "new", "3"))); err != nil {
		t.Fatal(err)
	}
	<-d.some
	seen := func() int { return strings.Count(files(t, dir), ":2,S") }
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); seen() < 2 && time.Now().Before(end); {
		<-tick.C
	}
	stop()
	running.Wait()
	if len(d.got) != 2 || d.looked != 3 || seen() != 2 || strings.Count(files(t, dir), "/") != 3 {
		t.Errorf("got %q, looked at %d, files %s", d.got, d.looked, files(t, dir))
	}
}

// Who holds many connections gets no more, and the others get theirs.
func TestServerTurnsAwayTheGreedy(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	s, err := inbound.Listen(ctx, inbound.ServerOptions{Listen: "127.0.0.1:0", Domain: "b.example", Take: (&desk{}).take, Log: quiet(), Accepts: func(string) bool { return false }})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	from := func(host string) (*smtp.Client, error) {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}
		conn, err := d.DialContext(ctx, "tcp", s.Addr())
		if err != nil {
			return nil, err
		}
		c := smtp.NewClient(conn)
		if err := c.Hello("x.example"); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return c, nil
	}
	var open []*smtp.Client
	for {
		c, err := from("127.0.0.1")
		if err != nil || len(open) > 40 {
			break
		}
		open = append(open, c)
	}
	if len(open) != 10 {
		t.Errorf("one host has %d connections", len(open))
	}
	other, err := from("127.0.0.2")
	if err != nil {
		t.Fatalf("another host: %v", err)
	}
	for _, c := range append(open, other) {
		_ = c.Close()
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
