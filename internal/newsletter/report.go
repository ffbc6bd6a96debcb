package newsletter

import "time"

// Report is what another server told about mail of ours after the relay had
// taken it.
type Report struct {
	ID int64
	// Digest is the same for all that tell the same: it counts once.
	Digest     string
	At         time.Time
	Subscriber int64
	Issue      int64 // 0 where the report does not tell
	Kind       ReportKind
	Class      Bounce // of a bounce
	Source     string // the way it came: smtp, maildir, imap, pipe, ses …
	Status     string // RFC 3463, such as 5.1.1; empty where none was given
	Text       string // the words of the server
}

// ReportKind is what a mail that came back tells.
type ReportKind string

// The kinds of reports; the zero value is a mail that reports nothing, such as
// one that a person wrote.
const (
	ReportBounce    ReportKind = "bounce"
	ReportDelay     ReportKind = "delay"     // not delivered yet, which is no bounce
	ReportComplaint ReportKind = "complaint" // somebody called our mail spam
	ReportAutomatic ReportKind = "automatic" // an answer that nobody wrote, such as one of a holiday; never kept
)

// ReportOutcome is what a report changed.
type ReportOutcome string

// The outcomes of a report.
const (
	ReportIgnored    ReportOutcome = "ignored"    // it names nobody, or tells nothing
	ReportTwice      ReportOutcome = "twice"      // it was told before
	ReportNoted      ReportOutcome = "noted"      // nobody is to blame
	ReportCounted    ReportOutcome = "counted"    // one more issue that did not arrive
	ReportBounced    ReportOutcome = "bounced"    // the subscriber is off the list
	ReportComplained ReportOutcome = "complained" // the subscriber is off the list

	// Of mail that a person sent, which is no report.
	ReportUnsubscribed ReportOutcome = "unsubscribed"
	ReportConfirmed    ReportOutcome = "confirmed"
)
