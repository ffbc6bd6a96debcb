package mail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-message"

	"threadmill/internal/newsletter"
)

// Report is what could be read in a mail that came back. Nothing in it is
// proven but the tokens, once they are verified.
type Report struct {
	Kind       newsletter.ReportKind
	Recipients []Reported
	// Tokens are what may be tokens of our envelope senders, Links those of the
	// links to unsubscribe in the mail that is reported on.
	Tokens, Links []string
	// MessageIDs are those of the mail that is reported on, with their brackets.
	MessageIDs []string

	// ID is the Message-ID of the report itself, From and Subject are its own.
	ID, From, Subject string
	// Answers are the values of its fields that tell what it answers: to whom it
	// was sent, and Message-IDs (RFC 5322, section 3.6.4).
	Answers []string
}

// Reported is what a report says about one recipient (RFC 3464, section 2.3).
type Reported struct {
	Address    string
	Action     string // failed, delayed, delivered, relayed or expanded
	Status     string // RFC 3463; empty where none is given
	Diagnostic string // the words of the server, on one line
}

// Failed tells whether the recipient did not get the mail and will not.
func (r Reported) Failed() bool { return r.Action == "failed" }

// Class tells what a failure says about the address.
func (r Reported) Class() newsletter.Bounce {
	refusal := r.refusal()
	given := *refusal
	given.Enhanced = r.Status
	switch {
	case refusal.AboutUs() || !vague(given.detail()) && given.AboutUs():
		return newsletter.BouncePolicy
	case refusal.Bounce() != "":
		return refusal.Bounce()
	}
	return newsletter.BounceSoft
}

// The bounds of what is read of a report.
const (
	maxReport      = 1 << 20
	maxReportParts = 64
	maxReportDepth = 8
	maxReported    = 50
	maxFound       = 20
	maxReportText  = 64 << 10
	maxField       = 1000
)

// ErrNoMail says that what was read has no header.
var ErrNoMail = errors.New("this is no mail")

// ReadReport reads a mail that came back: a notification of RFC 3464 or 6533,
// a complaint of RFC 5965, a notice in the words of a server that knows neither,
// or an automatic answer (RFC 3834). It reads the first megabyte; whatever
// stands in it does no harm. The error is [ErrNoMail].
func ReadReport(raw []byte) (Report, error) {
	e, err := readEntity(bytes.NewReader(raw[:min(len(raw), maxReport)]))
	if err != nil {
		return Report{}, err
	}
	if e.Header.Len() == 0 {
		return Report{}, ErrNoMail
	}
	r := reading{}
	r.ID, r.From, r.Subject = bounded(e.Header.Get("Message-Id")), bounded(e.Header.Get("From")), subjectOf(e.Header)
	r.tokens(e.Header)
	for _, field := range []string{"To", "Delivered-To", "X-Original-To", "In-Reply-To", "References"} {
		for _, value := range e.Header.Values(field) {
			r.Answers = add(r.Answers, oneLine(strings.ToValidUTF8(value[:min(len(value), 10*maxField)], "")))
		}
	}
	r.part(e, 0)
	r.decide(e.Header)
	return r.Report, nil
}

func subjectOf(h message.Header) string {
	subject, err := h.Text("Subject")
	if err != nil {
		subject = h.Get("Subject")
	}
	return bounded(subject)
}

// bounded is a field on one line, as much as is kept of it.
func bounded(text string) string {
	return oneLine(strings.ToValidUTF8(text[:min(len(text), maxField)], ""))
}

// reading is a report that is being read.
type reading struct {
	Report
	parts    int
	status   bool // there was a part about the delivery
	feedback string
	said     bool   // there was a part about a complaint
	receipt  bool   // there was a part about reading or deleting it (RFC 8098)
	text     string // of the first part that is text
	returned bool   // the mail that is reported on was found
}

// readEntity reads a header, and a body in whatever coding can be undone.
func readEntity(in io.Reader) (*message.Entity, error) {
	e, err := message.Read(in)
	if err != nil && (e == nil || !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err)) {
		return nil, fmt.Errorf("%w: %w", ErrNoMail, err)
	}
	return e, nil
}

// part reads a part and those within it.
func (r *reading) part(e *message.Entity, depth int) {
	if r.parts++; r.parts > maxReportParts || depth > maxReportDepth {
		return
	}
	if parts := e.MultipartReader(); parts != nil {
		for r.parts <= maxReportParts {
			part, err := parts.NextPart()
			if err != nil && (part == nil || !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err)) {
				return
			}
			r.part(part, depth+1)
		}
		return
	}
	r.leaf(e)
}

// leaf reads a part without parts.
func (r *reading) leaf(e *message.Entity) {
	kind, _, _ := e.Header.ContentType() // what cannot be read is taken for text
	switch kind {
	case "message/delivery-status", "message/global-delivery-status":
		r.status = true
		r.deliveryStatus(e.Body)
	case "message/feedback-report":
		r.said = true
		r.feedbackReport(e.Body)
	case "message/disposition-notification", "message/global-disposition-notification":
		r.receipt = true
	case "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers":
		r.original(e.Body)
	case "text/plain", "text/html", "":
		if r.text != "" {
			return
		}
		text, _ := io.ReadAll(io.LimitReader(e.Body, maxReportText)) // the rest of one that is cut off
		r.text = strings.ReplaceAll(strings.ToValidUTF8(string(text), ""), "\r\n", "\n")
		if kind == "text/html" {
			r.text = plainOf(r.text)
		}
	}
}

// decide gives the report its kind.
func (r *reading) decide(h message.Header) {
	switch {
	case r.said:
		// An auth-failure (RFC 6591) and a not-spam (RFC 5965, section 7.3) are
		// no complaints.
		if slices.Contains([]string{"abuse", "fraud", "virus", "other", "opt-out", "opt-out-list", "unsubscribe"}, r.feedback) {
			r.Kind = newsletter.ReportComplaint
		} else {
			r.Kind = newsletter.ReportAutomatic
		}
	case r.receipt:
		r.Kind = newsletter.ReportAutomatic
	case r.status && len(r.Recipients) > 0:
		r.Kind = r.fate()
	case r.notice(h):
		r.Kind = r.fate()
	case r.status, automatic(h):
		r.Kind = newsletter.ReportAutomatic
	}
}

// fate is the kind of a report about recipients.
func (r *reading) fate() newsletter.ReportKind {
	switch {
	case slices.ContainsFunc(r.Recipients, Reported.Failed):
		return newsletter.ReportBounce
	case slices.ContainsFunc(r.Recipients, func(d Reported) bool { return d.Action == "delayed" }):
		return newsletter.ReportDelay
	}
	return newsletter.ReportAutomatic
}

// machineFields are those of programs that answer by themselves: absence notes,
// lists, ticket systems.
var machineFields = []string{
	"X-Auto-Response-Suppress", "X-Autoreply", "X-Auto-Reply", "X-Autoreply-From", "X-Auto-Reply-From", "X-Autorespond", "X-Autoresponder",
	"X-Autoresponse", "X-Autogenerated", "X-Mail-Autoreply", "X-Vacation", "X-Loop", "X-FC-MachineGenerated", "X-OTRS-Loop", "X-RT-Loop-Prevention",
	"X-Zendesk-From-Account-Id", "X-Freshdesk-Ticket", "List-Id", "List-Unsubscribe",
}

// awaySubject is how absence notes and ticket systems begin a subject that put
// nothing into the header.
var awaySubject = regexp.MustCompile(`(?i)^\s*(?:(?:re|aw|sv|rv|ref):\s*)?(?:` +
	`auto(?:matic|mated|matisch|matische|matisk|mática|matica|matique)?[ -]?(?:reply|response|respon[ds]er|answer|antwort|antwoord|svar|répl?y)\b|` +
	`(?:réponse automatique|respuesta automática|resposta automática|risposta automatica|out of (?:the )?office|abwesen|afwezig|away from|on (?:vacation|holiday|leave)\b|vacation\b)|` +
	`absen[ct]e?\b|fuera de la oficina|fuori (?:sede|ufficio)|自動返信|自动回复|` +
	`\[(?:[a-z ]{0,20}\s*)?#\s?[\w-]{2,20}\]|(?:your )?(?:ticket|request|case)\b.{0,40}(?:received|created|opened))`)

// automatic tells whether nobody wrote a mail: by RFC 3834, section 5, or by
// what programs said before that and still do. X-Auto-Response-Suppress asks
// others for silence, and Exchange sets it on its own answers.
func automatic(h message.Header) bool {
	if auto, _, _ := strings.Cut(h.Get("Auto-Submitted"), ";"); auto != "" && !strings.EqualFold(strings.TrimSpace(auto), "no") {
		return true
	}
	if slices.ContainsFunc(machineFields, h.Has) || awaySubject.MatchString(subjectOf(h)) {
		return true
	}
	precedence := strings.ToLower(strings.TrimSpace(h.Get("Precedence")))
	if slices.Contains([]string{"bulk", "junk", "list", "auto_reply"}, precedence) {
		return true
	}
	// The empty envelope sender, which no answer goes to (RFC 5321, section 4.5.5).
	return strings.TrimSpace(h.Get("Return-Path")) == "<>" || fromSystem(h)
}
