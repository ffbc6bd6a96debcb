package audience

import (
	"fmt"
	"maps"
	netmail "net/mail"
	"strings"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// Writer makes the messages of letters.
type Writer struct {
	Publication newsletter.Publication
	Templates   func() (*render.Templates, error)
	Tokens      *Tokens
	// Base is the address below which the links stand, without a slash at its
	// end.
	Base string
	// Within is how long a link works.
	Within        time.Duration
	From, ReplyTo netmail.Address
	ReturnPath    mail.ReturnPath
	Headers       map[string]string // of every mail
	// Replies says that somebody reads what is answered to the From or the
	// Reply-To address, and calls [SignUps.ConfirmReply] with it; ReplyMode how
	// that address holds the token: "verp", "plus" or "" for not at all.
	Replies     bool
	ReplyMode   string
	ReplyDomain string // of verp
	// MessageIDKey makes the ids of letters that hold no token.
	MessageIDKey []byte
}

// Write makes the message of a letter to a subscriber.
func (w *Writer) Write(l newsletter.Letter, sub newsletter.Subscriber) (mail.Message, error) {
	fail := func(err error) (mail.Message, error) {
		return mail.Message{}, fmt.Errorf("write letter %d: %w", l.ID, err)
	}
	to := l.Email
	if to == "" {
		to = sub.Email
	}
	_, domain, _ := strings.Cut(w.From.Address, "@")
	view := render.Letter{Kind: l.Kind, From: w.From.Address}
	id := mail.MessageID(w.MessageIDKey, -l.ID, sub.ID, domain) // no issue has such a number
	replyTo := w.ReplyTo
	if l.Kind == newsletter.LetterConfirm || l.Kind == newsletter.LetterRemind {
		token := w.Tokens.SignFor(PurposeConfirm, sub.ID, l.CreatedAt.UnixMilli())
		view.Link, view.Until, view.Answer = w.Base+"/confirm/"+token, l.CreatedAt.Add(w.Within), w.Replies
		id = "<" + replyID + token + "@" + domain + ">"
		if address := w.replyAddress(token); w.Replies && address != "" {
			replyTo = netmail.Address{Name: w.From.Name, Address: address}
		}
	}
	tmpl, err := w.Templates()
	if err != nil {
		return fail(err)
	}
	text, err := tmpl.Letter(w.Publication, view)
	if err != nil {
		return fail(err)
	}
	headers := maps.Clone(w.Headers)
	if headers == nil {
		headers = map[string]string{}
	}
	maps.DeleteFunc(headers, func(name, _ string) bool { return strings.EqualFold(name, autoSubmitted) })
	headers[autoSubmitted] = "auto-generated" // RFC 3834, section 5: nobody's absence note shall answer
	t, err := mail.Compose(mail.Letter{
		From: w.From, ReplyTo: replyTo, Subject: text.Subject, HTML: text.HTML, Text: text.Text, Headers: headers,
	}, mail.Slots{})
	if err != nil {
		return fail(err)
	}
	// The name is left out: it stood in a form that a stranger may have sent.
	return mail.Message{From: w.ReturnPath.For(w.Tokens.SignBounce(sub.ID, 0)), To: to, Data: t.Append(nil, mail.Recipient{
		Email: to, MessageID: id, Date: time.Now(),
	})}, nil
}

const autoSubmitted = "Auto-Submitted"

// maxReplyLocal bounds the part before the @ (RFC 5321, section 4.5.3.1.1).
const maxReplyLocal = 64

// replyAddress is where an answer goes that says yes by its address alone, empty
// where there is none or no room for it: then only the Message-ID tells.
func (w *Writer) replyAddress(token string) string {
	switch w.ReplyMode {
	case "verp":
		return replyVERP + token + "@" + w.ReplyDomain
	case "plus":
		local, domain, _ := strings.Cut(w.From.Address, "@")
		if len(local)+len(replyPlus)+len(token) <= maxReplyLocal {
			return local + replyPlus + token + "@" + domain
		}
	}
	return ""
}
