package audience_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"threadmill/internal/audience"
	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// idKey is that of the Message-IDs in the reports of internal/mail.
var idKey = bytes.Repeat([]byte{9}, 32)

// corpus are the reports of internal/mail by name. They are about issue 2 for
// subscriber 7, who is jo@example.net.
func corpus(tb testing.TB) (names []string, raw map[string][]byte) {
	tb.Helper()
	files, err := filepath.Glob("../mail/testdata/reports/*.eml")
	if err != nil || len(files) == 0 {
		tb.Fatal(len(files), err)
	}
	raw = map[string][]byte{}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".eml")
		if raw[name], err = os.ReadFile(file); err != nil {
			tb.Fatal(err)
		}
		names = append(names, name)
	}
	return names, raw
}

// seven is the file of a list on which jo@example.net is number 7.
var seven = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "audience")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "threadmill.db")
	db, err := store.Open(context.Background(), file, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	var people []newsletter.Subscriber
	for _, address := range []string{"p1@example.org", "p2@example.org", "p3@example.org", "p4@example.org", "p5@example.org", "p6@example.org", "jo@example.net"} {
		people = append(people, newsletter.Subscriber{Email: address, Key: address, Status: newsletter.SubscriberActive})
	}
	_, err = db.AddSubscribers(context.Background(), people)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

// reportsOf returns the Reports of that list.
func reportsOf(tb testing.TB, tokens *audience.Tokens) (*audience.Reports, *store.Store) {
	tb.Helper()
	content, err := seven()
	if err != nil {
		tb.Fatal(err)
	}
	file := filepath.Join(tb.TempDir(), "threadmill.db")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	db, err := store.Open(tb.Context(), file, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return audience.NewReports(audience.ReportOptions{
		Store: db, Tokens: tokens, MessageIDKey: idKey, Unsubscribe: audience.New(db, tokens).Unsubscribe, Log: slog.New(slog.DiscardHandler),
	}), db
}

func publishTwo(tb testing.TB, db *store.Store) {
	tb.Helper()
	for n := range int64(2) {
		issue := newsletter.Issue{Number: n + 1, Slug: fmt.Sprint("i", n), PublishedAt: newsletter.Subscriber{}.CreatedAt}
		if _, err := db.Publish(tb.Context(), issue, nil, newsletter.Snapshot{}, 10); err != nil {
			tb.Fatal(err)
		}
	}
}

// Every form of a report ends as it should, for the right person and issue.
func TestReports(t *testing.T) {
	t.Parallel()
	want := map[string]newsletter.ReportOutcome{
		"arf_aol": newsletter.ReportComplained, "arf_outlook": newsletter.ReportComplained, "arf_yahoo": newsletter.ReportComplained,
		"arf_auth_failure": newsletter.ReportIgnored, "arf_not_spam": newsletter.ReportIgnored, "delivered": newsletter.ReportIgnored,
		"out_of_office": newsletter.ReportIgnored, "out_of_office_old": newsletter.ReportIgnored, "receipt": newsletter.ReportIgnored, "person": newsletter.ReportIgnored,
		"exim_delay": newsletter.ReportNoted, "gmail_delay": newsletter.ReportNoted, "office365_policy": newsletter.ReportNoted, "spam": newsletter.ReportNoted,
		"dovecot": newsletter.ReportCounted, "exchange_full": newsletter.ReportCounted, "exim_report": newsletter.ReportCounted, "qmail_local": newsletter.ReportCounted,
		"soft": newsletter.ReportCounted, "several": newsletter.ReportCounted, "unsubscribe": newsletter.ReportUnsubscribed,
	}
	status := map[newsletter.ReportOutcome]newsletter.SubscriberStatus{
		newsletter.ReportBounced: newsletter.SubscriberBounced, newsletter.ReportComplained: newsletter.SubscriberComplained,
		newsletter.ReportUnsubscribed: newsletter.SubscriberUnsubscribed,
	}
	names, raw := corpus(t)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, db := reportsOf(t, tokens)
			outcome := want[name]
			if outcome == "" {
				outcome = newsletter.ReportBounced
			}
			got, err := r.Take(t.Context(), "", raw[name], "pipe")
			if err != nil || got.Outcome != outcome {
				t.Fatalf("%+v, %v, want %s", got, err, outcome)
			}
			if outcome != newsletter.ReportIgnored && outcome != newsletter.ReportUnsubscribed {
				if got.Subscriber != 7 || got.Issue != 2 {
					t.Errorf("it names %d in issue %d", got.Subscriber, got.Issue)
				}
				if again, err := r.Take(t.Context(), "", raw[name], "imap"); err != nil || again.Outcome != newsletter.ReportTwice {
					t.Errorf("once more: %+v, %v", again, err)
				}
			}
			sub, err := db.Subscriber(t.Context(), 7)
			expect := newsletter.SubscriberActive
			if s, ok := status[outcome]; ok {
				expect = s
			}
			if err != nil || sub.Status != expect {
				t.Errorf("status %s, %v, want %s", sub.Status, err, expect)
			}
		})
	}
}

// Without a token an address counts only with a Message-ID that was made for it.
func TestReportByMessageID(t *testing.T) {
	t.Parallel()
	_, raw := corpus(t)
	text := string(raw["exchange"])
	token := tokens.SignBounce(7, 2)
	text = strings.ReplaceAll(strings.ReplaceAll(text, "+"+token, ""), tokens.Sign(7, 2), "x")
	for name, tt := range map[string]struct {
		text string
		want newsletter.ReportOutcome
	}{
		"ours":           {text, newsletter.ReportBounced},
		"of another one": {strings.ReplaceAll(text, "jo@example.net", "p1@example.org"), newsletter.ReportIgnored},
		"forged":         {strings.ReplaceAll(text, "<gzmy", "<gzmz"), newsletter.ReportIgnored},
		"none":           {strings.ReplaceAll(text, "Message-ID: <gzmy", "X: <gzmy"), newsletter.ReportIgnored},
	} {
		t.Run(name, func(t *testing.T) {
			r, db := reportsOf(t, tokens)
			publishTwo(t, db)
			if got, err := r.Take(t.Context(), "", []byte(tt.text), "imap"); err != nil || got.Outcome != tt.want {
				t.Errorf("%+v, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// What a provider tells is believed by its address, and counts for the last
// issue that was sent.
// looks counts how often issues are gone through.
type looks struct {
	audience.ReportStore
	n int
}

func (l *looks) LastIssue(ctx context.Context) (int64, error) {
	l.n++
	return l.ReportStore.LastIssue(ctx)
}

// A report about somebody takes as long whether they are on the list or not, and
// no longer for saying so often.
func TestReportsTellNobody(t *testing.T) {
	t.Parallel()
	_, db := reportsOf(t, tokens)
	for _, address := range []string{"jo@example.net", "nobody@example.net"} {
		store := &looks{ReportStore: db}
		r := audience.NewReports(audience.ReportOptions{Store: store, Tokens: tokens, MessageIDKey: idKey, Log: slog.New(slog.DiscardHandler)})
		text := "From: MAILER-DAEMON@example.net\nContent-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; x\n\n" +
			strings.Repeat("Final-Recipient: rfc822; "+address+"\nAction: failed\nStatus: 5.1.1\n\n", 40) +
			"--b\nContent-Type: message/rfc822\n\nMessage-ID: <abc@example.com>\n\n--b--\n"
		if got, err := r.Take(t.Context(), "", []byte(text), "smtp"); err != nil || got.Outcome != newsletter.ReportIgnored || store.n != 1 {
			t.Errorf("%s: %+v, %v after %d looks", address, got, err, store.n)
		}
	}
}

func TestReportTold(t *testing.T) {
	t.Parallel()
	r, _ := reportsOf(t, tokens)
	report := mail.Report{Kind: newsletter.ReportBounce, ID: "1", Recipients: []mail.Reported{{Address: "Jo@Example.net", Action: "failed", Status: "5.2.2"}}}
	for _, want := range []newsletter.ReportOutcome{newsletter.ReportCounted, newsletter.ReportTwice} {
		if got, err := r.Told(t.Context(), report, "ses"); err != nil || got.Outcome != want || got.Subscriber != 7 {
			t.Errorf("%+v, %v, want %s", got, err, want)
		}
	}
	report.Recipients[0].Address = "nobody@example.net"
	if got, err := r.Told(t.Context(), report, "ses"); err != nil || got.Outcome != newsletter.ReportIgnored {
		t.Errorf("%+v, %v", got, err)
	}
}

// The envelope names the delivery of a report that says nothing of it, in
// whatever case.
func TestReportByEnvelope(t *testing.T) {
	t.Parallel()
	r, _ := reportsOf(t, tokens)
	raw := "From: MAILER-DAEMON@example.net\nSubject: failure notice\n\nHi. This is the qmail-send program at example.net.\n\n<x@example.net>:\n550 no such user (#5.1.1)\n"
	to := "BOUNCE+" + strings.ToUpper(tokens.SignBounce(7, 2)) + "@EXAMPLE.COM"
	if got, err := r.Take(t.Context(), to, []byte(raw), "smtp"); err != nil || got.Outcome != newsletter.ReportBounced || got.Subscriber != 7 || got.Issue != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// 10,000 broken mails of another list change nobody.
func TestReportsMutated(t *testing.T) {
	t.Parallel()
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	other := audience.NewTokens(audience.Key{ID: 1, Secret: bytes.Repeat([]byte{2}, 32)})
	r, db := reportsOf(t, other)
	before := list(t, db)
	names, raw := corpus(t)
	random := rand.New(rand.NewPCG(3, 4))
	for range n {
		b := slices.Clone(raw[names[random.IntN(len(names))]])
		for range 1 + random.IntN(6) {
			at := random.IntN(len(b))
			switch random.IntN(4) {
			case 0:
				b[at] = byte(random.Uint32())
			case 1:
				b = append(b[:at:at], b[min(len(b), at+random.IntN(100)):]...)
			case 2:
				b = slices.Insert(b, at, b[:random.IntN(min(len(b), 300))]...)
			case 3:
				for i := range min(40, len(b)-at) {
					b[at+i] = byte(random.Uint32())
				}
			}
			b = append(b, '\n')
		}
		if got, err := r.Take(t.Context(), "", b, "smtp"); err != nil || got.Outcome != newsletter.ReportIgnored {
			t.Fatalf("%+v, %v of:\n%s", got, err, b)
		}
	}
	if after := list(t, db); !slices.Equal(before, after) {
		t.Errorf("%v became %v", before, after)
	}
}

func TestUnsubscribeToken(t *testing.T) {
	t.Parallel()
	token := tokens.Sign(7, 2)
	for subject, want := range map[string]bool{
		"unsubscribe " + token: true, "  UNSUBSCRIBE  " + token + " ": true, "Unsubscribe%20" + token: true, "unsubscribe: " + token: true,
		"Re: unsubscribe " + token: false, "unsubscribe": false, "unsubscribe " + token + " please": false, "please unsubscribe " + token: false,
	} {
		if got, ok := audience.UnsubscribeToken(subject); ok != want || ok && got != token {
			t.Errorf("%q: %q, %v", subject, got, ok)
		}
	}
	if got, ok := audience.UnsubscribeToken("", "jo@example.com", "<unsubscribe+"+token+"@example.com>"); !ok || got != token {
		t.Errorf("%q, %v", got, ok)
	}
}

func TestReportsAccept(t *testing.T) {
	t.Parallel()
	r, _ := reportsOf(t, tokens)
	bounce, confirm := tokens.SignBounce(7, 2), tokens.SignFor(audience.PurposeConfirm, 7, 1)
	for address, want := range map[string]bool{
		"bounce+" + bounce + "@example.com": true, "jo+" + strings.ToUpper(bounce) + "@example.com": true,
		"confirm+" + confirm + "@example.com": true, "jo+confirm-" + confirm + "@example.com": true,
		"unsubscribe+" + tokens.Sign(7, 2) + "@example.com": true,
		"bounce@example.com": false, "bounce+" + bounce[1:] + "a@example.com": false, "bounce+" + confirm + "@example.com": false,
		"confirm+" + bounce + "@example.com": true, // a token of ours all the same
		"":                                   false, "unsubscribe+aaaaaaaaaaaaaaaaaaaaaaaa@example.com": false,
	} {
		if got := r.Accepts(address); got != want {
			t.Errorf("%q: %v", address, got)
		}
	}
}

// FuzzVerifyBounce reads tokens that anybody can write to us.
func FuzzVerifyBounce(f *testing.F) {
	f.Add(tokens.SignBounce(7, 2))
	f.Add(tokens.Sign(7, 2))
	f.Add("")
	f.Fuzz(func(t *testing.T, token string) {
		subscriber, issue, err := tokens.VerifyBounce(token)
		if err == nil && !strings.EqualFold(tokens.SignBounce(subscriber, issue), token) {
			t.Errorf("%q is taken for one of %d, %d", token, subscriber, issue)
		}
	})
}
