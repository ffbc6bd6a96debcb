package mail

import (
	"regexp"
	"strings"

	"github.com/emersion/go-message"
)

// notice is how a server that does not follow RFC 3464 begins what it says
// about the recipients.
type notice struct {
	begins *regexp.Regexp
	delay  bool
}

// notices are known openings, each anchored at the begin of a line. The first
// that is found counts.
var notices = []notice{
	// Exim
	{regexp.MustCompile(`(?m)^A message that you (?:have )?sent has not yet been delivered to one or more of its`), true},
	{regexp.MustCompile(`(?m)^A message that you (?:have )?sent (?:could not be|was not) delivered to (?:one or more|all) of its$`), false},
	{regexp.MustCompile(`(?m)^This message was created automatically by mail delivery software`), false},
	// qmail and its kin, such as MagicMail and older Yahoo
	{regexp.MustCompile(`(?m)^Hi\. This is the .{1,100}(?:program|server|daemon)`), false},
	{regexp.MustCompile(`(?m)^I'm (?:afraid I wasn't able to|sorry to have to inform you that your message could)`), false},
	// sendmail before 8.7, and those that copied it
	{regexp.MustCompile(`(?m)^\s*-{3,} The following addresses had (?:permanent|delivery) (?:fatal )?(?:errors|problems) -{3,}`), false},
	{regexp.MustCompile(`(?m)^\s*-{3,} The following addresses had transient non-fatal errors -{3,}`), true},
	{regexp.MustCompile(`(?m)^\s*-{3,} Transcript of session follows -{3,}`), false},
	// Gmail before it sent notifications
	{regexp.MustCompile(`(?m)^This is an automatically generated Delivery Status Notification\s*\n\s*\n?THIS IS A WARNING MESSAGE ONLY`), true},
	{regexp.MustCompile(`(?m)^Delivery to the following recipients? (?:has been delayed|is delayed)`), true},
	{regexp.MustCompile(`(?m)^(?:The )?[Dd]elivery to the following recipients? failed(?: permanently)?`), false},
	// Exchange and Microsoft 365
	{regexp.MustCompile(`(?m)^(?:Delivery (?:has failed|is delayed) to these recipients|Your message (?:did not reach some or all|wasn't delivered to|couldn't be delivered))`), false},
	// Lotus Domino
	{regexp.MustCompile(`(?m)^Your (?:document|message):?\s*$`), false},
	// Yahoo, AOL and Apple
	{regexp.MustCompile(`(?m)^(?:Message from .{1,100}|Sorry, we were unable to deliver your message to the following address(?:es)?)\.?$`), false},
	{regexp.MustCompile(`(?m)^(?:This message could not be delivered|The following message could not be delivered|Could not deliver message to the following recipient)`), false},
	// Others
	{regexp.MustCompile(`(?m)^(?:The following (?:recipient|address)|Your message to the following (?:recipient|address)|Failed to deliver to|Undeliverable message|Unable to deliver message to)`), false},
}

var (
	// copyBegins is the line above the mail that a server returns.
	copyBegins = regexp.MustCompile(`(?m)^\s*(?:-{2,}\s*(?:Below this line is a copy|This is a copy of|The header of the original|Original message|Message header follows|Unsent message|Returned message|Original headers)|Original message headers:|Received: from ).*$`)
	// delaySubject is what a delay says in its subject.
	delaySubject = regexp.MustCompile(`(?i)^(?:warning\b|delivery (?:status notification )?\(?delay|delayed\b|.{0,60}\bdelayed (?:mail|\d+ hours?)\b)`)
	// reportedLine is an address that begins a line, alone or with what is said
	// about it behind a colon.
	reportedLine = regexp.MustCompile(`^\s{0,12}(?:(?:To|Recipient|User|Address):\s+)?["'<]{0,2}([^\s"'<>@:,;()]{1,64}@[A-Za-z0-9.-]{1,255}[A-Za-z0-9])["'>]{0,2}\s*(?::\s*(.*)|\(?(?:generated from .*|reason: .*)?\)?|\.{0,3}|\.{3}\s+(.+))$`)
	// mailSystem is who such servers write as.
	mailSystem = regexp.MustCompile(`(?i)\b(?:mailer[-_]daemon|postmaster|mail[- ]?delivery|mail\.?daemon|microsoftexchange\w*)\b`)
)

// fromSystem tells whether a mail says that a mail server wrote it.
func fromSystem(h message.Header) bool {
	from := h.Get("From")
	return mailSystem.MatchString(from[:min(len(from), maxField)])
}

// notice reads a report in the words of a server. Only what comes from a mail
// server is one: a person may quote the same words.
func (r *reading) notice(h message.Header) bool {
	failed := h.Values("X-Failed-Recipients")
	if strings.TrimSpace(h.Get("Return-Path")) != "<>" && !fromSystem(h) && len(failed) == 0 {
		return false
	}
	delay, said, copied := noticeIn(r.text)
	if said == "" && len(failed) == 0 {
		return false
	}
	action := "failed"
	if delay || delaySubject.MatchString(r.Subject) {
		action = "delayed"
	}
	r.copied(copied)
	r.Recipients = nil
	r.recipientsIn(said, action)
	if len(r.Recipients) == 0 {
		for _, field := range failed {
			for address := range strings.SplitSeq(field, ",") {
				r.report(Reported{Address: strings.TrimSpace(address), Action: action, Diagnostic: said})
			}
		}
	}
	if len(r.Recipients) == 0 && said != "" { // whom the token names
		r.report(Reported{Action: action, Diagnostic: said})
	}
	for i := range r.Recipients {
		d := &r.Recipients[i]
		d.Status = enhancedCode.FindString(d.Diagnostic)
	}
	return len(r.Recipients) > 0
}

// noticeIn finds what a server says about recipients, and the mail that it
// returns below.
func noticeIn(text string) (delay bool, said, copied string) {
	if at := copyBegins.FindStringIndex(text); at != nil {
		begin := at[1]
		if strings.HasPrefix(strings.TrimSpace(text[at[0]:at[1]]), "Received:") {
			begin = at[0]
		}
		text, copied = text[:at[0]], text[begin:]
	}
	for _, n := range notices {
		if at := n.begins.FindStringIndex(text); at != nil {
			return n.delay, text[at[0]:], copied
		}
	}
	return false, "", ""
}

// recipientsIn reads the lines that begin with an address, each with what is
// said below it.
func (r *reading) recipientsIn(text, action string) {
	var current *Reported
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > maxField {
			line = line[:maxField]
		}
		if m := reportedLine.FindStringSubmatch(line); m != nil {
			if len(r.Recipients) == maxReported {
				return
			}
			r.report(Reported{Address: m[1], Action: action, Diagnostic: m[2] + m[3]})
			current = &r.Recipients[len(r.Recipients)-1]
			continue
		}
		if line = strings.TrimSpace(line); line != "" && current != nil && len(current.Diagnostic) < maxField {
			current.Diagnostic = bounded(current.Diagnostic + " " + line)
		}
	}
}
