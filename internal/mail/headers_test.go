package mail

import (
	"bytes"
	"mime"
	netmail "net/mail"
	"regexp"
	"strings"
	"testing"
)

// headers are those of a composed copy, unfolded, and its raw header section.
func headers(t *testing.T, l Letter) (netmail.Header, string) {
	t.Helper()
	raw := compose(t, l, marks).Append(nil, recipient)
	m, err := netmail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
	return m.Header, head
}

// Every header that an issue promises is there once, and none that only an
// automatic answer has, or that names who made the program.
func TestHeadersOfAnIssue(t *testing.T) {
	h, raw := headers(t, letter(marks))
	for _, name := range []string{
		"From", "To", "Subject", "Date", "Message-Id", "Reply-To", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post",
		"List-Archive", "Feedback-Id", "Precedence", "Mime-Version", "Content-Type",
	} {
		if len(h[name]) != 1 || h[name][0] == "" {
			t.Errorf("%s: %q", name, h[name])
		}
	}
	for _, name := range []string{"Auto-Submitted", "User-Agent", "X-Mailer", "Sender", "Return-Path", "Bcc", "Cc"} {
		if h[name] != nil {
			t.Errorf("%s: %q", name, h[name])
		}
	}
	if maker := regexp.MustCompile(`(?i)go-?mail|wneessen|golang`).FindString(raw); maker != "" {
		t.Errorf("the header advertises %q", maker)
	}
}

// Yahoo refused folded subjects with more than one encoded word; a short text
// needs one.
func TestOneEncodedWord(t *testing.T) {
	for _, subject := range []string{"Grüße", "Moving a shed — and a rope", "小屋を動かす話", "Причал", "سقيفة الحديقة", strings.Repeat("ü", 16)} {
		l := letter(marks)
		l.Subject, l.From.Name = subject, subject
		h, raw := headers(t, l)
		if n := strings.Count(h.Get("Subject"), "=?utf-8?"); n != 1 {
			t.Errorf("the subject %q has %d encoded words: %s", subject, n, h.Get("Subject"))
		}
		if n := strings.Count(h.Get("From"), "=?utf-8?"); n != 1 {
			t.Errorf("the name %q has %d encoded words: %s", subject, n, h.Get("From"))
		}
		for line := range strings.SplitSeq(raw, "\r\n") {
			if len(line) > 78 {
				t.Errorf("a line of %d octets: %s", len(line), line)
			}
		}
		if got, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject")); err != nil || got != subject {
			t.Errorf("%q is read as %q, %v", subject, got, err)
		}
	}
}

func TestFeedbackID(t *testing.T) {
	form := regexp.MustCompile(`^12:newsletter:[a-z-]*:[a-z0-9]{5,15}$`)
	seen := map[string]string{}
	for _, host := range []string{
		"example.com", "letters.example.org", "a.io", "x", "", "127.0.0.1", "xn--bcher-kva.example", "日本.example",
		"a-very-long-name-of-a-host.example.com", "a-very-long-name-of-another.example.com", "www.repairs.example",
	} {
		id := FeedbackID(12, "en-GB", host)
		if !form.MatchString(id) || id != FeedbackID(12, "en-GB", strings.ToUpper(host)) {
			t.Errorf("%s: %s", host, id)
		}
		if other, twice := seen[id]; twice {
			t.Errorf("%s and %s have the same sender: %s", host, other, id)
		}
		seen[id] = host
		l := letter(marks)
		l.FeedbackID = id
		if h, _ := headers(t, l); h.Get("Feedback-Id") != id {
			t.Errorf("the header says %q, want %q", h.Get("Feedback-Id"), id)
		}
	}
	for _, wrong := range []string{"a:b:c", "a:b:c:abcd", "a:b:c:d:abcde", "a:b:c:" + strings.Repeat("a", 16), "a b:c:d:abcde", "a:b:c:abcde\r\nX: y", ":::äbcde"} {
		l := letter(marks)
		l.FeedbackID = wrong
		if _, err := Compose(l, marks); err == nil {
			t.Errorf("%q is taken for a Feedback-ID", wrong)
		}
	}
}

// A publication may say for itself how automatic answers are kept away.
func TestPrecedence(t *testing.T) {
	l := letter(marks)
	l.Headers = map[string]string{"precedence": "list"}
	if h, _ := headers(t, l); len(h["Precedence"]) != 1 || h.Get("Precedence") != "list" {
		t.Errorf("Precedence: %q", h["Precedence"])
	}
	if h, _ := headers(t, Letter{From: netmail.Address{Address: "ada@example.org"}, Subject: "Confirm", Text: "Hello"}); h["Precedence"] != nil {
		t.Errorf("a mail to one person has Precedence: %q", h["Precedence"])
	}
}
