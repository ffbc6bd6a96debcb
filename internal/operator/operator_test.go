package operator_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/operator"
	"threadmill/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// booth is an operator of a real database whose log can be read.
type booth struct {
	*operator.Operator
	store *store.Store
	dir   string
	log   *strings.Builder
}

// newBooth makes an operator whose only fault is the given kind.
func newBooth(t *testing.T, kind string, change func(o *operator.Options)) booth {
	t.Helper()
	b := booth{dir: t.TempDir(), log: new(strings.Builder)}
	log := slog.New(slog.NewTextHandler(b.log, nil))
	var err error
	if b.store, err = store.Open(t.Context(), filepath.Join(b.dir, "t.db"), log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.store.Close() })
	o := operator.Options{
		Store: b.store, Publication: "Test", From: netmail.Address{Address: "news@example.com"},
		Dir: b.dir, Client: &http.Client{}, Relay: []string{"relay"}, Log: log,
		Faults: map[string]string{"disk_low": "disk_low"},
	}
	change(&o)
	b.Operator = operator.New(o)
	if kind != "" {
		if err := b.store.Warn(t.Context(), kind, "what is wrong"); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b booth) logged(t *testing.T, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(b.log.String(), part) {
			t.Errorf("the log lacks %q:\n%.5000s", part, b.log)
		}
	}
}

func TestCommand(t *testing.T) {
	t.Parallel()
	b := newBooth(t, "disk_low", func(o *operator.Options) { o.Command = "cat >> event" })
	b.Once(t.Context())
	b.Once(t.Context()) // told once
	text, err := os.ReadFile(filepath.Join(b.dir, "event"))
	var e operator.Event
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil || e.Event != "disk_low" || e.Kind != "disk_low" || e.Text != "what is wrong" || e.Publication != "Test" || e.Since.IsZero() {
		t.Errorf("%s: %+v %v", text, e, err)
	}
}

func TestCommandFails(t *testing.T) {
	t.Parallel()
	b := newBooth(t, "site", func(o *operator.Options) { o.Command = "echo so what >&2; exit 7" })
	b.Once(t.Context())
	b.logged(t, "the operator's command ended badly", "event=held_by_fault", `output="so what"`, "exit status 7")
}

// What a command prints is bounded in the log, and does not block it.
func TestCommandPrintsMuch(t *testing.T) {
	t.Parallel()
	b := newBooth(t, "site", func(o *operator.Options) { o.Command = "head -c 3000000 /dev/zero | tr '\\0' x" })
	b.Once(t.Context())
	b.logged(t, "the operator's command ended", "x …")
	if n := b.log.Len(); n > 10_000 {
		t.Errorf("the log has %d bytes", n)
	}
}

// A command that hangs ends with the program.
func TestCommandHangs(t *testing.T) {
	t.Parallel()
	b := newBooth(t, "site", func(o *operator.Options) { o.Command = "echo begun > begun; exec sleep 1000" })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.Once(ctx) }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(filepath.Join(b.dir, "begun")); err == nil {
			break
		}
		<-tick.C
	}
	stop()
	<-done
	b.logged(t, "the operator's command ended badly", "context canceled")
}

func TestMail(t *testing.T) {
	t.Parallel()
	var got []mail.Message
	send := func(_ context.Context, m mail.Message) error {
		got = append(got, m)
		return errors.New("no route")
	}
	b := newBooth(t, "disk_low", func(o *operator.Options) { o.Email, o.Send = "op@example.org", send })
	b.Once(t.Context())
	if len(got) != 1 || got[0].To != "op@example.org" || !strings.Contains(string(got[0].Data), "Subject: Test: little disk is left") || !strings.Contains(string(got[0].Data), "what is wrong") {
		t.Errorf("mail: %q", got)
	}
	b.logged(t, "the operator's mail was not sent", "no route")
	b = newBooth(t, "relay", func(o *operator.Options) { o.Email, o.Send = "op@example.org", send })
	b.Once(t.Context())
	if len(got) != 1 {
		t.Error("a mail by the relay that is at fault")
	}
	b = newBooth(t, "", func(o *operator.Options) { o.Email, o.Send, o.Command = "op@example.org", send, "cat >> events" })
	for _, domain := range []string{"", "example.net"} {
		hold := newsletter.Hold{Domain: domain, Kind: newsletter.HoldPolicy, Reason: "550 5.7.1 blocked", Since: time.Now(), ProbeAt: time.Now().Add(time.Hour)}
		if err := b.store.SetHold(t.Context(), hold); err != nil {
			t.Fatal(err)
		}
	}
	b.Once(t.Context())
	if len(got) != 2 || !strings.Contains(string(got[1].Data), "example.net") {
		t.Errorf("%d mails, want one more, about the hold of a domain: the relay takes none while all mail is held", len(got))
	}
	if events, err := os.ReadFile(filepath.Join(b.dir, "events")); err != nil || strings.Count(string(events), "held_by_fault") != 2 {
		t.Errorf("events %s, %v, want both holds", events, err)
	}
}

// A heartbeat that does not get through is in the log, without the secrets of
// its address.
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"500":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "500 Internal Server Error"},
		"hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/s3cret") {
				http.Redirect(w, r, "/there", http.StatusFound)
			}
		}, ""},
		"loop": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/s3cret", http.StatusFound) }, "10 redirects"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := make(chan struct{}, 20)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls <- struct{}{}
				tt.answer(w, r)
			}))
			defer server.Close()
			b := newBooth(t, "", func(o *operator.Options) {
				o.Heartbeat, o.Client = server.URL+"/s3cret?key=s3cret", server.Client()
			})
			b.slotEnded(t)
			b.Once(t.Context())
			if len(calls) == 0 {
				t.Error("it was not called")
			}
			if tt.want != "" {
				b.logged(t, "the heartbeat did not get through", tt.want)
			} else if b.log.Len() > 0 {
				t.Errorf("log: %s", b.log)
			}
			if strings.Contains(b.log.String(), "s3cret") {
				t.Errorf("the log tells the address: %s", b.log)
			}
		})
	}
}

// slotEnded publishes an issue to nobody at a slot, which ends well at once.
func (b booth) slotEnded(t *testing.T) {
	t.Helper()
	now := time.Now()
	thread := newsletter.Thread{ID: "a", Slug: "a", Title: "A"}
	known, err := b.store.Threads(t.Context())
	if err == nil {
		err = b.store.UpdateThreads(t.Context(), now, known.Stamp, []newsletter.ThreadUpdate{{Thread: thread, New: true}})
	}
	if err == nil {
		issue := newsletter.Issue{Number: 1, Slug: "a", Title: "A", Subject: "A", PublishedAt: now, Threads: []newsletter.Thread{thread}}
		slot := newsletter.Slot{Key: "slot", Due: now}
		_, err = b.store.Publish(t.Context(), issue, &slot, newsletter.Snapshot{Message: []byte("m")}, 10)
	}
	if err == nil {
		err = b.store.SiteWritten(t.Context(), []int64{1})
	}
	if err != nil {
		t.Fatal(err)
	}
}
