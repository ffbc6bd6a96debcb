package mail

import (
	"bytes"
	"strings"
	"time"
)

// Template is a letter rendered once: literal bytes, and the places where a
// recipient's values go. It may be used by many goroutines.
type Template struct {
	subject  string
	mailto   string // beginning of the mailto form of List-Unsubscribe; the token follows
	oneClick bool
	greeting Greeting
	literals []byte
	cuts     []cut  // ascending
	wire     []byte // literals with their dots stuffed
}

// cut is a place between two literals.
type cut struct {
	at   int // offset in literals
	wire int // offset in wire
	slot slot
}

// slot says what stands at a cut. The numbers are part of the snapshot.
type slot byte

const (
	slotTo slot = iota
	slotDate
	slotMessageID
	slotUnsubscribe
	slotTextEmail
	slotTextName
	slotTextURL
	slotHTMLEmail
	slotHTMLName
	slotHTMLURL
	slotTextJoined // from here on since version 2
	slotHTMLJoined
	slotTextGreeting
	slotHTMLGreeting
	slotToken // since version 3; a token needs no escape
	slotCount
)

// Recipient holds the values of one copy.
type Recipient struct {
	Email string // ASCII
	Name  string // may be empty
	// MessageID has its angle brackets; see [MessageID].
	MessageID string
	// UnsubscribeURL is https; when it is empty, the header has no https form.
	UnsubscribeURL   string
	UnsubscribeToken string
	Joined           string // the day of signing up, as a reader sees it
	Date             time.Time
}

// Subject is the subject of every copy, as a reader sees it.
func (t *Template) Subject() string { return t.subject }

// body adds the rendered parts, with cuts where the marks stood.
func (t *Template) body(l Letter, s Slots, body []byte) {
	text, html := body, []byte(nil)
	switch delimiter := []byte("\r\n--" + boundary + "\r\n"); {
	case l.Text == "":
		text, html = nil, body
	case l.HTML != "":
		i := bytes.Index(body, delimiter) // the one before the text part has no CRLF of its own
		text, html = body[:i], body[i:]
	}
	t.part(text, [...]mark{
		{s.Email, slotTextEmail},
		{s.Name, slotTextName},
		{s.UnsubscribeURL, slotTextURL},
		{s.Joined, slotTextJoined},
		{s.Greeting, slotTextGreeting},
		{s.Token, slotToken},
	})
	t.part(html, [...]mark{
		{s.Email, slotHTMLEmail},
		{s.Name, slotHTMLName},
		{s.UnsubscribeURL, slotHTMLURL},
		{s.Joined, slotHTMLJoined},
		{s.Greeting, slotHTMLGreeting},
		{s.Token, slotToken},
	})
}

type mark struct {
	text string
	slot slot
}

func (t *Template) part(b []byte, marks [6]mark) {
	for len(b) > 0 {
		at, n, s := next(b, marks)
		t.literals = append(t.literals, b[:at]...)
		if n > 0 {
			t.cuts = append(t.cuts, cut{at: len(t.literals), slot: s})
		}
		b = b[at+n:]
	}
}

// next finds the first mark in b: where it begins, the octets it takes with
// the soft break after it, and its slot. Without one it returns len(b), 0.
func next(b []byte, marks [6]mark) (at, n int, s slot) {
	for at = range b {
		for _, m := range marks {
			if n := marked(b[at:], m.text); n > 0 {
				if bytes.HasPrefix(b[at+n:], []byte(softBreak)) {
					n += len(softBreak)
				}
				return at, n, m.slot
			}
		}
	}
	return len(b), 0, 0
}

// marked returns how many octets of b the mark at its beginning takes. The
// encoder may have put a soft break between any two of its characters.
func marked(b []byte, mark string) int {
	if mark == "" || b[0] != mark[0] {
		return 0
	}
	n := 0
	for i := range len(mark) {
		if i > 0 && bytes.HasPrefix(b[n:], []byte(softBreak)) {
			n += len(softBreak)
		}
		if n == len(b) || b[n] != mark[i] {
			return 0
		}
		n++
	}
	return n
}

// Append adds the whole message for r to dst: CRLF line ends, not dot-stuffed,
// no line longer than 998 octets whatever r holds. Nothing in r can add a
// field or a part: control characters in a name become spaces, octets that
// cannot stand in an address or URL are dropped. It allocates only to grow dst
// or to clean a value.
func (t *Template) Append(dst []byte, r Recipient) []byte { return t.append(dst, &r, false) }

func (t *Template) append(dst []byte, r *Recipient, wire bool) []byte {
	literals, from := t.literals, 0
	if wire {
		literals = t.wire
	}
	for _, c := range t.cuts {
		at := c.at
		if wire {
			at = c.wire
		}
		dst = append(dst, literals[from:at]...)
		dst = t.fill(dst, c.slot, r, wire)
		from = at
	}
	return append(dst, literals[from:]...)
}

// stuff stuffs the dots of the literals once for all copies. What stands in a
// slot ends with its line, so that every literal begins one.
func (t *Template) stuff() {
	t.wire = make([]byte, 0, len(t.literals)+len(t.literals)/64)
	from := 0
	for i := range t.cuts {
		c := &t.cuts[i]
		t.wire = appendStuffed(t.wire, t.literals[from:c.at])
		c.wire, from = len(t.wire), c.at
	}
	t.wire = appendStuffed(t.wire, t.literals[from:])
}

func (t *Template) fill(dst []byte, s slot, r *Recipient, wire bool) []byte {
	switch s {
	case slotTo:
		h := header{b: dst}
		h.begin("To")
		h.mailbox(clean(r.Name), keep(r.Email, inAddress))
		h.end()
		return h.b
	case slotDate:
		dst = append(dst, "Date: "...)
		dst = r.Date.AppendFormat(dst, time.RFC1123Z)
		return append(dst, "\r\n"...)
	case slotMessageID:
		h := header{b: dst}
		h.begin("Message-ID")
		h.angle(keep(strings.Trim(r.MessageID, "<>"), visible))
		h.end()
		return h.b
	case slotUnsubscribe:
		return t.unsubscribe(dst, r)
	case slotTextEmail, slotHTMLEmail:
		return appendValue(dst, r.Email, s == slotHTMLEmail, wire)
	case slotTextName, slotHTMLName:
		return appendValue(dst, r.Name, s == slotHTMLName, wire)
	case slotTextURL, slotHTMLURL:
		return appendValue(dst, r.UnsubscribeURL, s == slotHTMLURL, wire)
	case slotToken:
		return appendValue(dst, keep(r.UnsubscribeToken, inToken), false, wire)
	case slotTextJoined, slotHTMLJoined:
		return appendValue(dst, r.Joined, s == slotHTMLJoined, wire)
	case slotTextGreeting, slotHTMLGreeting:
		return t.greeting.append(dst, r.Name, s == slotHTMLGreeting, wire)
	}
	return dst
}

// unsubscribe writes the fields of RFC 2369, section 3.2, and RFC 8058,
// section 3.1. The https form comes first, because the first one is preferred.
func (t *Template) unsubscribe(dst []byte, r *Recipient) []byte {
	url := ""
	if t.oneClick {
		url = keep(r.UnsubscribeURL, visible)
	}
	token := keep(r.UnsubscribeToken, inToken)
	if url == "" && (t.mailto == "" || token == "") {
		return dst
	}
	h := header{b: dst}
	h.begin("List-Unsubscribe")
	if url != "" {
		h.angle(url)
	}
	if t.mailto != "" && token != "" {
		if url != "" {
			h.b = append(h.b, ',')
			h.col++
		}
		h.space(len(t.mailto) + len(token) + 2)
		h.b = append(h.b, '<')
		h.b = append(h.b, t.mailto...)
		h.b = append(h.b, token...)
		h.b = append(h.b, '>')
	}
	h.end()
	if url != "" {
		h.begin("List-Unsubscribe-Post")
		h.word("List-Unsubscribe=One-Click")
		h.end()
	}
	return h.b
}

// inToken octets need no escape in a URL (RFC 3986, section 2.3).
func inToken(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '.' || b == '_' || b == '~'
}

// softBreak is a line end of quoted-printable that is not part of the text.
const softBreak = "=\r\n"

// appendValue writes v into a quoted-printable part (RFC 2045, section 6.7),
// on lines of its own between soft breaks, so that the lines of the literals
// keep their length. In HTML it is escaped for text and quoted attributes.
// On the wire its dots are stuffed.
func appendValue(dst []byte, v string, html, wire bool) []byte {
	return appendClean(dst, clean(v), html, wire)
}

// appendClean is appendValue for what holds no control character.
func appendClean(dst []byte, v string, html, wire bool) []byte {
	col := 0
	if n := len(dst); n > 0 && dst[n-1] != '\n' {
		dst = append(dst, softBreak...)
	}
	for i := range len(v) {
		var octets [5]byte
		written := quotedOctet(octets[:0], v[i])
		if entity := escaped(v[i]); html && entity != "" {
			written = append(written[:0], entity...)
		}
		if col+len(written) >= lineLength {
			dst = append(dst, softBreak...)
			col = 0
		}
		if wire && col == 0 && v[i] == '.' {
			dst = append(dst, '.')
		}
		dst = append(dst, written...)
		col += len(written)
	}
	if col > 0 {
		dst = append(dst, softBreak...)
	}
	return dst
}

// quotedOctet adds b as quoted-printable.
func quotedOctet(dst []byte, b byte) []byte {
	if b >= ' ' && b <= '~' && b != '=' {
		return append(dst, b)
	}
	return appendHex(dst, b)
}

// escaped is the entity for what means something in HTML, else "".
func escaped(b byte) string {
	switch b {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&#34;"
	case '\'':
		return "&#39;"
	}
	return ""
}
