package mailbox

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emersion/go-message"
)

// The bounds of what is read from one mail to show it. A mail nested deeper
// or cut into more parts is shown as far as these go.
const (
	maxDepth  = 8
	maxParts  = 50
	maxFields = 200
	maxText   = 1 << 20 // bytes of the text part; the HTML part may fill the mail
)

// letter is what the pages show of a mail.
type letter struct {
	Subject string
	To      string
	Fields  []field
	Text    string
	HTML    string
}

// field is one header field, decoded (RFC 2047).
type field struct{ Name, Value string }

// errEnough ends a walk at its bounds.
var errEnough = errors.New("enough")

// readHeader reads a mail as far as its header. The entity goes on with the
// body.
func readHeader(r io.Reader) (*message.Entity, letter, error) {
	e, err := message.Read(r)
	if err != nil && e == nil {
		return nil, letter{}, fmt.Errorf("read the header: %w", err)
	}
	l := letter{Subject: decode(e.Header, "Subject"), To: decode(e.Header, "To")}
	return e, l, nil
}

// readLetter reads a whole mail: its header and the first text and HTML parts
// that are not attachments. Where the body is broken it returns what it could
// read and the error.
func readLetter(r io.Reader) (letter, error) {
	e, l, err := readHeader(r)
	if err != nil {
		return l, err
	}
	for fields := e.Header.Fields(); fields.Next() && len(l.Fields) < maxFields; {
		value, err := fields.Text()
		if err != nil {
			value = fields.Value()
		}
		l.Fields = append(l.Fields, field{fields.Key(), valid(value)})
	}
	parts := 0
	err = e.Walk(func(path []int, part *message.Entity, _ error) error {
		parts++
		if len(path) > maxDepth || parts > maxParts {
			return errEnough
		}
		return l.take(part)
	})
	if err != nil && !errors.Is(err, errEnough) {
		return l, fmt.Errorf("read the body: %w", err)
	}
	return l, nil
}

// take keeps part where it is the first of its kind.
func (l *letter) take(part *message.Entity) error {
	if disposition, _, _ := part.Header.ContentDisposition(); disposition == "attachment" {
		return nil
	}
	// A type that cannot be parsed is no type that is shown.
	kind, _, _ := part.Header.ContentType()
	var err error
	switch {
	case kind == "text/html" && l.HTML == "":
		l.HTML, err = readText(part.Body, maxBytes)
	case kind == "text/plain" && l.Text == "":
		l.Text, err = readText(part.Body, maxText)
	}
	return err
}

// readText reads at most limit bytes as UTF-8.
func readText(r io.Reader, limit int64) (string, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit))
	return valid(string(b)), err
}

// decode returns a header field as text; undecodable ones stay as they are.
func decode(h message.Header, key string) string {
	value, err := h.Text(key)
	if err != nil {
		value = h.Get(key)
	}
	return valid(value)
}

// valid replaces what is not UTF-8.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
