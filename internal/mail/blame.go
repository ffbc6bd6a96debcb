package mail

import (
	"regexp"
	"strings"

	"threadmill/internal/newsletter"
)

// What servers write where they give no enhanced code, or one that says
// nothing (5.0.0).
var (
	policyText = regexp.MustCompile(`(?i)spam|blocked|block ?list|black ?list|deny ?list|policy|reputation|spamhaus|\brbl\b|dnsbl|dkim|dmarc|\bspf\b|authenticat|unsolicited|rate limit|too many (messages|connections)`)
	deadText   = regexp.MustCompile(`(?i)(no such|unknown|invalid|non-?existent) (user|recipient|mailbox|address)|(user|recipient|mailbox|address) (is )?(unknown|not found|invalid)|(user|recipient|mailbox|address) does(n't| not) exist|not listed in (the )?(domino|public|name)`)
)

// AboutUs tells whether a refusal is about policy, reputation or
// authentication: the address is not to blame (RFC 3463, section 3.8).
func (r *Refusal) AboutUs() bool {
	detail := r.detail()
	switch {
	case strings.HasPrefix(detail, "7."), r.Code == 530, r.Code == 535, r.Code == 538:
		return true
	}
	return vague(detail) && (r.Code == 550 || r.Code == 554) && policyText.MatchString(r.Text)
}

// Bounce is what a refusal for good says about the address, by its enhanced
// code and, where that says nothing, by its text.
func (r *Refusal) Bounce() newsletter.Bounce {
	switch detail := r.detail(); {
	case detail == "1.1", detail == "1.2", detail == "1.10":
		return newsletter.BounceDead
	case detail == "2.1", detail == "2.2":
		return newsletter.BounceFull
	case vague(detail) && r.Code/100 == 5 && deadText.MatchString(r.Text):
		return newsletter.BounceDead
	}
	return ""
}

// detail is subject and detail of the enhanced code: 7.1 of 5.7.1.
func (r *Refusal) detail() string {
	_, detail, _ := strings.Cut(r.Enhanced, ".")
	return detail
}

// vague is a detail that says nothing.
func vague(detail string) bool { return detail == "" || detail == "0.0" }
