//go:build unix

package deliver

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	netmail "net/mail"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	gomail "github.com/wneessen/go-mail"

	"threadmill/internal/audience"
	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

var recipients = flag.Int("recipients", 20_000, "how many recipients BenchmarkThroughput sends to; a delayed relay gets a fortieth")

// BenchmarkThroughput sends an issue of 10 KB HTML and 3 KB text with three
// personal slots to a relay in another process: with the bare transport, with
// a whole Drain over a database that waits for the disk, and for comparison
// with the loop that go-mail's users write, a message made for each recipient
// over connections that are kept.
func BenchmarkThroughput(b *testing.B) {
	for _, delay := range []time.Duration{0, 20 * time.Millisecond} {
		for _, connections := range []int{10, 30} {
			t := throughput{delay: delay, connections: connections, people: *recipients}
			if delay > 0 {
				t.people = max(t.people/40, connections)
			}
			// go-mail never pipelines: what the relay offers is the same to it.
			t.pipelining = true
			b.Run(t.name()+"/by=go-mail", t.goMail)
			for _, t.pipelining = range []bool{true, false} {
				b.Run(t.name()+"/by=transport", t.transport)
				b.Run(t.name()+"/by=drain", t.drain)
			}
			if t.pipelining = true; delay == 0 {
				t.signed(b)
			}
		}
	}
}

// throughput is one setting of the benchmark.
type throughput struct {
	delay       time.Duration
	connections int
	people      int
	pipelining  bool
	peer        float64 // go-mail's messages a second
	keys        []mail.Key
}

// signed drains with the kinds of keys that sign.
func (t *throughput) signed(b *testing.B) {
	rsa, ed := newKey(b, mail.GenerateRSA), newKey(b, mail.GenerateEd25519)
	ed.Selector = "ed"
	for _, by := range []struct {
		name string
		keys []mail.Key
	}{{"RSA", []mail.Key{rsa}}, {"Ed25519", []mail.Key{ed}}, {"both", []mail.Key{rsa, ed}}} {
		signed := *t
		signed.keys = by.keys
		b.Run(t.name()+"/signed="+by.name+"/by=drain", signed.drain)
	}
}

func newKey(b *testing.B, generate func() ([]byte, error)) mail.Key {
	b.Helper()
	text, err := generate()
	if err != nil {
		b.Fatal(err)
	}
	key, err := mail.ParseKey(text)
	if err != nil {
		b.Fatal(err)
	}
	return mail.Key{Domain: "example.org", Selector: "rsa", Signer: key}
}

func (t *throughput) name() string {
	return fmt.Sprintf("delay=%v/connections=%d/pipelining=%v", t.delay, t.connections, t.pipelining)
}

// measure runs send, which sends one message to each of the people, as often
// as the benchmark wants, prepare before each. stop ends the relay. It returns
// the messages a second.
func (t *throughput) measure(b *testing.B, stop func() (int, int), prepare, send func() error) float64 {
	b.Helper()
	var m meter
	for b.Loop() {
		if err := prepare(); err != nil {
			b.Fatal(err)
		}
		m.start(b)
		err := send()
		m.stop()
		if err != nil {
			b.Fatal(err)
		}
	}
	if messages, people := stop(); messages != b.N*t.people || people != t.people {
		b.Fatalf("the relay took %d messages for %d recipients, want %d for each of %d", messages, people, b.N, t.people)
	}
	rate := m.report(b, b.N*t.people)
	if t.peer > 0 {
		b.ReportMetric(rate/t.peer, "x-go-mail")
	}
	return rate
}

func nothing() error { return nil }

// goMail fills in a message for each recipient and sends it over connections
// that are kept.
func (t *throughput) goMail(b *testing.B) {
	port, stop := startSink(b, t.delay, t.pipelining)
	client, err := gomail.NewClient("127.0.0.1", gomail.WithPort(port), gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithHELO("localhost"))
	if err != nil {
		b.Fatal(err)
	}
	slots := mail.NewSlots()
	letter := longLetter(slots)
	t.peer = 0
	t.peer = t.measure(b, stop, nothing, func() error {
		return t.overAll(func(next func() int) error {
			conn, err := client.DialToSMTPClientWithContext(b.Context())
			if err != nil {
				return err
			}
			for n := next(); n > 0; n = next() {
				msg, err := filledIn(letter, slots, n)
				if err != nil {
					return err
				}
				if err := client.SendWithSMTPClient(conn, msg); err != nil {
					return err
				}
			}
			return client.CloseWithSMTPClient(conn)
		})
	})
}

// filledIn is recipient n's message as go-mail makes it.
func filledIn(l mail.Letter, s mail.Slots, n int) (*gomail.Msg, error) {
	r := personal(n)
	fill := strings.NewReplacer(s.Email, r.Email, s.Name, r.Name, s.UnsubscribeURL, r.UnsubscribeURL)
	msg := gomail.NewMsg()
	if err := msg.From(l.From.Address); err != nil {
		return nil, err
	}
	if err := msg.AddToFormat(r.Name, r.Email); err != nil {
		return nil, err
	}
	msg.Subject(l.Subject)
	msg.SetDateWithValue(r.Date)
	msg.SetMessageIDWithValue(strings.Trim(r.MessageID, "<>"))
	msg.SetGenHeader(gomail.HeaderListUnsubscribe, "<"+r.UnsubscribeURL+">")
	msg.SetBodyString(gomail.TypeTextPlain, fill.Replace(l.Text))
	msg.AddAlternativeString(gomail.TypeTextHTML, fill.Replace(l.HTML))
	return msg, nil
}

// transport sends without a database.
func (t *throughput) transport(b *testing.B) {
	port, stop := startSink(b, t.delay, t.pipelining)
	slots := mail.NewSlots()
	template, err := mail.Compose(longLetter(slots), slots)
	if err != nil {
		b.Fatal(err)
	}
	relay := relayAt(port)
	t.measure(b, stop, nothing, func() error {
		return t.overAll(func(next func() int) error {
			conn, err := relay.Dial(b.Context())
			if err != nil {
				return err
			}
			err = carry(b.Context(), conn, next, func(n int) mail.Content {
				return &mail.Copy{Template: template, Recipient: personal(n)}
			})
			if err != nil {
				return err
			}
			return conn.Close()
		})
	})
}

// carry sends messages over one connection, each envelope with the content
// before it.
func carry(ctx context.Context, conn mail.Conn, next func() int, content func(n int) mail.Content) error {
	envelope := func(n int) mail.Envelope { return mail.Envelope{From: sender, To: personal(n).Email} }
	n := next()
	if n == 0 {
		return nil
	}
	err := conn.Begin(ctx, envelope(n))
	for err == nil && n > 0 {
		after := next()
		var ahead *mail.Envelope
		if after > 0 {
			e := envelope(after)
			ahead = &e
		}
		var begun error
		if err, begun = conn.Send(ctx, content(n), ahead); err != nil || after == 0 {
			return err
		}
		if err = begun; errors.Is(err, mail.ErrNotBegun) {
			err = conn.Begin(ctx, envelope(after))
		}
		n = after
	}
	return err
}

// overAll runs work once for each connection; next is the number of the next
// recipient, and 0 when there is none.
func (t *throughput) overAll(work func(next func() int) error) error {
	var wg sync.WaitGroup
	var taken atomic.Int64
	next := func() int {
		if n := int(taken.Add(1)); n <= t.people {
			return n
		}
		return 0
	}
	failed := make(chan error, t.connections)
	for range t.connections {
		wg.Go(func() { failed <- work(next) })
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

// drain sends an issue from the database.
func (t *throughput) drain(b *testing.B) {
	port, stop := startSink(b, t.delay, t.pipelining)
	s := populated(b, t.people)
	slots := mail.NewSlots()
	o := options(s, relayAt(port))
	if len(t.keys) > 0 {
		signer, err := mail.NewSigner(t.keys...)
		if err != nil {
			b.Fatal(err)
		}
		o.Transport = mail.Signed(o.Transport, signer)
	}
	o.Connections = t.connections
	o.Token = audience.NewTokens(audience.Key{ID: 1, Secret: make([]byte, 32)}).Sign
	t.measure(b, stop,
		func() error { return publishLetter(b.Context(), s, longLetter(slots), slots) },
		func() error { return New(o).Drain(b.Context(), time.Minute) })
}

func relayAt(port int) *mail.SMTP {
	return mail.NewSMTP(mail.SMTPOptions{Host: "127.0.0.1", Port: port, TLS: mail.TLSNone})
}

// populated is a database on disk with people that have names.
func populated(b *testing.B, people int) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), filepath.Join(b.TempDir(), "threadmill.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	const chunk = 1000
	var subs []newsletter.Subscriber
	for n := 1; n <= people; n++ {
		r := personal(n)
		subs = append(subs, newsletter.Subscriber{Email: r.Email, Key: r.Email, Name: r.Name, Status: newsletter.SubscriberActive})
		if len(subs) < chunk && n < people {
			continue
		}
		if _, err := s.AddSubscribers(b.Context(), subs); err != nil {
			b.Fatal(err)
		}
		subs = subs[:0]
	}
	return s
}

func publishLetter(ctx context.Context, s *store.Store, l mail.Letter, slots mail.Slots) error {
	number, err := s.NextIssue(ctx)
	if err != nil {
		return err
	}
	template, err := mail.Compose(l, slots)
	if err != nil {
		return err
	}
	message, err := template.MarshalBinary()
	if err != nil {
		return err
	}
	snap := newsletter.Snapshot{Message: message, Sender: sender, Domain: "example.org", UnsubscribeURL: "https://example.org/unsubscribe/"}
	if _, err := s.Publish(ctx, newsletter.Issue{Number: number, PublishedAt: time.Now()}, nil, snap, 500); err != nil {
		return err
	}
	return s.SiteWritten(ctx, []int64{number})
}

// personal is what the message of recipient n has of its own.
func personal(n int) mail.Recipient {
	token := fmt.Sprintf("k1.%043d", n)
	return mail.Recipient{
		Email: address(n), Name: fmt.Sprintf("Reader Number %d", n), Date: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC),
		MessageID: fmt.Sprintf("<%032d@example.org>", n), UnsubscribeURL: "https://example.org/unsubscribe/" + token, UnsubscribeToken: token,
	}
}

// longLetter has 10 KB of HTML and 3 KB of text.
func longLetter(s mail.Slots) mail.Letter {
	fill := func(before, unit, after string, size int) string {
		return before + strings.Repeat(unit, (size-len(before)-len(after))/len(unit)) + after
	}
	return mail.Letter{
		From: netmail.Address{Name: "Letters", Address: sender}, Subject: "What three neighbours and a rope can do",
		HTML: fill("<p>Dear "+s.Name+",</p>\n", "<p style=\"margin:0 0 1em\">A shed is moved by those who are there on the day.</p>\n",
			"<p>Sent to "+s.Email+". <a href=\""+s.UnsubscribeURL+"\">Unsubscribe</a></p>\n", 10<<10),
		Text: fill("Dear "+s.Name+",\n\n", "A shed is moved by those who are there on the day.\n",
			"\nSent to "+s.Email+".\n"+s.UnsubscribeURL+"\n", 3<<10),
		ListID: "Letters <letters.example.org>", UnsubscribeMailto: sender, OneClick: true,
	}
}

// meter adds up what this process spends between start and stop.
type meter struct {
	wall, cpu time.Duration
	allocs    uint64
	peak      int64 // of memory, in bytes
	before    usage
}

// usage is what this process has spent.
type usage struct {
	at     time.Time
	cpu    time.Duration
	allocs uint64
}

// start begins with no garbage, so that the peak is that of what follows.
func (m *meter) start(b *testing.B) {
	debug.FreeOSMemory()
	if err := forgetPeak(); err != nil {
		b.Log("the peak of memory is that of the whole process:", err)
	}
	m.before = used()
}

func (m *meter) stop() {
	now := used()
	m.wall += now.at.Sub(m.before.at)
	m.cpu += now.cpu - m.before.cpu
	m.allocs += now.allocs - m.before.allocs
	if peak, err := peakMemory(); err == nil {
		m.peak = max(m.peak, peak)
	}
}

func used() usage {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r) // it fails for bad arguments only
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return usage{time.Now(), time.Duration(r.Utime.Nano() + r.Stime.Nano()), mem.Mallocs}
}

// report adds the metrics of so many messages to b and returns their rate.
func (m *meter) report(b *testing.B, messages int) float64 {
	rate := float64(messages) / m.wall.Seconds()
	b.ReportMetric(0, "ns/op") // an operation is a whole issue
	b.ReportMetric(rate, "msgs/s")
	b.ReportMetric(float64(m.cpu.Nanoseconds())/1e3/float64(messages), "CPU-us/msg")
	b.ReportMetric(float64(m.allocs)/float64(messages), "allocs/msg")
	if m.peak > 0 {
		b.ReportMetric(float64(m.peak)/(1<<20), "peak-MiB")
	}
	return rate
}
