package mail_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"threadmill/internal/mail"
)

const trusted = "Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=example.com;\r\n dkim=pass header.d=example.com; dmarc=pass\r\n"

// arrived is a signed issue as a reader has it, and how to look at it.
func arrived(t testing.TB) (string, mail.Inspection) {
	t.Helper()
	slots := mail.NewSlots()
	letter, err := mail.Compose(mail.Letter{
		From: netmail.Address{Address: "news@example.com"}, Subject: "Moving a shed", ListID: "newsletter.example.com",
		Text:    "Read on: https://example.com/threads/shed/\nhttps://rope.example/knots\n" + slots.UnsubscribeURL + "\n",
		HTML:    `<a href="https://example.com/threads/shed/">Read on</a>` + "\n" + `<a href="https://rope.example/knots">knots</a>` + "\n" + `<img src="https://example.com/a.png" alt="">` + "\n" + `<a href="` + slots.UnsubscribeURL + `">Leave</a>`,
		Archive: "https://example.com/", OneClick: true, FeedbackID: mail.FeedbackID(1, "en", "example.com"),
	}, slots)
	if err != nil {
		t.Fatal(err)
	}
	raw := letter.Append(nil, mail.Recipient{
		Email: "reader@example.net", MessageID: mail.MessageID([]byte("key"), 1, 1, "example.com"),
		UnsubscribeURL: "https://example.com/unsubscribe/k", UnsubscribeToken: "k", Date: time.Now(),
	})
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	var signed bytes.Buffer
	if err := dkim.Sign(&signed, bytes.NewReader(raw), &dkim.SignOptions{Domain: "example.com", Selector: "a", Signer: key}); err != nil {
		t.Fatal(err)
	}
	record := "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	in := mail.Inspection{From: "news@example.com", Hosts: []string{"example.com"}, LookupTXT: func(domain string) ([]string, error) {
		if domain == "a._domainkey.example.com" {
			return []string{record}, nil
		}
		return nil, errors.New("no such domain")
	}}
	return "Return-Path: <bounce+abc@post.example.com>\r\n" + trusted + signed.String(), in
}

func TestInspect(t *testing.T) {
	good, in := arrived(t)
	swap := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(good) }
	for name, test := range map[string]struct {
		source string
		want   []string // of what was changed
	}{
		"as it was sent":           {good, nil},
		"saved with other lines":   {strings.ReplaceAll(good, "\r\n", "\n"), nil},
		"Message-ID replaced":      {swap("Message-ID: <", "Message-ID: <0100-ses"), []string{"Message-ID is", "does not hold", "no DKIM signature that holds"}},
		"Return-Path replaced":     {swap("bounce+abc@post.example.com", "0100@eu-west-1.amazonses.com"), []string{`Return-Path is at "eu-west-1.amazonses.com"`}},
		"no Return-Path":           {swap("Return-Path: <bounce+abc@post.example.com>\r\n", ""), []string{"there is no Return-Path"}},
		"links rewritten":          {swap(`href=3D"https://rope.example/knots"`, `href=3D"https://click.example.net/x"`), []string{`links go to "click.example.net"`, "does not hold", "no DKIM"}},
		"pixel added":              {swap("Leave</a>", `Leave</a><img src=3D"https://open.example.net/o" width=3D1 alt=3D"">`), []string{`a picture that nobody sees comes from "open.example.net"`, "does not hold", "no DKIM"}},
		"unsubscribing taken over": {swap("<https://example.com/unsubscribe/k>", "<https://leave.example.net/k>"), []string{"List-Unsubscribe is", "does not hold", "no DKIM"}},
		"one-click dropped":        {swap("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", ""), []string{"List-Unsubscribe-Post is missing", "does not hold", "no DKIM"}},
		"Feedback-ID dropped":      {swap("Feedback-ID: 1:newsletter:en:examplecom\r\n", ""), []string{"dropped: Feedback-ID", "does not hold", "no DKIM"}},
		"not signed":               {good[strings.Index(good, "From:"):], []string{"there is no Return-Path", "there is no DKIM signature", "the receiver names no"}},
		"another's signature":      {swap("d=example.com", "d=relay.example"), []string{"is not in DNS", "no DKIM signature that holds"}},
		"a whole country's":        {swap("d=example.com", "d=com"), []string{`of "com" is not in DNS`, "no DKIM signature that holds"}},
		"SPF fails":                {swap("spf=pass", "spf=softfail"), []string{"the receiver says: SPF softfail"}},
	} {
		found, err := in.Inspect(strings.NewReader(test.source))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var changed []string
		for _, f := range found {
			if strings.Contains(f.String(), "\n") || !f.Good && (f.Why == "" || f.Do == "") {
				t.Errorf("%s: %q is no line that says what, why and what to do", name, f)
			}
			if !f.Good {
				changed = append(changed, f.What)
			}
		}
		matches := len(changed) == len(test.want)
		for i := range min(len(changed), len(test.want)) {
			matches = matches && strings.Contains(changed[i], test.want[i])
		}
		if !matches {
			t.Errorf("%s: found %q, want %q", name, changed, test.want)
		}
	}
}

func TestInspectNoMail(t *testing.T) {
	in := mail.Inspection{From: "news@example.com"}
	for name, source := range map[string]string{"empty": "", "text": "Dear reader,\n", "no sender": "Subject: x\r\n\r\nx\r\n"} {
		if found, err := in.Inspect(strings.NewReader(source)); err == nil {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// FuzzInspect reads files that anybody may have written.
func FuzzInspect(f *testing.F) {
	good, in := arrived(f)
	f.Add([]byte(good))
	files, _ := filepath.Glob("testdata/dsn/*.eml")
	for _, file := range append(files, "testdata/issue.eml") {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		found, err := in.Inspect(bytes.NewReader(raw))
		if err == nil && len(found) == 0 {
			t.Error("nothing was found")
		}
		for _, finding := range found {
			if s := finding.String(); strings.ContainsAny(s, "\r\n\x1b") || len(s) > 2000 {
				t.Errorf("a line that is none, or long: %.200q", s)
			}
		}
	})
}

// A mail of parts within parts is looked at as far as real ones go.
func TestInspectNested(t *testing.T) {
	t.Parallel()
	var source strings.Builder
	source.WriteString("From: news@example.com\r\nSubject: Parts\r\n")
	for i := range 2000 {
		fmt.Fprintf(&source, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	source.WriteString("Content-Type: text/html\r\n\r\n<img src=\"https://open.example.net/o\" width=1>\r\n")
	_, in := arrived(t)
	found, err := in.Inspect(strings.NewReader(source.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if strings.Contains(f.What, "open.example.net") {
			t.Errorf("read to the bottom: %+v", f)
		}
	}
}
