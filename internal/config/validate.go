package config

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"threadmill/internal/colour"
)

// Validate checks a config that was not made by Load. Its error is an
// *InvalidError.
func (c *Config) Validate() error {
	// Setting every value of a copy again runs the checks of the table.
	copied := *c
	settings := copied.settings()
	copied.Mail.Headers = nil
	var found problems
	for _, s := range settings {
		if err := s.set(s.raw()); err != nil {
			found = append(found, c.problem(s.key, err.Error()))
		}
	}
	return append(found, c.conflicts(found)...).err()
}

// ReadyToSend tells what is missing for sending mail: a config may be loaded
// without. Its error is an *InvalidError.
func (c *Config) ReadyToSend() error {
	var found problems
	if c.Mail.From == "" {
		found = append(found, c.problem("mail.from", "missing; write the address that mail comes from, such as Jo Smith <jo@example.com>"))
	}
	if c.Mail.Transport == "smtp" && c.Mail.SMTP.Host == "" {
		found = append(found, c.problem("mail.smtp.host", "missing; write the host of the mail provider, such as smtp.example.com, or set mail.transport to folder"))
	}
	return found.err()
}

// ReadyForReaders tells what a mail to strangers must hold and the config lacks:
// a postal address, which the law of many places asks for. Its error is an
// *InvalidError.
func (c *Config) ReadyForReaders() error {
	if c.Mail.Transport != "smtp" || strings.TrimSpace(c.Publication.Address) != "" {
		return nil
	}
	return problems{c.problem("publication.address", "missing; write the postal address that stands under every mail, as the law of many places asks for, or none to leave it out")}.err()
}

// problem is a fault of the value of key, where it stands if it does.
func (c *Config) problem(key, text string) Problem {
	at := c.places[key]
	return Problem{File: c.file, Line: at.line, Column: at.column, Key: key, Text: text}
}

// complete fills the values whose defaults depend on others.
func (c *Config) complete() {
	c.provide()
	if !c.Given("mail.smtp.port") && c.Mail.SMTP.Port == Default().Mail.SMTP.Port {
		switch c.Mail.SMTP.TLS {
		case "implicit":
			c.Mail.SMTP.Port = 465
		case "none":
			c.Mail.SMTP.Port = 25
		}
	}
	if !c.Given("mail.bounce.imap.port") && c.Mail.Bounce.IMAP.Port == Default().Mail.Bounce.IMAP.Port && c.Mail.Bounce.IMAP.TLS != "implicit" {
		c.Mail.Bounce.IMAP.Port = 143
	}
	if c.Web.URL == "" {
		c.Web.URL = c.Publication.URL
	}
	if c.Web.TLS == "auto" && !c.Given("web.listen") {
		c.Web.Listen = ":443"
	}
	if u, err := url.Parse(c.Publication.URL); err == nil && c.Publication.Title == "" {
		c.Publication.Title = u.Hostname()
	}
}

// conflicts finds values that are missing or do not go together. It leaves
// out keys that are at fault already.
func (c *Config) conflicts(known problems) problems {
	var found problems
	add := func(key, format string, args ...any) {
		if !known.about(key) {
			found = append(found, c.problem(key, fmt.Sprintf(format, args...)))
		}
	}
	c.addresses(add)
	c.legible(add)
	c.bounces(add)
	c.intake(add)
	if c.Review > 0 && c.Publication.Author.Email == "" {
		add("publication.author.email", "missing beside review; write the address that gets the coming issue before its slot")
	}
	smtp, retry := c.Mail.SMTP, c.Delivery.Retry
	switch {
	case smtp.Password != "" && smtp.Username == "":
		add("mail.smtp.username", "missing beside a password; write the name to log in with")
	case smtp.Password == "" && smtp.Username != "" && !known.about("mail.smtp.password_file"):
		add("mail.smtp.password", "missing beside a username; write ${NAME} and set NAME in .env")
	}
	if retry.First > retry.Max {
		add("delivery.retry.first", "%s is longer than delivery.retry.max, which is %s", written(retry.First), written(retry.Max))
	}
	if retry.Max > retry.GiveUp {
		add("delivery.retry.max", "%s is longer than delivery.retry.give_up, which is %s", written(retry.Max), written(retry.GiveUp))
	}
	if a := c.Audience; a.Reminder >= a.ConfirmWithin {
		add("audience.reminder", "%s is not shorter than audience.confirm_within, which is %s: the link would be dead", written(a.Reminder), written(a.ConfirmWithin))
	}
	c.signatures(add)
	c.certified(add)
	c.exposed(add)
	return found
}

// addresses finds those of the publication that are missing or contradict each
// other.
func (c *Config) addresses(add func(key, format string, args ...any)) {
	pub := c.Publication
	if pub.URL == "" {
		add("publication.url", "missing; write the public address of the site, such as https://example.com")
		return
	}
	if slices.Contains(pub.FormerURLs, pub.URL) {
		add("publication.former_urls", "%q is where the publication is now; take it out", pub.URL)
	}
	if at, below := pathOf(c.Web.URL), pathOf(pub.URL); c.Web.URL != "" && at != below && c.Web.Listen != "" {
		add("web.url", "its path is %q and that of publication.url is %q, below which run serves everything; write the same path behind the host", at, below)
	}
}

// certified finds what keeps a certificate authority from giving a certificate
// for the names of the publication.
func (c *Config) certified(add func(key, format string, args ...any)) {
	if c.Web.TLS != "auto" {
		return
	}
	if c.Web.Listen == "" {
		add("web.tls", "auto gets certificates for the web server of run, and web.listen is off; write :443 there, or off here")
	}
	key, address := "publication.url", c.Publication.URL
	if c.Web.URL != address {
		key, address = "web.url", c.Web.URL
	}
	u, err := url.Parse(address)
	if err != nil || address == "" {
		return // it is told already
	}
	_, ip := netip.ParseAddr(u.Hostname())
	switch {
	case u.Scheme != "https":
		add(key, "%q is not https, and web.tls is auto; write https://", address)
	case ip == nil || !strings.Contains(u.Hostname(), "."):
		add(key, "%q has no name for which web.tls: auto could get a certificate; write a host such as example.com", address)
	}
}

// legible finds text that cannot be read on its ground.
func (c *Config) legible(add func(key, format string, args ...any)) {
	const at = "publication.colors."
	colours := c.Publication.Colors
	for _, pair := range [][4]string{
		{"ink", colours.Ink, "ground", colours.Ground},
		{"ink_dark", colours.InkDark, "ground_dark", colours.GroundDark},
	} {
		ink, _ := colour.Parse(pair[1])
		ground, _ := colour.Parse(pair[3])
		ratio := colour.Contrast(ink, ground)
		if ratio >= colour.Enough {
			continue
		}
		key := at + pair[0]
		if !c.Given(key) && c.Given(at+pair[2]) {
			key = at + pair[2]
		}
		// Cut and not rounded, so that 4.499 does not read as enough.
		add(key, "%s %s on %s %s has a contrast of %.2f:1, and text needs %.1f:1 to be read (WCAG 2.2, 1.4.3); move one of the two towards black or white",
			pair[0], pair[1], pair[2], pair[3], math.Floor(ratio*100)/100, colour.Enough)
	}
}

// pathOf is the path of an address, empty for the top of its host.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// exposed finds what readers would get because it lies in the output folder.
func (c *Config) exposed(add func(key, format string, args ...any)) {
	output := c.Path(c.Output)
	if within(c.Dir, output) {
		add("output", "%q holds the config itself, and readers would get it; write a folder below, such as public", c.Output)
		return
	}
	private := []SecretFile{
		{"threads", c.Threads},
		{"templates", c.Templates},
		{"mail.folder", c.Mail.Folder},
		{"mail.bounce.maildir", c.Mail.Bounce.Maildir},
	}
	private = append(private, c.SecretFiles()...)
	for _, p := range private {
		if p.Path != "" && within(c.Path(p.Path), output) {
			add(p.Key, "lies in the output folder %q, and readers would get it; write a path outside", c.Output)
		}
	}
}

// within tells whether path is folder or lies below it.
func within(path, folder string) bool {
	path, err := filepath.Abs(path)
	if err != nil {
		return false
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return false
	}
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
