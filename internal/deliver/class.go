package deliver

import (
	"regexp"
	"strings"

	"threadmill/internal/mail"
)

// class is what a refusal is about.
type class int

const (
	aboutAddress class = iota // the recipient, or this one message
	aboutUs                   // policy, reputation, authentication
	aboutQuota                // how much the relay takes
	aboutPace                 // how many connections or how fast
	aboutLater                // 4xx without a reason that matters
)

// What servers write of limits, which not all give an enhanced code.
var (
	quotaText  = regexp.MustCompile(`(?i)quota|limit`)
	senderText = regexp.MustCompile(`(?i)(daily|hourly|monthly|sending|messages?|account)\W+(\w+\W+){0,3}(quota|limit)`)
	boxText    = regexp.MustCompile(`(?i)mailbox|inbox|recipient|over ?quota`)
)

// classify reads a refusal by its code, its enhanced code (RFC 3463) and, where
// there is none, its text.
func classify(r *mail.Refusal) class {
	_, detail, _ := strings.Cut(r.Enhanced, ".") // subject and detail: 7.1
	switch {
	case isQuota(r, detail):
		return aboutQuota
	case r.Temporary() && (r.Code == 421 || r.Code == 454 || detail == "3.2" || detail == "7.28"):
		return aboutPace
	case r.Temporary():
		return aboutLater
	case r.AboutUs():
		return aboutUs
	}
	return aboutAddress
}

// isQuota tells the relay's quota from that of a mailbox.
func isQuota(r *mail.Refusal, detail string) bool {
	switch {
	case detail == "4.5", detail == "7.28" && r.Stage != mail.StageConnect:
		return true
	case strings.HasPrefix(detail, "1."), strings.HasPrefix(detail, "2."), strings.HasPrefix(detail, "6."), detail == "3.4":
		return false
	case r.Code == 452 || r.Code == 454:
		return quotaText.MatchString(r.Text) && !boxText.MatchString(r.Text)
	case r.Temporary():
		return false
	}
	return senderText.MatchString(r.Text) && !boxText.MatchString(r.Text)
}
