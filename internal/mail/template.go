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
	literals []byte
	cuts     []cut // ascending
}

// cut is a place between two literals.
type cut struct {
	at   int // offset in literals
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
	t.part(text, [...]mark{{s.Email, slotTextEmail}, {s.Name, slotTextName}, {s.UnsubscribeURL, slotTextURL}})
	t.part(html, [...]mark{{s.Email, slotHTMLEmail}, {s.Name, slotHTMLName}, {s.UnsubscribeURL, slotHTMLURL}})
}

type mark struct {
	text string
	slot slot
}

func (t *Template) part(b []byte, marks [3]mark) {
	for len(b) > 0 {
		at, n, s := next(b, marks)
		t.literals = append(t.literals, b[:at]...)
		if n > 0 {
			t.cuts = append(t.cuts, cut{len(t.literals), s})
		}
		b = b[at+n:]
	}
}

// next finds the first mark in b: where it begins, the octets it takes with
// the soft break after it, and its slot. Without one it returns len(b), 0.
func next(b []byte, marks [3]mark) (at, n int, s slot) {
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
func (t *Template) Append(dst []byte, r Recipient) []byte {
	from := 0
	for _, c := range t.cuts {
		dst = append(dst, t.literals[from:c.at]...)
		dst = t.fill(dst, c.slot, r)
		from = c.at
	}
	return append(dst, t.literals[from:]...)
}

func (t *Template) fill(dst []byte, s slot, r Recipient) []byte {
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
		return appendValue(dst, r.Email, s == slotHTMLEmail)
	case slotTextName, slotHTMLName:
		return appendValue(dst, r.Name, s == slotHTMLName)
	case slotTextURL, slotHTMLURL:
		return appendValue(dst, r.UnsubscribeURL, s == slotHTMLURL)
	}
	return dst
}

// unsubscribe writes the fields of RFC 2369, section 3.2, and RFC 8058,
// section 3.1. The https form comes first, because the first one is preferred.
func (t *Template) unsubscribe(dst []byte, r Recipient) []byte {
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
func appendValue(dst []byte, v string, html bool) []byte {
	col := 0
	if n := len(dst); n > 0 && dst[n-1] != '\n' {
		dst = append(dst, softBreak...)
	}
	v = clean(v)
	for i := range len(v) {
		entity := ""
		if html {
			entity = escaped(v[i])
		}
		literal := v[i] >= ' ' && v[i] <= '~' && v[i] != '='
		width := 3
		if entity != "" {
			width = len(entity)
		} else if literal {
			width = 1
		}
		if col+width >= lineLength {
			dst = append(dst, softBreak...)
			col = 0
		}
		switch {
		case entity != "":
			dst = append(dst, entity...)
		case literal:
			dst = append(dst, v[i])
		default:
			dst = appendHex(dst, v[i])
		}
		col += width
	}
	if col > 0 {
		dst = append(dst, softBreak...)
	}
	return dst
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
