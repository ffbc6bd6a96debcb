package config

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"regexp"
	"runtime"
)

var topicARN = regexp.MustCompile(`^arn:aws[a-z-]*:sns:[a-z0-9-]{1,32}:\d{12}:[A-Za-z0-9_.-]{1,256}$`)

// parseTopic reads the name of an SNS topic.
func parseTopic(text string) (string, error) {
	if text != "" && !topicARN.MatchString(text) {
		return "", fmt.Errorf("%q is not the ARN of an SNS topic; write one such as arn:aws:sns:us-east-1:123456789012:bounces", text)
	}
	return text, nil
}

// parsePublicKey reads a public key for ECDSA: PKIX in base64.
func parsePublicKey(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	der, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		var key any
		if key, err = x509.ParsePKIXPublicKey(der); err == nil {
			if _, ok := key.(*ecdsa.PublicKey); ok {
				return text, nil
			}
		}
	}
	return "", fmt.Errorf("%.20q… is not a verification key of SendGrid; copy it from Settings, Mail Settings, Event Webhook, where it begins with MF", text)
}

// intake finds what the ways for reports to come in lack.
func (c *Config) intake(add func(key, format string, args ...any)) {
	b := c.Mail.Bounce
	if b.Listen != "" && b.Mode == "from" {
		add("mail.bounce.listen", "takes only mail to addresses with a token, which mail.bounce.mode from has none of; write mode verp and a domain whose MX leads here")
	}
	if b.Maildir != "" && runtime.GOOS == "windows" {
		add("mail.bounce.maildir", "cannot be read on Windows, where no name may hold a colon as those of a Maildir do; fetch the reports by mail.bounce.imap")
	}
	i := b.IMAP
	switch {
	case i.Host == "":
	case i.Username == "":
		add("mail.bounce.imap.username", "missing beside mail.bounce.imap.host; write the name to log in with")
	case i.Password == "" && i.PasswordFile == "":
		add("mail.bounce.imap.password", "missing beside a username; write ${NAME} and set NAME in .env")
	case i.Folder == "":
		add("mail.bounce.imap.folder", "empty; write a folder such as INBOX")
	}
	w := c.Mail.Webhooks
	for _, s := range []struct {
		key    string
		secret Secret
	}{{"mail.webhooks.postmark", w.Postmark}, {"mail.webhooks.mailgun", w.Mailgun}} {
		if n := len(s.secret.Reveal()); n > 0 && n < minSecret {
			add(s.key, "has %d characters, and anybody who guesses them can end subscriptions; write %d or more", n, minSecret)
		}
	}
}

// minSecret is how long the secret of a webhook is at least.
const minSecret = 16
