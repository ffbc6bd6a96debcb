package audience

import (
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
	fields
)

// fieldOf knows the columns of our own export and those of Mailchimp,
// Substack, Buttondown, Kit, Ghost, MailerLite, listmonk, Brevo and Google
// Contacts. A name is compared by its letters and digits alone.
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
	case "tags", "tag", "labels":
		return fieldTags
	case "createdat", "created", "creationdate", "subscribedat", "optintime", "dateadded", "addedat", "signupdate":
		return fieldCreated
	case "unsubtime", "unsubscribedat", "unsubscriptiondate", "emaildisabled", "emailblacklisted", "emailblocklisted", "unsubscribed":
		return fieldLeft
	case "cleantime", "cleanedat", "bouncedat":
		return fieldBounced
	}
	return fieldOther
}

// layout tells which column holds a field; -1 where none does.
type layout struct {
	column [fields]int
	width  int // number of columns in the header, 0 without one
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

// subscriber reads one row, or says why it cannot. CreatedAt is zero where the
// row has no date that can be read.
func (l layout) subscriber(cells []string) (sub newsletter.Subscriber, why string) {
	if l.width > 0 && len(cells) > l.width && !blank(cells[l.width:]) {
		return sub, fmt.Sprintf("has %d cells where the header has %d", len(cells), l.width)
	}
	if l.column[fieldStatus] >= len(cells) {
		return sub, "ends before its status"
	}
	addr, why := parseCell(l.cell(cells, fieldEmail))
	if why != "" {
		return sub, why
	}
	status, why := l.status(cells)
	if why != "" {
		return sub, why
	}
	name := CleanName(l.cell(cells, fieldName))
	if name == "" {
		name = CleanName(l.cell(cells, fieldFirst) + " " + l.cell(cells, fieldLast))
	}
	if name == "" {
		name = addr.Name
	}
	return newsletter.Subscriber{
		Email: addr.Email, Key: addr.Key, Name: name, Status: status,
		Tags:      cleanTags([]string{l.cell(cells, fieldTags)}),
		CreatedAt: parseTime(l.cell(cells, fieldCreated)),
	}, ""
}

func parseCell(s string) (Address, string) {
	addr, err := ParseAddress(s)
	if bad, ok := errors.AsType[*AddressError](err); ok {
		return addr, "the address " + bad.Reason
	}
	return addr, ""
}

// status is active unless a column says otherwise. A sign that somebody left
// counts for more than a status, which may be that of another list.
func (l layout) status(cells []string) (status newsletter.SubscriberStatus, why string) {
	status = newsletter.SubscriberActive
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
	case said(l.cell(cells, fieldLeft)):
		return newsletter.SubscriberUnsubscribed, ""
	}
	return status, ""
}

// statusOf translates the statuses of other services; empty for an unknown
// one.
func statusOf(s string) newsletter.SubscriberStatus {
	switch s = letters(s); s {
	case "active", "subscribed", "confirmed", "true", "yes", "1", "enabled", "regular", "premium", "optedin":
		return newsletter.SubscriberActive
	case "pending", "unconfirmed", "unactivated":
		return newsletter.SubscriberPending
	case "unsubscribed", "false", "no", "0", "inactive", "disabled", "canceled", "cancelled", "optedout":
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
