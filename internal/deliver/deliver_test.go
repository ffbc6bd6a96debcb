package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	netmail "net/mail"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"go.uber.org/goleak"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const sender = "news@example.org"

// fresh is a new database. It is made once, since that takes most of the time
// of a test.
var fresh = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "threadmill-test-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "threadmill.db")
	s, err := store.Open(context.Background(), path, slog.New(slog.DiscardHandler))
	if err == nil {
		err = s.Close()
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// openStore opens a new database of SQLite.
func openStore(t testing.TB) *store.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "threadmill.db")
	data, err := fresh()
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return openAt(t, path)
}

// openAt opens the database at an address until the test ends.
func openAt(t testing.TB, address string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), address, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// subscribe adds n active subscribers, s1@example.com and so on.
func subscribe(t testing.TB, s *store.Store, n int) {
	t.Helper()
	var subs []newsletter.Subscriber
	for i := range n {
		email := address(i + 1)
		subs = append(subs, newsletter.Subscriber{Email: email, Key: email, Status: newsletter.SubscriberActive})
	}
	if _, err := s.AddSubscribers(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
}

func address(n int) string { return fmt.Sprintf("s%d@example.com", n) }

// publishIssue publishes an issue in batches of the given size, lets its mail
// go and returns its number.
func publishIssue(t testing.TB, s *store.Store, batch int) int64 {
	t.Helper()
	return publishFrom(t, s, batch, sender)
}

// publishFrom does so with an envelope sender of its own.
func publishFrom(t testing.TB, s *store.Store, batch int, path mail.ReturnPath) int64 {
	t.Helper()
	ctx := t.Context()
	number, err := s.NextIssue(ctx)
	if err != nil {
		t.Fatal(err)
	}
	slots := mail.NewSlots()
	letter := mail.Letter{
		From: netmail.Address{Address: sender}, Subject: fmt.Sprintf("Issue %d", number),
		Text: "Good morning, " + slots.Email + ".\n\n" + slots.UnsubscribeURL + "\n",
	}
	composed, err := mail.Compose(letter, slots)
	if err != nil {
		t.Fatal(err)
	}
	message, err := composed.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	snap := newsletter.Snapshot{Message: message, Sender: string(path), Domain: "example.org", UnsubscribeURL: "https://example.org/unsubscribe/"}
	if _, err := s.Publish(ctx, newsletter.Issue{Number: number, PublishedAt: time.Now()}, nil, snap, batch); err != nil {
		t.Fatal(err)
	}
	if err := s.SiteWritten(ctx, []int64{number}); err != nil {
		t.Fatal(err)
	}
	return number
}

// options are a sender's for tests: two connections, retries at once.
func options(s Store, transport mail.Transport) Options {
	return Options{
		Store:        s,
		Transport:    transport,
		Token:        func(subscriber, issue int64) string { return fmt.Sprintf("%d-%d", subscriber, issue) },
		MessageIDKey: []byte("key"),
		Connections:  2,
		Retry:        Retry{First: time.Millisecond, Max: 2 * time.Millisecond, GiveUp: time.Hour},
		Resend:       true,
		StopTimeout:  10 * time.Second,
		Log:          slog.New(slog.DiscardHandler),
	}
}

// drain sends what is due and fails the test when that does not work.
func drain(t *testing.T, o Options) {
	t.Helper()
	if err := New(o).Drain(t.Context(), time.Minute); err != nil {
		t.Fatalf("drain: %v", err)
	}
}

func counts(t *testing.T, s *store.Store, issue int64) newsletter.Counts {
	t.Helper()
	row, err := s.Issue(context.WithoutCancel(t.Context()), issue)
	if err != nil {
		t.Fatal(err)
	}
	return row.Counts
}

// wantCounts compares an issue's counts.
func wantCounts(t *testing.T, s *store.Store, issue int64, want newsletter.Counts) {
	t.Helper()
	if got := counts(t, s, issue); got != want {
		t.Errorf("counts of issue %d: %+v, want %+v", issue, got, want)
	}
}

// wantNothingSending fails when a delivery is still marked as being sent.
func wantNothingSending(t *testing.T, s *store.Store, issue int64) {
	t.Helper()
	for _, u := range unsettled(t, s, issue) {
		if u.State == newsletter.DeliverySending {
			t.Errorf("%s is still marked as being sent", u.Email)
		}
	}
}

func unsettled(t *testing.T, s *store.Store, issue int64) []store.Unsettled {
	t.Helper()
	list, err := s.Unsettled(context.WithoutCancel(t.Context()), issue)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// relay is a real SMTP server that keeps what it accepts. The hooks, set
// before it starts, decide about each step; nil accepts.
type relay struct {
	connect func(open int) error // connections with this one
	mail    func(c *client) error
	rcpt    func(c *client, to string) error
	content func(c *client, m received) error // called before the answer

	address  string
	listener net.Listener
	mu       sync.Mutex
	open     int
	got      []received
}

// received is a message that came to a relay.
type received struct {
	from, to, id, date string
	at                 time.Time
}

// client is one connection to a relay.
type client struct {
	relay *relay
	conn  *smtp.Conn
	count int // messages accepted on it
	from  string
	to    string
}

// cut closes the connection without an answer.
func (c *client) cut() error {
	_ = c.conn.Conn().Close()
	return errors.New("cut")
}

// start listens on loopback, at address where it is known, until stop.
func (r *relay) start(t testing.TB) (stop func()) {
	t.Helper()
	at := r.address
	if at == "" {
		at = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	r.address, r.listener = l.Addr().String(), l
	s := smtp.NewServer(smtp.BackendFunc(r.session))
	s.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	var served sync.WaitGroup
	served.Go(func() { _ = s.Serve(l) })
	stop = sync.OnceFunc(func() {
		_ = l.Close() // the server may not have begun to serve
		_ = s.Close()
		served.Wait()
	})
	t.Cleanup(stop)
	return stop
}

func (r *relay) session(conn *smtp.Conn) (smtp.Session, error) {
	r.mu.Lock()
	r.open++
	open := r.open
	r.mu.Unlock()
	if r.connect != nil {
		if err := r.connect(open); err != nil {
			r.closed()
			return nil, err
		}
	}
	return &client{relay: r, conn: conn}, nil
}

func (r *relay) closed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open--
}

// transport is the way to the relay.
func (r *relay) transport() mail.Transport { return r.transportWith(0) }

// transportWith waits so long for the answer to a command; 0 is as usual.
func (r *relay) transportWith(timeout time.Duration) mail.Transport {
	addr, err := net.ResolveTCPAddr("tcp", r.address)
	if err != nil {
		panic(err)
	}
	return mail.NewSMTP(mail.SMTPOptions{Host: addr.IP.String(), Port: addr.Port, TLS: mail.TLSNone, Timeout: timeout})
}

// received are the messages so far.
func (r *relay) received() []received {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]received(nil), r.got...)
}

// wantEveryoneOnce fails unless s1 to sn got one copy each.
func (r *relay) wantEveryoneOnce(t *testing.T, n int) {
	t.Helper()
	r.wantEveryone(t, n, 0)
}

// wantEveryone checks that each of n got the message, and at most again further
// copies went out, of messages that were in flight when a connection broke.
func (r *relay) wantEveryone(t *testing.T, n, again int) {
	t.Helper()
	copies := map[string]int{}
	for _, m := range r.received() {
		copies[m.to]++
	}
	for i := range n {
		c := copies[address(i+1)]
		if again -= max(c-1, 0); c < 1 || again < 0 {
			t.Errorf("%s got %d copies", address(i+1), c)
		}
	}
	if len(copies) != n {
		t.Errorf("%d recipients, want %d", len(copies), n)
	}
}

func (c *client) Reset()        { c.to = "" }
func (c *client) Logout() error { c.relay.closed(); return nil }

func (c *client) Mail(from string, _ *smtp.MailOptions) error {
	c.from = from
	if c.relay.mail == nil {
		return nil
	}
	return c.relay.mail(c)
}

func (c *client) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.to = to
	if c.relay.rcpt == nil {
		return nil
	}
	return c.relay.rcpt(c, to)
}

func (c *client) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	parsed, err := netmail.ReadMessage(bytes.NewReader(data))
	if err != nil {
		return err
	}
	m := received{from: c.from, to: c.to, id: parsed.Header.Get("Message-Id"), date: parsed.Header.Get("Date"), at: time.Now()}
	if c.relay.content != nil {
		if err := c.relay.content(c, m); err != nil {
			return err
		}
	}
	c.relay.mu.Lock()
	c.relay.got = append(c.relay.got, m)
	c.relay.mu.Unlock()
	c.count++
	return nil
}

// once lets f decide about each key the first time only.
func once(f func(key string) error) func(key string) error {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(key string) error {
		mu.Lock()
		defer mu.Unlock()
		if seen[key] {
			return nil
		}
		seen[key] = true
		return f(key)
	}
}

func refusal(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}
