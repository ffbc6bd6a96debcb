package mailcheck

import "strings"

// provider is a mail provider whose servers are not the host that takes our
// mail.
type provider struct {
	name    string
	hosts   []string // the host that takes mail is one of these or lies below
	include string   // its servers, for SPF
	// own: the provider puts an envelope sender of its own, unless it was set
	// up otherwise there.
	own bool
}

// providers are the names of mail.smtp.provider.
func providers() []provider {
	return []provider{
		{"ses", []string{"amazonaws.com"}, "amazonses.com", true},
		{"postmark", []string{"postmarkapp.com"}, "spf.mtasv.net", true},
		{"mailgun", []string{"mailgun.org"}, "mailgun.org", false},
		{"sendgrid", []string{"sendgrid.net"}, "sendgrid.net", true},
		{"brevo", []string{"brevo.com", "sendinblue.com"}, "spf.brevo.com", true},
		{"mailjet", []string{"mailjet.com"}, "spf.mailjet.com", true},
		{"fastmail", []string{"fastmail.com"}, "spf.messagingengine.com", false},
		{"gmail", []string{"smtp.gmail.com", "smtp-relay.gmail.com"}, "_spf.google.com", false},
	}
}

// providerOf returns the provider of a name or host, nil if it is not known.
func providerOf(name, host string) *provider {
	host = ascii(host)
	for _, p := range providers() {
		if p.name == name {
			return &p
		}
		for _, h := range p.hosts {
			if name == "" && (host == h || strings.HasSuffix(host, "."+h)) {
				return &p
			}
		}
	}
	return nil
}
