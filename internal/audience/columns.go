package audience

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"threadmill/internal/newsletter"
)

// field is what a column holds.
type field int

const (
	fieldOther field = iota
	fieldEmail
	fieldName
	fieldFirst
	fieldLast
	fieldStatus
	fieldTags
	fieldCreated
	// Columns that say with a date or a yes that somebody gets no mail; a file
	// that has them often has no status.
	fieldLeft
	fieldBounced
	// A column with the mails that somebody gets; none when it is empty.
	fieldReceives
	// Names that mean a status in the files of one service, and something else in
	// others.
	fieldState
	fieldType
	fieldPlace // a town or land, beside which a state is none of a subscription
	// Columns of our own export.
	fieldReason
	fieldSince
	fieldFrequency
	fieldWants
	fieldPaused
	fieldBounces
	fieldSuppression
	fieldImportFile
	fieldImportAt
	fieldConsent
	fieldHistory
	fields
)

// fieldOf knows the columns of our own export and those of Mailchimp,
// Substack, Buttondown, Beehiiv, Kit, Ghost, MailerLite, listmonk, Brevo and
// Google Contacts. A name is compared by its letters and digits alone.
func fieldOf(header string) field {
	switch letters(header) {
	case "email", "emailaddress", "mail", "mailaddress", "useremail", "subscriberemail", "subscriber", "email1value":
		return fieldEmail
	case "name", "fullname", "displayname", "subscribername":
		return fieldName
	case "firstname", "fname", "givenname":
		return fieldFirst
	case "lastname", "lname", "surname", "familyname":
		return fieldLast
	case "status", "subscribed", "subscriberstatus", "subscriptionstatus", "emailstatus", "subscribertype", "subscribedtoemails":
		return fieldStatus
	case "state":
		return fieldState
	case "type":
		return fieldType
	case "city", "country", "zip", "zipcode", "postalcode", "town", "region", "address":
		return fieldPlace
	case "tags", "tag", "labels":
		return fieldTags
	case "createdat", "created", "creationdate", "subscribedat", "optintime", "dateadded", "addedat", "signupdate", "subscriptiondate":
		return fieldCreated
	case "unsubtime", "unsubscribedat", "unsubscriptiondate", "emaildisabled", "emailblacklisted", "emailblocklisted", "unsubscribed", "deletedat":
		return fieldLeft
	case "cleantime", "cleanedat", "bouncedat", "undeliverabilitydate":
		return fieldBounced
	case "receivingemailsfor":
		return fieldReceives
	}
	return ownFieldOf(header)
}

// ownFieldOf knows the columns that only our own export has.
func ownFieldOf(header string) field {
	switch header {
	case "status_reason":
		return fieldReason
	case "status_at":
		return fieldSince
	case "frequency":
		return fieldFrequency
	case "wants":
		return fieldWants
	case "paused_until":
		return fieldPaused
	case "bounces":
		return fieldBounces
	case "suppression":
		return fieldSuppression
	case "import_file":
		return fieldImportFile
	case "import_at":
		return fieldImportAt
	case "consent":
		return fieldConsent
	case "history":
		return fieldHistory
	}
	return fieldOther
}

// layout tells which column holds a field; -1 where none does.
type layout struct {
	column [fields]int
	width  int // number of columns in the header, 0 without one
	// said is the status that the file's name tells, silent that of rows that
	// tell none.
	said, silent newsletter.SubscriberStatus
}

// own tells whether the file is our own export.
func (l layout) own() bool {
	return l.column[fieldReason] >= 0 && l.column[fieldSuppression] >= 0 && l.column[fieldHistory] >= 0
}

// settle decides what the names mean that mean several things: state is Kit's
// status where there is no place beside it, type Buttondown's beside its date.
func (l *layout) settle(cells []string) {
	if l.column[fieldStatus] >= 0 {
		return
	}
	buttondown := l.column[fieldCreated] >= 0 && letters(cells[l.column[fieldCreated]]) == "creationdate"
	switch {
	case l.column[fieldState] >= 0 && l.column[fieldPlace] < 0:
		l.column[fieldStatus] = l.column[fieldState]
	case l.column[fieldType] >= 0 && buttondown:
		l.column[fieldStatus] = l.column[fieldType]
	}
}

// readLayout takes the first row for the header, or for a subscriber when it
// begins with an address: then the columns are address and name.
func readLayout(cells []string) (l layout, header bool, err error) {
	for f := range l.column {
		l.column[f] = -1
	}
	for i, c := range cells {
		if f := fieldOf(c); f != fieldOther && l.column[f] < 0 {
			l.column[f] = i
		}
	}
	switch {
	case l.column[fieldEmail] >= 0:
		l.width = len(cells)
		l.settle(cells)
		return l, true, nil
	case strings.Contains(cells[0], "@"):
		bare := layout{column: l.column}
		for f := range bare.column {
			bare.column[f] = -1
		}
		bare.column[fieldEmail], bare.column[fieldName] = 0, 1
		return bare, false, nil
	}
	seen := make([]string, 0, len(cells))
	for _, c := range cells[:min(len(cells), 20)] {
		seen = append(seen, fmt.Sprintf("%q", clip(c, 40)))
	}
	return l, false, fmt.Errorf("no column holds the addresses; call one of them email (the columns are %s)", strings.Join(seen, ", "))
}

// cell returns the text of a field, empty where the row has none.
func (l layout) cell(cells []string, f field) string {
	if i := l.column[f]; i >= 0 && i < len(cells) {
		return strings.TrimSpace(unguard(cells[i]))
	}
	return ""
}

// record reads one row, or says why it cannot. CreatedAt is zero where the
// row has no date that can be read.
func (l layout) record(cells []string) (rec newsletter.SubscriberRecord, why string) {
	if l.width > 0 && len(cells) > l.width && !blank(cells[l.width:]) {
		return rec, fmt.Sprintf("has %d cells where the header has %d", len(cells), l.width)
	}
	if l.column[fieldStatus] >= len(cells) {
		return rec, "ends before its status"
	}
	addr, why := parseCell(l.cell(cells, fieldEmail))
	if why != "" {
		return rec, why
	}
	status, why := l.status(cells)
	if why != "" {
		return rec, why
	}
	name := CleanName(l.cell(cells, fieldName))
	if name == "" {
		name = CleanName(l.cell(cells, fieldFirst) + " " + l.cell(cells, fieldLast))
	}
	if name == "" {
		name = addr.Name
	}
	rec.Subscriber = newsletter.Subscriber{
		Email: addr.Email, Key: addr.Key, Name: name, Status: status,
		Tags:      cleanTags([]string{l.cell(cells, fieldTags)}),
		CreatedAt: parseTime(l.cell(cells, fieldCreated)),
	}
	if l.own() {
		why = l.rest(cells, &rec)
	}
	return rec, why
}

func parseCell(s string) (Address, string) {
	addr, err := ParseAddress(s)
	if bad, ok := errors.AsType[*AddressError](err); ok {
		return addr, "the address " + bad.Reason
	}
	return addr, ""
}

// status is active unless a column, the name of the file or the operator says
// otherwise. A sign that somebody left counts for more than a status, which may
// be that of another list.
func (l layout) status(cells []string) (status newsletter.SubscriberStatus, why string) {
	status = cmp.Or(l.silent, newsletter.SubscriberActive)
	if s := l.cell(cells, fieldStatus); s != "" {
		if status = statusOf(s); status == "" {
			return "", fmt.Sprintf("has an unknown status %q; known are active, pending, unsubscribed, bounced, complained, suppressed", clip(s, 40))
		}
	}
	if status != newsletter.SubscriberActive && status != newsletter.SubscriberPending {
		return status, ""
	}
	switch {
	case said(l.cell(cells, fieldBounced)):
		return newsletter.SubscriberBounced, ""
	case said(l.cell(cells, fieldLeft)), l.column[fieldReceives] >= 0 && !said(l.cell(cells, fieldReceives)):
		return newsletter.SubscriberUnsubscribed, ""
	}
	return cmp.Or(l.said, status), ""
}

// statusOf translates the statuses of other services; empty for an unknown
// one.
func statusOf(s string) newsletter.SubscriberStatus {
	switch s = letters(s); s {
	case "active", "subscribed", "confirmed", "true", "yes", "1", "enabled", "regular", "premium", "optedin",
		"gifted", "trialed", "unpaid", "churning", "churned", "pastdue": // Buttondown: what they pay, not whether they left
		return newsletter.SubscriberActive
	case "pending", "unconfirmed", "unactivated", "validating", "needsattention":
		return newsletter.SubscriberPending
	case "unsubscribed", "false", "no", "0", "inactive", "disabled", "canceled", "cancelled", "optedout", "paused", "upcoming",
		"nonsubscribed", "transactional", "archived":
		return newsletter.SubscriberUnsubscribed
	case "bounced", "cleaned", "undeliverable", "invalid":
		return newsletter.SubscriberBounced
	case "complained", "complaint", "spam", "spammy":
		return newsletter.SubscriberComplained
	case "suppressed", "removed", "blocked", "blocklisted", "blacklisted":
		return newsletter.SubscriberSuppressed
	}
	return ""
}

// said tells whether a cell holds a date or a yes.
func said(s string) bool {
	switch letters(s) {
	case "", "0", "false", "no", "null", "none":
		return false
	}
	return true
}

// parseTime reads the dates that the services write; zero for any other, and
// for one that is not of this age.
func parseTime(s string) time.Time {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05Z07:00",
		"2006-01-02 15:04:05 -0700", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02",
	} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1970 && t.Year() < 2200 {
			return t.UTC().Truncate(time.Millisecond)
		}
	}
	return time.Time{}
}

// letters keeps the ASCII letters and digits of s, in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if !alnum(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, s)
}
