package config_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/config"
)

func TestProviders(t *testing.T) {
	for _, test := range []struct {
		mail  string
		host  string
		port  int
		tls   string
		daily int
	}{
		{"{provider: ses, region: eu-west-1}", "email-smtp.eu-west-1.amazonaws.com", 587, "mandatory", 0},
		{"{provider: postmark}", "smtp-broadcasts.postmarkapp.com", 587, "mandatory", 0},
		{"{provider: mailgun}", "smtp.mailgun.org", 587, "mandatory", 0},
		{"{provider: mailgun, region: eu}", "smtp.eu.mailgun.org", 587, "mandatory", 0},
		{"{provider: sendgrid}", "smtp.sendgrid.net", 587, "mandatory", 0},
		{"{provider: brevo}", "smtp-relay.brevo.com", 465, "implicit", 0},
		{"{provider: mailjet}", "in-v3.mailjet.com", 587, "mandatory", 0},
		{"{provider: fastmail}", "smtp.fastmail.com", 465, "implicit", 0},
		{"{provider: gmail}", "smtp.gmail.com", 465, "implicit", 500},
		{"{provider: local}", "localhost", 25, "none", 0},
		// What the file gives wins.
		{"{provider: gmail, daily: 2000, smtp: {host: smtp-relay.gmail.com, tls: mandatory}}", "smtp-relay.gmail.com", 587, "mandatory", 2000},
		{"{provider: ses, smtp: {host: email-smtp.us-east-1.amazonaws.com, port: 2587}}", "email-smtp.us-east-1.amazonaws.com", 2587, "mandatory", 0},
		{"{provider: gmail, daily: 0, smtp: {port: 2465}}", "smtp.gmail.com", 2465, "implicit", 0},
	} {
		c := load(t, site+"mail: "+test.mail+"\n")
		s := c.Mail.SMTP
		if s.Host != test.host || s.Port != test.port || s.TLS != test.tls || c.Mail.Daily != test.daily {
			t.Errorf("%s gives %s:%d, tls %s, daily %d", test.mail, s.Host, s.Port, s.TLS, c.Mail.Daily)
		}
		// What config prints means the same without the provider's help.
		printed, err := config.Load(write(t, map[string]string{"config.yaml": c.Redacted()}), nil)
		if err != nil {
			t.Errorf("%s: %v", test.mail, err)
		} else if diff := cmp.Diff(c, printed, ignored()); diff != "" {
			t.Errorf("%s, printed and read again (-want +got):\n%s", test.mail, diff)
		}
		if test.mail != "{provider: local}" && len(c.Traps()) == 0 {
			t.Errorf("%s: nothing is told of it", test.mail)
		}
	}
}

func TestProviderHeaders(t *testing.T) {
	c := load(t, site+"mail: {provider: postmark, headers: {x-pm-keepid: \"false\", X-Campaign: weekly}}\n")
	want := map[string]string{"x-pm-keepid": "false", "X-Campaign": "weekly", "X-PM-TrackOpens": "false", "X-PM-TrackLinks": "None"}
	if diff := cmp.Diff(want, c.Mail.Headers); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
}

func TestProviderFaults(t *testing.T) {
	for text, want := range map[string]string{
		"{provider: mailchimp}":                             "mail.provider: \"mailchimp\" is not known; write ses, postmark",
		"{provider: ses}":                                   "mail.region: missing beside mail.provider ses",
		"{region: EU West}":                                 "mail.region: \"EU West\" is not a region",
		"{bounce: {mode: verp}}":                            "mail.bounce.domain: missing beside mail.bounce.mode verp",
		"{bounce: {mode: bcc}}":                             "mail.bounce.mode: \"bcc\" is not known; write from, plus or verp",
		"{bounce: {domain: a@b.c}}":                         "mail.bounce.domain: \"a@b.c\" is not a domain",
		"{bounce: {listen: ':25'}}":                         "mail.bounce.listen: takes only mail to addresses with a token",
		"{bounce: {imap: {host: a.example}}}":               "mail.bounce.imap.username: missing",
		"{bounce: {imap: {host: a.example, username: jo}}}": "mail.bounce.imap.password: missing beside a username",
		"{bounce: {imap: {tls: maybe}}}":                    "mail.bounce.imap.tls: \"maybe\" is not known",
		"{bounce: {suppress_after: -1}}":                    "mail.bounce.suppress_after: \"-1\" is not a whole number",
		"{webhooks: {ses: bounces}}":                        "mail.webhooks.ses: \"bounces\" is not the ARN",
		"{webhooks: {sendgrid: bounces}}":                   "mail.webhooks.sendgrid: \"bounces\"… is not a verification key",
		"{webhooks: {postmark: short}}":                     "mail.webhooks.postmark: has 5 characters",
		"{bounce: {domain: nodot}}":                         "mail.bounce.domain: \"nodot\" is not a domain",
		"{from: jörg@example.com}":                          "letters before the @ that are not ASCII",
		"{reply_to: 'a@-bad-.com'}":                         "mail.reply_to: \"a@-bad-.com\" has no valid domain",
		"{bounce: {mode: plus}, from: " + strings.Repeat("j", 30) + "@example.com}": "mail.bounce.mode: plus has no room",
	} {
		_, err := config.Load(write(t, map[string]string{"config.yaml": site + "mail: " + text + "\n"}), nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v; want %s", text, err, want)
		}
	}
	load(t, site+"mail: {from: Jörg <jo@bücher.example>, bounce: {mode: verp, domain: post.bücher.example}}\n")
}

// A mailbox provider's address goes through its own relay only: its DMARC
// policy has everybody else's mail refused.
func TestCheckSender(t *testing.T) {
	for text, refused := range map[string]bool{
		"{from: jo@gmail.com, provider: sendgrid}":                       true,
		"{from: Jo <JO@GMAIL.COM>, provider: local}":                     true,
		"{from: jo@yahoo.co.uk, provider: mailgun}":                      true,
		"{from: jo@outlook.fr, provider: brevo}":                         true,
		"{from: jo@gmail.com, smtp: {host: smtp.gmail.com.example.com}}": true,
		"{from: jo@gmail.com, provider: gmail}":                          false,
		"{from: jo@yahoo.co.uk, smtp: {host: smtp.mail.yahoo.com}}":      false,
		"{from: jo@hotmail.com, smtp: {host: SMTP-mail.outlook.com.}}":   false,
		"{from: jo@example.com, provider: mailjet}":                      false,
		"{from: jo@live.example.com, provider: mailjet}":                 false,
		"{from: jo@notgmail.com, provider: mailjet}":                     false,
		"{from: jo@gmail.com, transport: folder}":                        false,
		"{provider: mailjet}":                                            false,
	} {
		c := load(t, site+"mail: "+text+"\n")
		err := c.CheckSender()
		if (err != nil) != refused {
			t.Errorf("%s: %v", text, err)
		}
		if _, ok := errors.AsType[*config.InvalidError](err); refused && !ok {
			t.Errorf("%s: the error is %T, no fault of the config", text, err)
		}
	}
}
