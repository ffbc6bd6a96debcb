// Package inbound takes in mail that comes back to the publication: by a mail
// server of its own ([Server]), from a folder ([Maildir]) or from a mailbox
// ([IMAP]).
//
// Each way hands the mail to a [Take] and leaves alone what that does not know.
// The package must not know what a report is or whom it is about.
package inbound

import "context"

// Take takes in one mail that came to an address, empty where the way does not
// tell. ours is whether the mail was meant for the publication; an error means
// that it has to come again.
type Take func(ctx context.Context, envelope string, raw []byte) (ours bool, err error)

// maxMail bounds what is read of a mail: reports say what they have to say
// before the mail that they return.
const maxMail = 1 << 20
