package mail

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	netmail "net/mail"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	gomail "github.com/wneessen/go-mail"
)

// Letter is an issue's mail before it has a recipient.
type Letter struct {
	From    netmail.Address
	ReplyTo netmail.Address // the zero Address: none
	Subject string
	// HTML and Text are the same content twice, and may hold slots. One of
	// them may be empty.
	HTML, Text string
	// Inline are pictures that the HTML shows as "cid:ID"; they need both parts.
	Inline []Inline
	// ListID is the list's name and identifier of RFC 2919:
	// "Title <newsletter.example.org>"; empty: none.
	ListID string
	// Archive is the web address for List-Archive; empty: none.
	Archive string
	// UnsubscribeMailto is the mail address that takes "unsubscribe TOKEN" as
	// a subject; empty: List-Unsubscribe has no mailto form.
	UnsubscribeMailto string
	// OneClick adds the https form of List-Unsubscribe, and
	// List-Unsubscribe-Post of RFC 8058.
	OneClick bool
	// FeedbackID tells apart the issues and senders in the reports of mailbox
	// providers, see [FeedbackID]; empty: none.
	FeedbackID string
	// Greeting is what stands in the slot of that name.
	Greeting Greeting
	// Headers are further fields. Those that the package writes itself are
	// refused.
	Headers map[string]string
}

// Slots are marks to put into HTML and Text where a recipient's value goes.
// They consist of letters and digits, so that no escaping changes them. An
// empty one is not used.
type Slots struct {
	Email, Name, UnsubscribeURL string
	// Joined is the day on which the recipient signed up.
	Joined string
	// Greeting is a line of its own: it depends on whether there is a name.
	Greeting string
	// Token is the end of further addresses that are the recipient's alone.
	Token string
}

// NewSlots returns marks that no author can have written.
func NewSlots() Slots {
	return Slots{
		Email:          "SlotEmail" + rand.Text(),
		Name:           "SlotName" + rand.Text(),
		UnsubscribeURL: "SlotUnsubscribe" + rand.Text(),
		Joined:         "SlotJoined" + rand.Text(),
		Greeting:       "SlotGreeting" + rand.Text(),
		Token:          "SlotToken" + rand.Text(),
	}
}

// Compose renders l once. The bytes depend on l alone. It is an error when a
// header cannot be written as it is given, or when there is no content.
func Compose(l Letter, s Slots) (*Template, error) {
	t := &Template{subject: oneLine(l.Subject), oneClick: l.OneClick, greeting: l.Greeting}
	if l.UnsubscribeMailto != "" {
		if err := checkAddress(l.UnsubscribeMailto); err != nil {
			return nil, fmt.Errorf("compose the mail: address for unsubscribing: %w", err)
		}
		t.mailto = "mailto:" + strings.ReplaceAll(url.PathEscape(l.UnsubscribeMailto), "&", "%26") + "?subject=unsubscribe%20"
	}
	structure, body, err := l.body()
	if err != nil {
		return nil, fmt.Errorf("compose the mail: %w", err)
	}
	if err := t.header(l, structure); err != nil {
		return nil, fmt.Errorf("compose the mail: %w", err)
	}
	t.body(l, s, body)
	t.stuff()
	return t, nil
}

// boundary divides the parts. "=_" never occurs in quoted-printable text
// (RFC 2045, section 6.7), so a fixed one is safe.
const boundary = "=_threadmill"

// body renders the parts and returns the MIME fields that describe them.
func (l Letter) body() (textproto.MIMEHeader, []byte, error) {
	m := gomail.NewMsg(gomail.WithBoundary(boundary), gomail.WithNoDefaultUserAgent(), gomail.WithEncoding(gomail.EncodingQP))
	switch {
	case l.HTML == "" && l.Text == "":
		return nil, nil, errors.New("there is neither HTML nor text")
	case l.HTML == "":
		m.SetBodyString(gomail.TypeTextPlain, wholeLines(l.Text))
	case l.Text == "":
		m.SetBodyString(gomail.TypeTextHTML, wholeLines(l.HTML))
	default:
		// The library would write the boundary without the quotes it needs.
		m.SetGenHeader(gomail.HeaderContentType, `multipart/alternative; boundary="`+boundary+`"`)
		m.SetBodyString(gomail.TypeTextPlain, wholeLines(l.Text))
		m.AddAlternativeString(gomail.TypeTextHTML, wholeLines(l.HTML))
	}
	if len(l.Inline) > 0 && (l.HTML == "" || l.Text == "") {
		return nil, nil, errors.New("pictures need both HTML and text beside them")
	}
	var b bytes.Buffer
	if _, err := m.WriteTo(&b); err != nil {
		return nil, nil, err
	}
	head, body, _ := bytes.Cut(b.Bytes(), []byte("\r\n\r\n"))
	h, err := textproto.NewReader(bufio.NewReader(bytes.NewReader(append(head, "\r\n\r\n"...)))).ReadMIMEHeader()
	body = bytes.TrimLeft(body, "\r\n")
	if err == nil && len(l.Inline) > 0 {
		body, err = related(body, l.Inline)
	}
	return h, body, err
}

// wholeLines ends s with one line end, and lets nothing but UTF-8 through.
func wholeLines(s string) string {
	return strings.TrimRight(strings.ToValidUTF8(s, "\uFFFD"), "\r\n") + "\n"
}

// header writes the fields of all recipients, with cuts for those of one. Its
// order is the one a reader of the source expects.
func (t *Template) header(l Letter, structure textproto.MIMEHeader) error {
	if err := checkAddress(l.From.Address); err != nil {
		return fmt.Errorf("header From: %w", err)
	}
	h := header{b: t.literals}
	cut := func(s slot) { t.cuts = append(t.cuts, cut{at: len(h.b), slot: s}) }

	h.begin("From")
	h.mailbox(clean(l.From.Name), l.From.Address)
	h.end()
	cut(slotTo)
	h.begin("Subject")
	h.text(t.subject)
	h.end()
	cut(slotDate)
	cut(slotMessageID)
	if l.ReplyTo.Address != "" {
		if err := checkAddress(l.ReplyTo.Address); err != nil {
			return fmt.Errorf("header Reply-To: %w", err)
		}
		h.begin("Reply-To")
		h.mailbox(clean(l.ReplyTo.Name), l.ReplyTo.Address)
		h.end()
	}
	if err := h.listID(l.ListID); err != nil {
		return err
	}
	cut(slotUnsubscribe)
	if l.Archive != "" {
		if keep(l.Archive, visible) != l.Archive {
			return fmt.Errorf("header List-Archive: %q is no web address", l.Archive)
		}
		h.begin("List-Archive")
		h.angle(l.Archive)
		h.end()
	}
	if err := h.feedback(l.FeedbackID); err != nil {
		return err
	}
	if l.ListID != "" && !names(l.Headers, "Precedence") {
		// RFC 3834 and RFC 5230 keep away automatic answers by List-Id, but
		// there are servers that know this older sign only (RFC 2076, 3.9).
		h.begin("Precedence")
		h.word("bulk")
		h.end()
	}
	if err := h.further(l.Headers); err != nil {
		return err
	}
	h.begin("MIME-Version")
	h.word("1.0")
	h.end()
	for _, name := range []string{"Content-Type", "Content-Transfer-Encoding"} {
		if v := structure.Get(name); v != "" {
			h.begin(name)
			h.text(v)
			h.end()
		}
	}
	t.literals = append(h.b, "\r\n"...)
	return nil
}

// listID writes List-Id from "Title <identifier>" or "identifier".
func (h *header) listID(s string) error {
	if s == "" {
		return nil
	}
	name, id := "", s
	if i := strings.LastIndexByte(s, '<'); i >= 0 {
		name, id = s[:i], strings.TrimSuffix(strings.TrimSpace(s[i+1:]), ">")
	}
	if id == "" || keep(id, inAddress) != id || strings.Contains(id, "@") {
		return fmt.Errorf("header List-Id: %q is no identifier such as newsletter.example.org", id)
	}
	h.begin("List-Id")
	if name = oneLine(name); name != "" {
		h.phrase(name)
	}
	h.angle(id)
	h.end()
	return nil
}

// further writes the fields of the configuration, in the order of their names.
func (h *header) further(fields map[string]string) error {
	for _, name := range slices.SortedFunc(maps.Keys(fields), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.ToLower(a), strings.ToLower(b)), cmp.Compare(a, b))
	}) {
		value := fields[name]
		if err := checkField(name, value); err != nil {
			return err
		}
		h.begin(name)
		h.text(oneLine(value))
		h.end()
	}
	return nil
}

// checkField refuses a field that would break the header, or stand in it
// twice.
func checkField(name, value string) error {
	if name == "" || len(name) > 70 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ':' }) {
		return fmt.Errorf("header %q: a name has up to 70 ASCII letters, digits and hyphens", name)
	}
	switch lower := strings.ToLower(name); {
	case slices.Contains([]string{
		"from", "to", "cc", "bcc", "subject", "date", "message-id", "reply-to", "return-path", "received",
		"list-id", "list-unsubscribe", "list-unsubscribe-post", "list-archive", "feedback-id", "mime-version", "dkim-signature",
	}, lower), strings.HasPrefix(lower, "content-"):
		return fmt.Errorf("header %s: it is written from the other settings; leave it out", name)
	case strings.ContainsFunc(value, control):
		return fmt.Errorf("header %s: its value has a line break or control character", name)
	}
	return nil
}

// checkAddress holds s against addr-spec of RFC 5322, without quoted local
// parts.
func checkAddress(s string) error {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || len(s) > 254 || strings.Contains(domain, "@") || keep(s, inAddress) != s {
		return fmt.Errorf("%q is no mail address in ASCII", s)
	}
	return nil
}
