//go:build unix

package mail_test

import (
	"bytes"
	"flag"
	"io"
	netmail "net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"
	"github.com/google/go-cmp/cmp"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

var keep = flag.Bool("keep-reports", false, "write the reports of Postfix to testdata/dsn")

// recipients, with the subscriber's number that stands in their envelope.
var people = map[string]int64{"reader@example.com": 7, "gone@refused.example": 8, "full@deferred.example": 9, "full@example.com": 10}

const issueNumber = 12

// deliver sends an issue to everybody over one connection, each with an
// envelope sender of its own, the envelopes ahead of their turn.
func deliver(t *testing.T, p *post) (mail.Letter, mail.ReturnPath) {
	t.Helper()
	slots := mail.NewSlots()
	l := mail.Letter{
		From:    netmail.Address{Name: "Jörg's Letters", Address: "news@example.com"},
		ReplyTo: netmail.Address{Address: "answers@example.com"},
		Subject: "Moving a shed — and a rope",
		Text:    "First post — the hook.\n.hidden\n\nUnsubscribe: " + slots.UnsubscribeURL + "\n",
		HTML:    "<p>First post — the hook.</p>\n<p><a href=\"" + slots.UnsubscribeURL + "\">Unsubscribe</a></p>\n",
		ListID:  "Letters <newsletter.example.com>", Archive: "https://example.com/",
		UnsubscribeMailto: "answers@example.com", OneClick: true,
		FeedbackID: mail.FeedbackID(issueNumber, "en", "example.com"),
	}
	letter, err := mail.Compose(l, slots)
	if err != nil {
		t.Fatal(err)
	}
	path, err := mail.Tokened("bounce@example.com")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := p.transport().Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tokens := bounceTokens(1)
	var copies []*mail.Copy
	var envelopes []mail.Envelope
	for _, to := range []string{"reader@example.com", "gone@refused.example", "full@deferred.example", "full@example.com"} {
		copies = append(copies, &mail.Copy{Template: letter, Recipient: mail.Recipient{
			Email: to, Name: "Reader", MessageID: mail.MessageID([]byte("key"), issueNumber, people[to], "example.com"),
			UnsubscribeURL: "https://example.com/unsubscribe/k", UnsubscribeToken: "k",
			Date: time.Date(2026, time.December, 7, 9, 0, 0, 0, time.UTC),
		}})
		envelopes = append(envelopes, mail.Envelope{From: path.For(tokens.SignBounce(people[to], issueNumber)), To: to})
	}
	begun := conn.Begin(t.Context(), envelopes[0])
	for i := range copies {
		var next *mail.Envelope
		if i+1 < len(envelopes) {
			next = &envelopes[i+1]
		}
		if begun != nil {
			t.Fatalf("begin %s: %v", envelopes[i].To, begun)
		}
		var sent error
		if sent, begun = conn.Send(t.Context(), copies[i], next); sent != nil {
			t.Fatalf("send to %s: %v", envelopes[i].To, sent)
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	return l, path
}

// An issue goes through a real relay into a real mailbox, whole; who answers
// reaches the author, and what comes back from elsewhere names its delivery.
func TestPostfixAndDovecot(t *testing.T) {
	p := startPost(t)
	letter, path := deliver(t, p)
	received(t, p.fetch(t, "reader", 1), letter, path)
	answer(t, p, path)

	reports := map[string]string{}
	for n := 1; len(reports) < 5; n++ {
		raw := p.fetch(t, "bounce", n)
		kind, to := report(t, raw, path)
		reports[kind] = to
		if *keep {
			write(t, kind, sanitised(raw))
		}
	}
	want := map[string]string{
		"failed": "gone@refused.example", "full": "full@example.com", "delayed": "full@deferred.example",
		"expired": "full@deferred.example", "vacation": "reader@example.com",
	}
	if diff := cmp.Diff(want, reports); diff != "" {
		t.Errorf("what came back (-want +got):\n%s", diff)
	}
}

// received holds what a reader has against what was sent.
func received(t *testing.T, raw []byte, letter mail.Letter, path mail.ReturnPath) {
	t.Helper()
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"From": "Jörg's Letters <news@example.com>", "To": `"Reader" <reader@example.com>`, "Reply-To": "answers@example.com",
		"Subject": letter.Subject, "Date": "Mon, 07 Dec 2026 09:00:00 +0000",
		"Message-Id":       mail.MessageID([]byte("key"), issueNumber, 7, "example.com"),
		"List-Id":          `"Letters" <newsletter.example.com>`,
		"List-Unsubscribe": "<https://example.com/unsubscribe/k>, <mailto:answers@example.com?subject=unsubscribe%20k>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"List-Archive": "<https://example.com/>", "Feedback-Id": letter.FeedbackID, "Precedence": "bulk", "Auto-Submitted": "",
		"Return-Path": "<" + path.For(bounceTokens(1).SignBounce(7, issueNumber)) + ">", "User-Agent": "", "X-Mailer": "",
	} {
		if got, err := e.Header.Text(name); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if trace := e.Header.Get("Received"); !strings.Contains(trace, "ESMTPSA") { // RFC 3848: with TLS and AUTH
		t.Errorf("it came without TLS or AUTH: %s", trace)
	}
	parts := map[string]string{}
	if err := e.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil || part.MultipartReader() != nil {
			return err
		}
		kind, _, _ := part.Header.ContentType()
		body, err := io.ReadAll(part.Body)
		parts[kind] = strings.ReplaceAll(string(body), "\r\n", "\n")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	const url = "https://example.com/unsubscribe/k"
	want := map[string]string{
		"text/plain": "First post — the hook.\n.hidden\n\nUnsubscribe: " + url + "\n",
		"text/html":  "<p>First post — the hook.</p>\n<p><a href=\"" + url + "\">Unsubscribe</a></p>\n",
	}
	if diff := cmp.Diff(want, parts); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

// answer has the reader answer, and be away: a person answers to Reply-To, a
// program to the envelope sender (RFC 3834, section 4).
func answer(t *testing.T, p *post, path mail.ReturnPath) {
	t.Helper()
	conn, err := p.transport().Dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	head := "From: reader@example.com\r\nSubject: Re: Moving a shed\r\nDate: Mon, 07 Dec 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
	away := path.For(bounceTokens(1).SignBounce(7, issueNumber))
	for _, m := range []mail.Message{
		{From: "reader@example.com", To: "answers@example.com", Data: []byte(head + "To: answers@example.com\r\nMessage-ID: <1@example.com>\r\n\r\nThank you!\r\n")},
		{From: "", To: strings.ToUpper(away), Data: []byte(head + "To: " + away + "\r\nMessage-ID: <2@example.com>\r\nAuto-Submitted: auto-replied (vacation)\r\n\r\nI am away.\r\n")},
	} {
		if err := mail.Deliver(t.Context(), conn, m); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
	if raw := p.fetch(t, "answers", 1); !bytes.Contains(raw, []byte("Thank you!")) {
		t.Errorf("the answer is not in the author's mailbox: %s", raw)
	}
}

// report tells what came to the address of a delivery: what kind it is, and
// whose delivery it is about.
func report(t *testing.T, raw []byte, path mail.ReturnPath) (kind, to string) {
	t.Helper()
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	token, ok := path.Token(m.Header.Get("Delivered-To"))
	subscriber, issue, err := bounceTokens(1).VerifyBounce(token)
	if !ok || err != nil || issue != issueNumber {
		t.Errorf("it came to %q, which names %d, %d (%v)", m.Header.Get("Delivered-To"), subscriber, issue, err)
	}
	for address, number := range people {
		if number == subscriber {
			to = address
		}
	}
	r, err := mail.ReadReport(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(r.Tokens, token) {
		t.Errorf("the tokens are %q, not %q", r.Tokens, token)
	}
	switch r.Kind {
	case newsletter.ReportAutomatic:
		return "vacation", to
	case newsletter.ReportDelay:
		return "delayed", to
	case newsletter.ReportBounce:
		return named[r.Recipients[0].Class()+" "+newsletter.Bounce(r.Recipients[0].Status)], to
	}
	t.Errorf("it is no report:\n%s", raw)
	return "", to
}

// named are the files of bounces, by what they say.
var named = map[newsletter.Bounce]string{"dead 5.1.1": "failed", "full 5.2.2": "full", "full 4.2.2": "expired"}

var moving = regexp.MustCompile(`127\.0\.0\.1:\d+|\[127\.0\.0\.1\]:\d+`)

var folder = regexp.MustCompile(`/\S*/post\d+/mail/`)

// sanitised is a report without what is of this run or machine.
func sanitised(raw []byte) []byte {
	return folder.ReplaceAll(moving.ReplaceAll(raw, []byte("127.0.0.1:25")), []byte("/var/mail/"))
}

func write(t *testing.T, kind string, raw []byte) {
	t.Helper()
	if host, err := os.Hostname(); err == nil && host != "" && regexp.MustCompile(`\b`+regexp.QuoteMeta(host)+`\b`).Match(raw) {
		t.Errorf("%s names this machine", kind)
	}
	dir := filepath.Join("testdata", "dsn")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, kind+".eml"), raw, 0o644); err != nil {
		t.Fatal(err)
	}
}
