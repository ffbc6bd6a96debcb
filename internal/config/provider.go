package config

import (
	"fmt"
	"maps"
	"net/mail"
	"regexp"
	"slices"
	"strings"
)

// preset is what is known of a provider. docs/mail.md has the sources.
type preset struct {
	name   string
	host   string // REGION stands for mail.region
	port   int
	tls    string
	daily  int               // messages in 24 hours
	header map[string]string // keeps Message-ID and links as they are
	traps  []string
}

// presets is the table of the providers.
func presets() []preset {
	return []preset{
		{
			name: "ses", host: "email-smtp.REGION.amazonaws.com", port: 587, tls: "mandatory",
			traps: []string{
				"SES replaces Message-ID, Date and Return-Path: a second copy cannot be told by its Message-ID, and a custom MAIL FROM domain there makes SPF align",
				"SES refuses an envelope sender whose domain is not verified there; with mail.bounce plus or verp, verify that domain too",
				"set mail.rate and mail.daily to the sending quota that the SES console shows; a new account has 1 a second and 200 a day",
			},
		},
		{
			name: "postmark", host: "smtp-broadcasts.postmarkapp.com", port: 587, tls: "mandatory",
			header: map[string]string{"X-PM-KeepID": "true", "X-PM-TrackOpens": "false", "X-PM-TrackLinks": "None"},
			traps: []string{
				"open tracking that is on for the server in Postmark wins over the header that switches it off; switch it off there",
				"Postmark writes its own Return-Path, so that its bounces are told by its own pages; newsletters must use a broadcast stream, which this host is for",
			},
		},
		{
			name: "mailgun", host: "smtp.mailgun.org", port: 587, tls: "mandatory",
			header: map[string]string{"X-Mailgun-Track": "no", "X-Mailgun-Track-Clicks": "no", "X-Mailgun-Track-Opens": "no"},
			traps:  []string{"Mailgun writes its own Return-Path; a domain made in the EU needs mail.region: eu, or the login is refused"},
		},
		{
			name: "sendgrid", host: "smtp.sendgrid.net", port: 587, tls: "mandatory",
			header: map[string]string{"X-SMTPAPI": `{"filters":{"clicktrack":{"settings":{"enable":0}},"opentrack":{"settings":{"enable":0}},"subscriptiontrack":{"settings":{"enable":0}}}}`},
			traps: []string{
				"SendGrid rewrites links and adds a pixel unless told not to, which the preset's X-SMTPAPI does; look at a received test with check --eml",
				"the username is the word apikey, the password an API key; SendGrid writes its own Return-Path",
			},
		},
		{
			name: "brevo", host: "smtp-relay.brevo.com", port: 465, tls: "implicit",
			traps: []string{"no header of a message switches Brevo's link and open tracking off; do it in the account's settings, and look at a received test with check --eml"},
		},
		{
			name: "mailjet", host: "in-v3.mailjet.com", port: 587, tls: "mandatory",
			header: map[string]string{"X-Mailjet-TrackClick": "0", "X-Mailjet-TrackOpen": "0"},
			traps:  []string{"Mailjet writes its own Return-Path; username and password are the two API keys"},
		},
		{
			name: "fastmail", host: "smtp.fastmail.com", port: 465, tls: "implicit",
			traps: []string{"Fastmail is for personal mail and limits messages a day by plan; set mail.daily to the plan's limit, and use an app password"},
		},
		{
			name: "gmail", host: "smtp.gmail.com", port: 465, tls: "implicit", daily: 500,
			traps: []string{
				"Gmail takes 500 messages in 24 hours from a personal account, which mail.daily keeps to, and 2000 from a Workspace account (then set mail.daily: 2000); over it the account is locked for a day",
				"Gmail needs an app password, and replaces From by the account's own address unless the other one is set up there as an alias",
			},
		},
		{name: "local", host: "localhost", port: 25, tls: "none"},
	}
}

func providers() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

func parseProvider(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return oneOf(providers()...)(text)
}

var regionName = regexp.MustCompile(`^[a-z0-9-]{0,32}$`)

func parseRegion(text string) (string, error) {
	if !regionName.MatchString(text) {
		return "", fmt.Errorf("%q is not a region; write one such as eu-west-1", text)
	}
	return text, nil
}

// preset is that of mail.provider.
func (m *Mail) preset() (preset, bool) {
	all := presets()
	i := slices.IndexFunc(all, func(p preset) bool { return p.name == m.Provider })
	if i < 0 {
		return preset{}, false
	}
	p := all[i]
	switch {
	case p.name == "mailgun" && m.Region == "eu":
		p.host = "smtp.eu.mailgun.org"
	case strings.Contains(p.host, "REGION"):
		p.host = strings.ReplaceAll(p.host, "REGION", m.Region)
	}
	return p, true
}

// provide fills what the file does not give from the provider's preset.
func (c *Config) provide() {
	p, ok := c.Mail.preset()
	if !ok {
		return
	}
	m := &c.Mail
	if !c.Given("mail.smtp.host") {
		m.SMTP.Host = p.host
	}
	if !c.Given("mail.smtp.tls") {
		m.SMTP.TLS = p.tls
		if !c.Given("mail.smtp.port") {
			m.SMTP.Port = p.port
		}
	}
	if !c.Given("mail.daily") {
		m.Daily = p.daily
	}
	for name, value := range p.header {
		given := slices.ContainsFunc(slices.Collect(maps.Keys(m.Headers)), func(n string) bool { return strings.EqualFold(n, name) })
		if given {
			continue
		}
		if m.Headers == nil {
			m.Headers = map[string]string{}
		}
		m.Headers[name] = value
	}
}

// tokenRoom is what the token of an envelope sender and its + may take of the
// 64 octets before the @ (RFC 5321, section 4.5.3.1.1).
const tokenRoom = 35

// bounces finds what mail.provider, mail.region and mail.bounce lack.
func (c *Config) bounces(add func(key, format string, args ...any)) {
	m := c.Mail
	if m.Provider == "ses" && m.Region == "" && !c.Given("mail.smtp.host") {
		add("mail.region", "missing beside mail.provider ses; write the region of the account, such as us-east-1")
	}
	switch m.Bounce.Mode {
	case "verp":
		if m.Bounce.Domain == "" {
			add("mail.bounce.domain", "missing beside mail.bounce.mode verp; write a domain whose mail you get, such as bounces.example.com")
		}
	case "plus":
		if local, _, _ := strings.Cut(bare(m.From), "@"); len(local) > 64-tokenRoom {
			add("mail.bounce.mode", "plus has no room for its token behind the %d characters before the @ of mail.from; write verp, or a shorter address", len(local))
		}
	}
}

// bare is the address of a mailbox without its name.
func bare(mailbox string) string {
	if a, err := mail.ParseAddress(mailbox); err == nil {
		return a.Address
	}
	return ""
}

// Traps tells what to know of the provider beside what the preset does, one
// line each with its place.
func (c *Config) Traps() []string {
	p, ok := c.Mail.preset()
	if !ok || c.Mail.Transport != "smtp" {
		return nil
	}
	var lines []string
	for _, trap := range p.traps {
		lines = append(lines, fmt.Sprintf("%s: note: mail.provider: %s", c.Position("mail.provider"), trap))
	}
	return lines
}

// freeMail are the domains that mailbox providers give addresses of to
// anybody, and below which names their own relays are. Their DMARC policies
// have other servers refuse what other relays send in their name. A name that
// ends with a dot stands for all countries.
func freeMail() []struct{ domains, relays []string } {
	return []struct{ domains, relays []string }{
		{[]string{"gmail.com", "googlemail.com"}, []string{"gmail.com", "googlemail.com", "google.com"}},
		{[]string{"outlook.", "hotmail.", "live.", "msn.com"}, []string{"outlook.com", "office365.com", "hotmail.com", "live.com"}},
		{[]string{"yahoo.", "ymail.com", "rocketmail.com"}, []string{"yahoo.com", "yahoo.co.jp"}},
		{[]string{"aol.com", "aim.com"}, []string{"aol.com"}},
		{[]string{"icloud.com", "me.com", "mac.com"}, []string{"me.com", "icloud.com"}},
		{[]string{"gmx.", "web.de", "mail.com"}, []string{"gmx.net", "gmx.com", "gmx.de", "web.de", "mail.com"}},
		{[]string{"proton.me", "protonmail.com", "pm.me"}, []string{"proton.me", "protonmail.ch", "protonmail.com", "127.0.0.1", "localhost"}},
		{[]string{"yandex.", "ya.ru"}, []string{"yandex.ru", "yandex.com"}},
		{[]string{"mail.ru", "bk.ru", "inbox.ru", "list.ru"}, []string{"mail.ru"}},
	}
}

// CheckSender refuses an address of a mailbox provider through a relay that is
// not its own. Its error is an *InvalidError.
func (c *Config) CheckSender() error {
	_, domain, _ := strings.Cut(strings.ToLower(bare(c.Mail.From)), "@")
	host := strings.TrimSuffix(strings.ToLower(c.Mail.SMTP.Host), ".")
	if c.Mail.Transport != "smtp" || domain == "" || host == "" {
		return nil
	}
	for _, f := range freeMail() {
		if !slices.ContainsFunc(f.domains, func(d string) bool { return freeDomain(domain, d) }) {
			continue
		}
		if slices.ContainsFunc(f.relays, func(r string) bool { return host == r || strings.HasSuffix(host, "."+r) }) {
			return nil
		}
		return problems{c.problem("mail.from", fmt.Sprintf(
			"%s is a mailbox provider's domain, and %s is not its relay: DMARC makes the mail bounce or land in spam; write an address of a domain of your own, or send by the provider's relay", domain, host))}.err()
	}
	return nil
}

// freeDomain tells whether domain is the one of the table: as it is, or with
// the ending of any country.
func freeDomain(domain, entry string) bool {
	rest, ok := strings.CutPrefix(domain, entry)
	if !strings.HasSuffix(entry, ".") {
		return ok && rest == ""
	}
	return ok && countryEnding.MatchString(rest)
}

var countryEnding = regexp.MustCompile(`^(?:net|(?:com|co)(?:\.[a-z]{2})?|[a-z]{2})$`)
