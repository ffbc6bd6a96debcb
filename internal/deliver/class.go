package deliver

import (
	"regexp"
	"strings"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
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

// What servers write where they give no enhanced code, or one that says
// nothing (5.0.0).
var (
	policyText = regexp.MustCompile(`(?i)spam|blocked|block ?list|black ?list|deny ?list|policy|reputation|spamhaus|\brbl\b|dnsbl|dkim|dmarc|\bspf\b|authenticat|unsolicited|rate limit|too many (messages|connections)`)
	quotaText  = regexp.MustCompile(`(?i)quota|limit`)
	senderText = regexp.MustCompile(`(?i)(daily|hourly|monthly|sending|messages?|account)\W+(\w+\W+){0,3}(quota|limit)`)
	boxText    = regexp.MustCompile(`(?i)mailbox|inbox|recipient|over ?quota`)
	deadText   = regexp.MustCompile(`(?i)(no such|unknown|invalid|non-?existent) (user|recipient|mailbox|address)|(user|recipient|mailbox|address) (is )?(unknown|not found|invalid)|(user|recipient|mailbox|address) does(n't| not) exist`)
)

// classify reads a refusal by its code, its enhanced code (RFC 3463) and, where
// there is none, its text.
func classify(r *mail.Refusal) class {
	_, detail, _ := strings.Cut(r.Enhanced, ".") // subject and detail: 7.1
	vague := detail == "" || detail == "0.0"
	switch {
	case isQuota(r, detail):
		return aboutQuota
	case r.Temporary() && (r.Code == 421 || r.Code == 454 || detail == "3.2" || detail == "7.28"):
		return aboutPace
	case r.Temporary():
		return aboutLater
	case strings.HasPrefix(detail, "7."), r.Code == 530, r.Code == 535, r.Code == 538:
		return aboutUs
	case vague && (r.Code == 550 || r.Code == 554) && policyText.MatchString(r.Text):
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

// bounceOf tells what a refusal for good says about the address.
func bounceOf(r *mail.Refusal) newsletter.Bounce {
	switch _, detail, _ := strings.Cut(r.Enhanced, "."); detail {
	case "1.1", "1.2", "1.10":
		return newsletter.BounceDead
	case "2.1", "2.2":
		return newsletter.BounceFull
	case "", "0.0":
		if r.Code/100 == 5 && deadText.MatchString(r.Text) {
			return newsletter.BounceDead
		}
	}
	return ""
}
