package main

import (
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// wantText fails where text lacks one of the parts.
func wantText(t *testing.T, what, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s lacks %q:\n%s", what, part, text)
		}
	}
}

// tell calls the program, whatever its exit status, and returns all it says.
func (p place) tell(args ...string) string {
	p.t.Helper()
	out, err := p.command(args...).CombinedOutput()
	if len(out) == 0 {
		p.t.Fatalf("threadmill %s says nothing: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// Addresses that do not exist leave the list, which publish says; retry cannot
// help them before they are added again.
func TestRetryBounced(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		r.answer(func(to string) error {
			switch to {
			case "reader0003@example.org", "reader0007@example.org":
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
			case "reader0009@example.org":
				return &smtp.SMTPError{Code: 552, EnhancedCode: smtp.EnhancedCode{5, 3, 4}, Message: "too big"}
			}
			return nil
		})
		p := newPlace(t, r, 1, 20, database)
		wantText(t, "publish", p.tell("publish", "--now"),
			"20 recipients, 17 sent.\n3 failed.\n2 addresses do not exist and are off the list now (bounced).\n")
		wantText(t, "retry", p.run("retry", "1"), "Issue 1: 1 of 3 will be tried again by `threadmill run` or `threadmill publish`; "+
			"the others cannot: the relay said that 2 addresses do not exist, and they are off the list as bounced.\n")
		r.answer(nil)
		p.tell("publish")
		wantText(t, "retry", p.run("retry", "1"), "Issue 1: none of 2 can be tried again: the relay said that 2 addresses do not exist")
		wantText(t, "add", p.run("subscribers", "add", "reader0003@example.org"),
			"is bounced and stays so; if it is good now: `threadmill subscribers add --again reader0003@example.org`")
		wantText(t, "add --again", p.run("subscribers", "add", "--again", "reader0003@example.org", "reader0007@example.org"),
			"reader0003@example.org: added\nreader0007@example.org: added\n")
		wantText(t, "retry", p.run("retry", "1"), "Issue 1: 2 deliveries will be tried again by")
		p.run("publish")
		wantText(t, "retry", p.run("retry", "1"), "Issue 1: nothing has failed")
		if n := len(r.accepted()); n != 20 {
			t.Errorf("%d messages, want 20", n)
		}
	})
}

// Doubts are counted by issue, wherever they are told.
func TestDoubts(t *testing.T) {
	onEach(t, func(t *testing.T, database string) {
		r := newRelay(t)
		r.drop = func(to string) bool { return strings.HasSuffix(to, "1@example.org") }
		p := newPlace(t, r, 2, 12, "delivery: {in_doubt: hold}"+database)
		const first = "2 in doubt, of issue 1: `threadmill resolve 1 --resend` or `--skip`"
		wantText(t, "publish", p.tell("publish", "--now"), first)
		wantText(t, "status", p.tell("status"), first+" (in_doubt)",
			"Unsettled     issue 1, “Part 0”: 10 of 12 sent, 2 in doubt; settle it with `threadmill resolve 1 --resend` or `--skip`")
		wantText(t, "issues show", p.run("issues", "show", "1"), "In doubt", first)
		wantText(t, "issues", p.run("issues"), "unsettled")
		const both = "4 in doubt, of issues 1 (2), 2 (2): `threadmill resolve 1 --resend` or `--skip`, and so on for each"
		wantText(t, "publish", p.tell("publish", "--now"), both)
		wantText(t, "resolve", p.run("resolve", "1", "--skip"), "Issue 1: 2 deliveries taken as sent.")
		wantText(t, "resolve", p.run("resolve", "1", "--skip"), "Issue 1: there is nothing to settle")
		wantText(t, "publish", p.tell("publish"), "2 in doubt, of issue 2: `threadmill resolve 2 --resend` or `--skip`")
	})
}

func TestSlotText(t *testing.T) {
	for key, want := range map[string]string{
		"2026-03-09T09:00[Europe/London]":          "Monday 9 March 2026 09:00 GMT",
		"2026-11-01T01:30-04:00[America/New_York]": "Sunday 1 November 2026 05:30 GMT",
		"2026-11-01T01:30:10+00:00[UTC]":           "Sunday 1 November 2026 01:30:10 GMT",
		"@every 1m30s/1762000020":                  "Saturday 1 November 2025 12:27 GMT",
		"something else":                           "something else",
	} {
		zone, err := time.LoadLocation("Europe/London")
		if err != nil {
			t.Fatal(err)
		}
		if got := slotText(key, zone); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}
