package audience_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	netmail "net/mail"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"threadmill/internal/audience"
	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/store"
	"threadmill/templates"
)

func key(id int64) audience.Key {
	return audience.Key{ID: id, Secret: bytes.Repeat([]byte{byte(id)}, 32)}
}

// desk is a list with the mails that went out to it.
type desk struct {
	*audience.SignUps
	db      *store.Store
	tokens  *audience.Tokens
	letters *audience.Letters
	sent    []mail.Message
	fail    error     // of the relay
	closed  time.Time // until when no mail leaves
}

func newDesk(t testing.TB, limits audience.Limits) *desk {
	t.Helper()
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	d := &desk{db: db, tokens: audience.NewTokens(key(1))}
	const within = 7 * 24 * time.Hour
	d.SignUps = audience.NewSignUps(audience.SignUpOptions{Store: db, Tokens: d.tokens, Within: within, Limits: limits, NetworkKey: key(2).Secret})
	w := &audience.Writer{
		Publication: newsletter.Publication{Title: "The Shed", URL: "https://shed.example.org", Language: "en", Address: "1 Mill Lane"},
		Templates:   func() (*render.Templates, error) { return render.Load(nil, templates.FS) },
		Tokens:      d.tokens, Base: "https://shed.example.org", Within: within,
		From: netmail.Address{Name: "Jo", Address: "jo@example.org"}, ReturnPath: "bounce+{token}@b.example.org",
		Replies: true, ReplyMode: "verp", ReplyDomain: "b.example.org", MessageIDKey: key(2).Secret,
		Headers: map[string]string{"X-Campaign": "weekly", "auto-submitted": "no"},
	}
	d.letters = audience.NewLetters(audience.LetterOptions{
		Store: db, Write: w.Write, Within: within, Reminder: 24 * time.Hour, Log: slog.New(slog.DiscardHandler),
		Send: func(_ context.Context, m mail.Message) error {
			if d.fail == nil {
				d.sent = append(d.sent, m)
			}
			return d.fail
		},
		Closed: func(context.Context) (time.Time, string, error) {
			if time.Now().Before(d.closed) {
				return d.closed, "paused", nil
			}
			return time.Time{}, "", nil
		},
	})
	return d
}

var loose = audience.Limits{PerAddress: 3}

func (d *desk) ask(t testing.TB, address string) {
	t.Helper()
	if err := d.Ask(t.Context(), address, "Buy at evil.example", []string{"web"}, audience.Request{Form: "/subscribe", From: netip.MustParseAddr("203.0.113.9"), Text: "Mail."}); err != nil {
		t.Fatal(err)
	}
}

func (d *desk) send(t testing.TB) {
	t.Helper()
	if err := d.letters.SendDue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, m mail.Message) (h netmail.Header, body string) {
	t.Helper()
	msg, err := netmail.ReadMessage(bytes.NewReader(m.Data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(msg.Body)
	if err != nil {
		t.Fatal(err)
	}
	return msg.Header, strings.ReplaceAll(string(text), "=\r\n", "")
}

// tokenOf is the token of the link in a letter.
func tokenOf(t testing.TB, m mail.Message) string {
	t.Helper()
	_, body := read(t, m)
	_, after, ok := strings.Cut(body, "https://shed.example.org/confirm/")
	if !ok {
		t.Fatalf("no link in:\n%s", body)
	}
	token, _, _ := strings.Cut(after, "\r\n")
	return token
}

func (d *desk) status(t testing.TB, address string) newsletter.SubscriberStatus {
	t.Helper()
	sub, err := d.db.SubscriberByKey(t.Context(), address)
	if errors.Is(err, newsletter.ErrNotFound) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return sub.Status
}

func TestDoubleOptIn(t *testing.T) {
	d := newDesk(t, loose)
	ctx := t.Context()
	d.ask(t, "Ada@Example.org")
	d.send(t)
	d.send(t)
	if len(d.sent) != 1 {
		t.Fatalf("%d letters went out", len(d.sent))
	}
	h, body := read(t, d.sent[0])
	token := tokenOf(t, d.sent[0])
	for name, want := range map[string]string{
		"To": "<Ada@example.org>", "From": `"Jo" <jo@example.org>`, "Subject": "Please confirm: The Shed", "Auto-Submitted": "auto-generated",
		"List-Unsubscribe": "", "List-Id": "", "Message-Id": "<confirm." + token + "@example.org>", "X-Campaign": "weekly",
		"Reply-To": `"Jo" <confirm+` + token + "@b.example.org>",
	} {
		if got := h.Get(name); strings.Trim(got, "<>") != strings.Trim(want, "<>") && got != strings.ReplaceAll(want, `"`, "") {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if strings.Contains(string(d.sent[0].Data), "evil") || !strings.Contains(body, "1 Mill Lane") || d.sent[0].To != "Ada@example.org" {
		t.Errorf("to %s:\n%s", d.sent[0].To, body)
	}
	path := mail.ReturnPath("bounce+{token}@b.example.org")
	if bounce, ok := path.Token(d.sent[0].From); !ok {
		t.Errorf("the envelope is %s", d.sent[0].From)
	} else if sub, issue, err := d.tokens.VerifyBounce(bounce); err != nil || sub == 0 || issue != 0 {
		t.Errorf("a bounce names %d, %d, %v", sub, issue, err)
	}
	if _, err := d.Asked(ctx, token); err != nil || d.status(t, "ada@example.org") != newsletter.SubscriberPending {
		t.Errorf("a look gives %v and makes them %s", err, d.status(t, "ada@example.org"))
	}
	for range 2 {
		sub, err := d.Confirm(ctx, token, audience.Request{Form: "/confirm", From: netip.MustParseAddr("203.0.113.9"), Text: "I agree."})
		if err != nil || sub.Status != newsletter.SubscriberActive {
			t.Errorf("Confirm = %+v, %v", sub, err)
		}
	}
	sub, err := d.db.SubscriberByKey(ctx, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	events, err := d.db.Events(ctx, sub.ID)
	if err != nil || len(events) != 2 || events[0].Network == "" || events[0].Network != events[1].Network || strings.Contains(events[0].Network, "203") || events[1].Text != "I agree." {
		t.Errorf("the record is %+v, %v", events, err)
	}
	d.ask(t, "ada@example.org")
	d.send(t)
	if h, body := read(t, d.sent[1]); h.Get("Subject") != "You already get The Shed" || strings.Contains(body, "/confirm/") {
		t.Errorf("to somebody on the list:\n%s", body)
	}
}

// A form gives the tags that the config names, and no others: who gets what may
// go by them.
func TestFormTags(t *testing.T) {
	d := newDesk(t, loose)
	s := audience.NewSignUps(audience.SignUpOptions{Store: d.db, Tokens: d.tokens, Limits: loose, Tags: []string{"garden", "from-blog"}})
	tests := []struct {
		given []string
		want  string
	}{
		{[]string{"members"}, ""},
		{[]string{"members, From Blog", "garden", "GARDEN"}, "from-blog garden"},
		{[]string{"!garden", "*", "", "gard", "garden\x00members"}, "garden"},
	}
	for i, tt := range tests {
		email := fmt.Sprintf("a%d@example.org", i)
		if err := s.Ask(t.Context(), email, "", tt.given, audience.Request{}); err != nil {
			t.Fatal(err)
		}
		sub, err := d.db.SubscriberByKey(t.Context(), email)
		if got := strings.Join(sub.Tags, " "); err != nil || got != tt.want {
			t.Errorf("%q gives the tags %q, %v, want %q", tt.given, got, err, tt.want)
		}
	}
}

func TestDeadLinks(t *testing.T) {
	d := newDesk(t, loose)
	ctx := t.Context()
	d.ask(t, "ada@example.org")
	d.send(t)
	good := tokenOf(t, d.sent[0])
	other := audience.NewTokens(audience.Key{ID: 1, Secret: key(9).Secret})
	for name, token := range map[string]string{
		"empty": "", "cut": good[:len(good)-1], "longer": good + "a", "forged": strings.Repeat("a", len(good)),
		"other list":  other.SignFor(audience.PurposeConfirm, 1, time.Now().UnixMilli()),
		"unsubscribe": d.tokens.Sign(1, 1), "other purpose": d.tokens.SignFor(audience.PurposePreferences, 1, 0),
		"expired":        d.tokens.SignFor(audience.PurposeConfirm, 1, time.Now().Add(-8*24*time.Hour).UnixMilli()),
		"no such letter": d.tokens.SignFor(audience.PurposeConfirm, 1, time.Now().Add(-time.Hour).UnixMilli()),
	} {
		if _, err := d.Asked(ctx, token); !errors.Is(err, audience.ErrToken) {
			t.Errorf("%s: Asked gives %v", name, err)
		}
		if _, err := d.Confirm(ctx, token, audience.Request{}); !errors.Is(err, audience.ErrToken) {
			t.Errorf("%s: Confirm gives %v", name, err)
		}
	}
	if got := d.status(t, "ada@example.org"); got != newsletter.SubscriberPending {
		t.Errorf("they are %s", got)
	}
}

func TestConfirmByReply(t *testing.T) {
	d := newDesk(t, loose)
	d.ask(t, "ada@example.org")
	d.send(t)
	h, _ := read(t, d.sent[0])
	for _, place := range []string{h.Get("Message-Id"), "<x@y> " + strings.ToUpper(h.Get("Message-Id")), h.Get("Reply-To"), "jo+confirm-" + tokenOf(t, d.sent[0]) + "@example.org"} {
		token, ok := audience.ReplyToken("jo@example.org", place)
		if !ok || token != tokenOf(t, d.sent[0]) {
			t.Errorf("%s holds the token %q, %v", place, token, ok)
		}
	}
	for _, none := range []string{"", "confirm.@", "confirm+@x", "confirm." + strings.Repeat("a", 200) + "@x", "confirm.a b@x", strings.Repeat("confirm.", 10000)} {
		if token, ok := audience.ReplyToken(none); ok {
			t.Errorf("%.40q holds the token %q", none, token)
		}
	}
	if err := d.ConfirmReply(t.Context(), tokenOf(t, d.sent[0]), "eve@example.org"); !errors.Is(err, audience.ErrToken) {
		t.Errorf("somebody else confirms: %v", err)
	}
	if err := d.ConfirmReply(t.Context(), tokenOf(t, d.sent[0]), "Ada <ADA@example.org>"); err != nil || d.status(t, "ada@example.org") != newsletter.SubscriberActive {
		t.Errorf("ConfirmReply = %v, they are %s", err, d.status(t, "ada@example.org"))
	}
}

// What ten thousand forms can make us send stays within the limits.
func TestFloods(t *testing.T) {
	const many = 10_000
	limits := audience.Limits{PerClient: 10, PerNetwork: 40, PerHour: 60, PerAddress: 3}
	for _, tt := range []struct {
		name    string
		address func(i int) string
		from    func(i int) string
		want    int
	}{
		{"one address from everywhere", func(int) string { return "ada@example.org" }, func(i int) string { return fmt.Sprintf("198.%d.%d.1", i/200, i%200) }, 3},
		{"one mailbox by many addresses", func(i int) string { return fmt.Sprintf("ada+%d@example.org", i) }, func(i int) string { return fmt.Sprintf("198.%d.%d.1", i/200, i%200) }, 3},
		{"one mailbox of Gmail", func(i int) string { return strings.Repeat("a.", i%10+1) + strings.Repeat("a", 11-i%10) + "@gmail.com" }, func(i int) string { return fmt.Sprintf("198.%d.%d.1", i/200, i%200) }, 3},
		{"one client", func(i int) string { return fmt.Sprintf("a%d@example.org", i) }, func(int) string { return "203.0.113.9" }, 10},
		{"one machine of IPv6", func(i int) string { return fmt.Sprintf("a%d@example.org", i) }, func(i int) string { return fmt.Sprintf("2001:db8::%x", i+1) }, 10},
		{"one network", func(i int) string { return fmt.Sprintf("a%d@example.org", i) }, func(i int) string { return fmt.Sprintf("203.0.113.%d", i%256) }, 40},
		{"one network of IPv6", func(i int) string { return fmt.Sprintf("a%d@example.org", i) }, func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i) }, 40},
		{"random addresses from everywhere", func(i int) string { return fmt.Sprintf("a%d@example.org", i) }, func(i int) string { return fmt.Sprintf("198.%d.%d.1", i/200, i%200) }, 60},
		{"behind a proxy that nobody named", func(i int) string { return fmt.Sprintf("a%d@example.org", i) }, func(int) string { return "127.0.0.1" }, 60},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, limits)
			for i := range many {
				err := d.Ask(t.Context(), tt.address(i), "", nil, audience.Request{From: netip.MustParseAddr(tt.from(i))})
				if err != nil && !errors.Is(err, audience.ErrTooMany) {
					t.Fatal(err)
				}
			}
			d.send(t)
			if len(d.sent) != tt.want {
				t.Errorf("%d mails went out, want %d", len(d.sent), tt.want)
			}
		})
	}
}

// A form that is one too many today is none tomorrow.
func TestLimitsEnd(t *testing.T) {
	from := audience.Request{From: netip.MustParseAddr("::ffff:203.0.113.9")}
	synctest.Test(t, func(t *testing.T) {
		s := audience.NewSignUps(audience.SignUpOptions{Store: nowhere{}, Tokens: audience.NewTokens(key(1)), Limits: audience.Limits{PerClient: 1}})
		ask := func() error { return s.Ask(t.Context(), "ada@example.org", "", nil, from) }
		if err := ask(); err != nil {
			t.Error(err)
		}
		if err := ask(); !errors.Is(err, audience.ErrTooMany) {
			t.Errorf("the second form in an hour: %v", err)
		}
		time.Sleep(time.Hour)
		if err := ask(); err != nil {
			t.Error(err)
		}
	})
}

// nowhere keeps nothing: what is counted here is not in the database.
type nowhere struct{ audience.SignUpStore }

func (nowhere) SignUp(context.Context, newsletter.SignUp) (newsletter.LetterKind, error) {
	return "", nil
}

func TestLettersAreTriedAgain(t *testing.T) {
	d := newDesk(t, loose)
	ctx := t.Context()
	d.ask(t, "ada@example.org")
	d.closed = time.Now().Add(time.Hour)
	d.send(t)
	if _, err := d.db.TakeLetter(ctx, 0); !errors.Is(err, newsletter.ErrNotFound) {
		t.Errorf("the letter is due while nothing may leave: %v", err)
	}
	d = newDesk(t, loose)
	d.ask(t, "ada@example.org")
	d.fail = &mail.Refusal{Stage: mail.StageRcpt, Code: 451, Text: "later"}
	d.send(t)
	d.fail = nil
	d.send(t)
	if len(d.sent) != 0 {
		t.Error("what was refused for now is sent at once")
	}
	d = newDesk(t, loose)
	d.ask(t, "ada@example.org")
	d.fail = &mail.Refusal{Stage: mail.StageRcpt, Code: 550, Enhanced: "5.1.1", Text: "nobody"}
	d.send(t)
	sub, err := d.db.SubscriberByKey(ctx, "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	events, err := d.db.Events(ctx, sub.ID)
	if err != nil || len(events) != 2 || events[1].Kind != newsletter.EventBounced || !strings.Contains(events[1].Text, "5.1.1") {
		t.Errorf("the record is %+v, %v", events, err)
	}
}

// One reminder after a day, and who never answers is forgotten.
func TestReminder(t *testing.T) {
	d := newDesk(t, loose)
	ctx := t.Context()
	day := 24 * time.Hour
	for _, asked := range []time.Duration{25 * time.Hour, 8 * day} {
		if _, err := d.db.SignUp(ctx, newsletter.SignUp{
			Email: fmt.Sprint(asked, "@example.org"), Key: fmt.Sprint(asked, "@example.org"), At: time.Now().Add(-asked), PerDay: 3,
		}); err != nil {
			t.Fatal(err)
		}
	}
	d.send(t)
	for range 3 {
		if err := d.letters.Remind(ctx); err != nil {
			t.Fatal(err)
		}
		d.send(t)
	}
	if len(d.sent) != 3 {
		t.Fatalf("%d mails went out, want two questions and a reminder", len(d.sent))
	}
	if h, _ := read(t, d.sent[2]); h.Get("Subject") != "Do you still want The Shed?" {
		t.Errorf("the reminder is %q", h.Get("Subject"))
	}
	if _, err := d.Confirm(ctx, tokenOf(t, d.sent[2]), audience.Request{}); err != nil {
		t.Errorf("the link of the reminder gives %v", err)
	}
	if got := d.status(t, fmt.Sprint(8*day, "@example.org")); got != "" {
		t.Errorf("who did not answer in a week is %s", got)
	}
}

func TestBadAddress(t *testing.T) {
	d := newDesk(t, loose)
	for _, address := range []string{"", "ada", "ada@", "a\nb@example.org", strings.Repeat("a", 300) + "@example.org"} {
		err := d.Ask(t.Context(), address, "", nil, audience.Request{})
		if _, ok := errors.AsType[*audience.AddressError](err); !ok {
			t.Errorf("%.20q: %v", address, err)
		}
	}
}
