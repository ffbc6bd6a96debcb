package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

var mailAddress = regexp.MustCompile(`mail server for reports" address=(\S+)`)

const deadReport = `From: MAILER-DAEMON@mx.example.org
To: %[1]s
Subject: failure notice
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Final-Recipient: rfc822; x@example.org
Action: failed
Status: %[2]s

--b--
`

// A reader whose mail comes back is off the list, whichever way the report
// takes.
func TestBouncesComeIn(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 1, 4, "")
	p.edit(`listen: "off"`, `listen: "127.0.0.1:0"`)
	p.edit("mail: {", `mail: {webhooks: {postmark: 0123456789abcdef}, bounce: {mode: verp, domain: bounces.example.com, listen: "127.0.0.1:0", maildir: box}, `)
	s := p.store()
	keys, err := s.Keys(t.Context(), store.KeyTokens)
	if err != nil {
		t.Fatal(err)
	}
	if r := p.publish(); r.Sent != 4 {
		t.Fatal(r)
	}
	back := func(i int) string {
		sub, err := s.SubscriberByKey(t.Context(), reader(i))
		if err != nil {
			t.Fatal(err)
		}
		return "bounce+" + audience.NewTokens(audience.Key(keys[0])).SignBounce(sub.ID, 1) + "@bounces.example.com"
	}

	pipe := p.command("bounce", "--to", back(0))
	pipe.Stdin = strings.NewReader(fmt.Sprintf(deadReport, "root@localhost", "5.1.1"))
	if out, err := pipe.CombinedOutput(); err != nil || !strings.Contains(string(out), "bounce: bounced (dead)") {
		t.Errorf("bounce: %v\n%s", err, out)
	}
	p.write("box/new/1", fmt.Sprintf(deadReport, back(1), "5.1.1"))
	p.write("box/new/2", "From: jo@example.com\nSubject: hello\n\nNot yours.\n")
	d := p.startDaemon()
	c, err := smtp.Dial(d.reports)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, status := range []string{"5.2.2", "5.7.1"} {
		if err := c.SendMail("", []string{back(2)}, strings.NewReader(fmt.Sprintf(deadReport, "x", status))); err != nil {
			t.Error(err)
		}
	}
	if err := c.SendMail("", []string{"bounce+aaaaaaaaaaaaaaaaaaaaa@bounces.example.com"}, strings.NewReader("A: b\r\n\r\n")); err == nil {
		t.Error("mail to an address with a forged token is taken")
	}
	hook := strings.Replace(d.web, "http://", "http://threadmill:0123456789abcdef@", 1) + "webhooks/postmark"
	complaint := `{"RecordType": "SpamComplaint", "ID": 1, "Email": "` + reader(3) + `"}`
	if res, err := http.Post(hook, "application/json", strings.NewReader(complaint)); err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusNoContent {
		t.Errorf("webhook: %+v, %v", res, err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); ; <-tick.C { // the folder is read as the daemon begins
		sub, err := s.SubscriberByKey(t.Context(), reader(1))
		if err != nil || sub.Status == newsletter.SubscriberBounced {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the folder is not read")
		}
	}
	d.stop()
	for i, want := range []newsletter.SubscriberStatus{newsletter.SubscriberBounced, newsletter.SubscriberBounced, newsletter.SubscriberActive, newsletter.SubscriberComplained} {
		if sub, err := s.SubscriberByKey(t.Context(), reader(i)); err != nil || sub.Status != want {
			t.Errorf("reader %d is %s, %v, want %s", i, sub.Status, err, want)
		}
	}
	if p.read("box/new/2") == "" || p.read("box/cur/1:2,S") == "" {
		t.Error("the folder is not as it should be")
	}
	var rows []issueRow
	if err := json.Unmarshal([]byte(p.run("issues", "--json")), &rows); err != nil || rows[0].Bounced != 3 || rows[0].Complained != 1 || rows[0].Sent != 4 {
		t.Errorf("issues: %+v, %v", rows, err)
	}
}

// A pipe ends with 0 for whatever it gets, and with 75 where nothing can be
// kept, so that no mail server answers it with a bounce.
func TestBouncePipeStatus(t *testing.T) {
	t.Parallel()
	p := newPlace(t, newRelay(t), 0, 0, "")
	for _, text := range []string{"", "\x00\xff", "From: jo@example.com\n\nHello.\n", fmt.Sprintf(deadReport, "x@example.com", "5.1.1")} {
		pipe := p.command("bounce")
		pipe.Stdin = strings.NewReader(text)
		if out, err := pipe.CombinedOutput(); err != nil || !strings.Contains(string(out), "ignored") {
			t.Errorf("%q: %v\n%s", text, err, out)
		}
	}
	p.edit("title: Test", "titel: Test")
	pipe := p.command("bounce")
	pipe.Stdin = strings.NewReader("From: jo@example.com\n\nHello.\n")
	out, err := pipe.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 75 {
		t.Errorf("with a broken config: %v\n%s", err, out)
	}
}
