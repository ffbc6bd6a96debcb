package mail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

// Inline is a picture that travels in the mail.
type Inline struct {
	ID      string // of its Content-ID, without angle brackets
	Type    string // media type
	Content []byte
}

// relatedBoundary divides the HTML from its pictures. Neither boundary begins with
// the other one, since some readers look no further than that.
const relatedBoundary = "=_pictures"

// base64Line is how many octets make a line of base64 (RFC 2045, section 6.8).
const base64Line = 57

// related puts the pictures beside the HTML, which is the last part of the body
// (RFC 2387), so that whoever shows the text alone shows no picture either.
func related(body []byte, pictures []Inline) ([]byte, error) {
	begin := []byte("\r\n--" + boundary + "\r\n")
	from, to := bytes.LastIndex(body, begin), bytes.LastIndex(body, []byte("\r\n--"+boundary+"--"))
	if from < 0 || to < from {
		return nil, errors.New("the HTML part is not where it should be")
	}
	from += len(begin)
	var b bytes.Buffer
	b.Write(body[:from])
	fmt.Fprintf(&b, "Content-Type: multipart/related; type=\"text/html\";\r\n boundary=\"%s\"\r\n\r\n--%[1]s\r\n", relatedBoundary)
	b.Write(body[from:to])
	for _, p := range pictures {
		if keep(p.ID, visible) != p.ID || p.ID == "" || keep(p.Type, visible) != p.Type || p.Type == "" {
			return nil, fmt.Errorf("picture %q of type %q has no name for a header", p.ID, p.Type)
		}
		fmt.Fprintf(&b, "\r\n--%s\r\nContent-Type: %s\r\nContent-ID: <%s>\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: inline\r\n\r\n", relatedBoundary, p.Type, p.ID)
		for rest := p.Content; len(rest) > 0; {
			n := min(len(rest), base64Line)
			b.WriteString(base64.StdEncoding.EncodeToString(rest[:n]) + "\r\n")
			rest = rest[n:]
		}
	}
	fmt.Fprintf(&b, "\r\n--%s--\r\n", relatedBoundary)
	b.Write(body[to:])
	return b.Bytes(), nil
}
