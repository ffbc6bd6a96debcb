package mailbox

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	gomail "github.com/wneessen/go-mail"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start returns a mailbox on a free port with an empty folder.
func start(t *testing.T) *Mailbox {
	t.Helper()
	return startIn(t, t.TempDir())
}

func startIn(t *testing.T, dir string) *Mailbox {
	t.Helper()
	m, err := Listen(t.Context(), "127.0.0.1:0", dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// send sends raw as it is.
func send(t *testing.T, m *Mailbox, raw string, to ...string) {
	t.Helper()
	if err := smtp.SendMail(m.Addr(), nil, "news@example.org", to, []byte(raw)); err != nil {
		t.Fatal(err)
	}
}

// names are the base names of the kept files.
func names(m *Mailbox) []string {
	var out []string
	for _, f := range m.Files() {
		out = append(out, filepath.Base(f))
	}
	return out
}

func TestKeepsWhatWasSentByteForByte(t *testing.T) {
	m := start(t)
	raw := "Subject: dots\r\nTo: ada@example.org\r\n\r\n.\r\n..\r\n.leading\r\n\r\nlast \x80 byte\r\n"
	send(t, m, raw, "ada@example.org")

	if diff := cmp.Diff([]string{"0001-ada@example.org.eml"}, names(m)); diff != "" {
		t.Fatal(diff)
	}
	got, err := os.ReadFile(m.Files()[0])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(raw, string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestTakesAMailOfGoMail(t *testing.T) {
	m := start(t)
	msg := gomail.NewMsg()
	if err := errors.Join(msg.From("news@example.org"), msg.To("Grete <grete@example.org>")); err != nil {
		t.Fatal(err)
	}
	msg.Subject("Grüße – 👋")
	msg.SetBodyString(gomail.TypeTextPlain, "the text")
	msg.AddAlternativeString(gomail.TypeTextHTML, "<p>the html</p>")
	host, port, err := net.SplitHostPort(m.Addr())
	if err != nil {
		t.Fatal(err)
	}
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		t.Fatal(err)
	}
	client, err := gomail.NewClient(host, gomail.WithPort(number), gomail.WithTLSPolicy(gomail.NoTLS))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.DialAndSendWithContext(t.Context(), msg); err != nil {
		t.Fatal(err)
	}
	if m.Count() != 1 {
		t.Fatalf("Count() = %d, want 1", m.Count())
	}
	f, err := os.Open(m.Files()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	l, err := readLetter(f)
	if err != nil {
		t.Fatal(err)
	}
	l.Fields = nil
	want := letter{Subject: "Grüße – 👋", To: `"Grete" <grete@example.org>`, Text: "the text", HTML: "<p>the html</p>"}
	if diff := cmp.Diff(want, l); diff != "" {
		t.Error(diff)
	}
}

func TestEachRecipientGetsAFile(t *testing.T) {
	m := start(t)
	send(t, m, "Subject: one\r\n\r\nx\r\n", "a@example.org", "b@example.org")
	send(t, m, "Subject: two\r\n\r\nx\r\n", "c@example.org")
	want := []string{"0001-a@example.org.eml", "0002-b@example.org.eml", "0003-c@example.org.eml"}
	if diff := cmp.Diff(want, names(m)); diff != "" {
		t.Error(diff)
	}
	if m.Count() != 3 {
		t.Errorf("Count() = %d, want 3", m.Count())
	}
}

func TestManyConnectionsAtOnce(t *testing.T) {
	m := start(t)
	const senders, each = 8, 5
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for j := range each {
				to := fmt.Sprintf("r%d-%d@example.org", i, j)
				if err := smtp.SendMail(m.Addr(), nil, "n@example.org", []string{to}, []byte("To: "+to+"\r\n\r\nx\r\n")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	files := m.Files()
	if len(files) != senders*each || m.Count() != senders*each {
		t.Fatalf("%d files, Count() = %d, want %d", len(files), m.Count(), senders*each)
	}
	for i, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		number, recipient, _ := strings.Cut(strings.TrimSuffix(name, ".eml"), "-")
		if number != fmt.Sprintf("%04d", i+1) || !bytes.Contains(raw, []byte("To: "+recipient+"\r\n")) {
			t.Errorf("file %d is %s with %q", i, name, raw)
		}
	}
}

func TestGoesOnAfterAnEarlierRun(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"0009-old@example.org.eml", "10000-older@example.org.eml", ".incoming-1", "notes.txt", "0-x.eml", "x-1.eml"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("Subject: old\r\n\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m := startIn(t, dir)
	send(t, m, "Subject: new\r\n\r\nx\r\n", "new@example.org")
	want := []string{"0009-old@example.org.eml", "10000-older@example.org.eml", "10001-new@example.org.eml"}
	if diff := cmp.Diff(want, names(m)); diff != "" {
		t.Error(diff)
	}
	if m.Count() != 1 {
		t.Errorf("Count() = %d, want 1", m.Count())
	}
}

func TestRefusesAddressesThatOthersReach(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:25", "mail.example.org:25"} {
		m, err := Listen(t.Context(), addr, t.TempDir(), slog.New(slog.DiscardHandler))
		if err == nil {
			t.Errorf("Listen(%q) gave no error", addr)
			_ = m.Close()
			continue
		}
		if !strings.Contains(err.Error(), "not a loopback address") {
			t.Errorf("Listen(%q): %v", addr, err)
		}
	}
}

func TestListenErrors(t *testing.T) {
	discard := slog.New(slog.DiscardHandler)
	if _, err := Listen(t.Context(), "127.0.0.1", t.TempDir(), discard); err == nil {
		t.Error("an address without a port was taken")
	}
	m := start(t)
	if _, err := Listen(t.Context(), m.Addr(), t.TempDir(), discard); err == nil {
		t.Error("a port in use was taken")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), "localhost:0", file, discard); err == nil {
		t.Error("a file was taken as the folder")
	}
}

// reply sends raw and returns the error the server answered.
func reply(t *testing.T, m *Mailbox, raw string) error {
	t.Helper()
	return smtp.SendMail(m.Addr(), nil, "n@example.org", []string{"a@example.org"}, []byte(raw))
}

// dial returns a connection that is past its greeting.
func dial(t *testing.T, m *Mailbox) *textproto.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", m.Addr())
	if err != nil {
		t.Fatal(err)
	}
	text := textproto.NewConn(conn)
	t.Cleanup(func() { _ = text.Close() })
	if _, _, err := text.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	say(t, text, "EHLO x", 250)
	return text
}

// say sends one line and wants code for an answer.
func say(t *testing.T, text *textproto.Conn, line string, code int) {
	t.Helper()
	if err := text.PrintfLine("%s", line); err != nil {
		t.Fatal(err)
	}
	if _, _, err := text.ReadResponse(code); err != nil {
		t.Fatalf("%s: %v, want %d", line, err, code)
	}
}

// A line no server need take (RFC 5321, section 4.5.3.1.6) is refused for
// good: the same mail would be refused again.
func TestRefusesLinesThatAreTooLong(t *testing.T) {
	m := start(t)
	if err := reply(t, m, "Subject: x\r\n\r\n"+strings.Repeat("x", 998)+"\r\n"); err != nil {
		t.Error(err)
	}
	err := reply(t, m, "Subject: x\r\n\r\n"+strings.Repeat("x", 3000)+"\r\n")
	if refused, ok := errors.AsType[*textproto.Error](err); !ok || refused.Code != 554 {
		t.Errorf("got %v, want 554", err)
	}
}

func TestRefusesMailsThatAreTooLarge(t *testing.T) {
	m := start(t)
	text := dial(t, m)
	say(t, text, fmt.Sprintf("MAIL FROM:<n@example.org> SIZE=%d", maxBytes+1), 552)
	say(t, text, fmt.Sprintf("MAIL FROM:<n@example.org> SIZE=%d", maxBytes), 250)
	say(t, text, "RCPT TO:<a@example.org>", 250)
	// One that did not tell its size, as a chunk (RFC 3030).
	say(t, text, fmt.Sprintf("BDAT %d LAST", maxBytes+1), 552)
	if m.Count() != 0 || len(m.Files()) != 0 {
		t.Errorf("kept %v", m.Files())
	}
}

// A folder that is gone stands for every fault of the disk; root could write
// into a read-only one.
func TestAFaultOfTheFolderIsTemporary(t *testing.T) {
	m := start(t)
	if err := os.RemoveAll(m.dir); err != nil {
		t.Fatal(err)
	}
	err := reply(t, m, "Subject: x\r\n\r\nx\r\n")
	if refused, ok := errors.AsType[*textproto.Error](err); !ok || refused.Code != 451 {
		t.Errorf("got %v, want 451", err)
	}
	if m.Count() != 0 {
		t.Errorf("Count() = %d, want 0", m.Count())
	}
	if err := os.Mkdir(m.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := reply(t, m, "Subject: x\r\n\r\nx\r\n"); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}

func TestACutConnectionKeepsNothing(t *testing.T) {
	dir := t.TempDir()
	m := startIn(t, dir)
	text := dial(t, m)
	say(t, text, "MAIL FROM:<n@example.org>", 250)
	say(t, text, "RCPT TO:<a@example.org>", 250)
	say(t, text, "DATA", 354)
	if err := text.PrintfLine("Subject: half"); err != nil {
		t.Fatal(err)
	}
	// Close cuts the connection in the middle of the mail.
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 || m.Count() != 0 {
		t.Errorf("kept %v, Count() = %d", entries, m.Count())
	}
}

func TestEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	m, err := Listen(ctx, "[::1]:0", t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Skipf("no IPv6 loopback: %v", err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", m.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	// The server cuts the connection, with or without its greeting before.
	if _, err := io.Copy(io.Discard, conn); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Logf("read: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, err := new(net.Dialer).DialContext(t.Context(), "tcp", m.Addr()); err == nil {
		t.Error("the port still answers")
	}
}

func TestFileName(t *testing.T) {
	long := strings.Repeat("é", 300) + "@example.org"
	for _, tt := range []struct {
		recipient, want string
	}{
		{"ada+news@example.org", "0001-ada+news@example.org.eml"},
		{"grüße@bücher.example", "0001-grüße@bücher.example.eml"},
		{"../../etc/passwd", "0001-.._.._etc_passwd.eml"},
		{"a\x00b\\c d\"<é\xff>", "0001-a_b_c_d__é__.eml"},
		{"", "0001-.eml"},
		{long, "0001-" + strings.Repeat("é", maxRecipientRunes) + ".eml"},
	} {
		got := fileName(1, tt.recipient)
		if got != tt.want {
			t.Errorf("fileName(%q) = %q, want %q", tt.recipient, got, tt.want)
		}
		if len(got) > 255 {
			t.Errorf("fileName(%q) has %d bytes", tt.recipient, len(got))
		}
	}
}
