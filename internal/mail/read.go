package mail

import (
	"bytes"
	"fmt"
	"io"

	"github.com/emersion/go-message"
)

// Sent is what a reader saw of a mail.
type Sent struct {
	Subject string `json:"subject"`
	Text    string `json:"text"`
	HTML    string `json:"html"`
}

// maxPart bounds a part that Show reads, in bytes.
const maxPart = 16 << 20

// Show is the letter as r would see it.
func (t *Template) Show(r Recipient) (Sent, error) {
	sent := Sent{Subject: t.Subject()}
	e, err := message.Read(bytes.NewReader(t.Append(nil, r)))
	if err == nil {
		err = e.Walk(func(_ []int, part *message.Entity, err error) error {
			if err != nil {
				return err
			}
			kind, _, err := part.Header.ContentType()
			into := map[string]*string{"text/plain": &sent.Text, "text/html": &sent.HTML}[kind]
			if err != nil || into == nil {
				return err
			}
			body, err := io.ReadAll(io.LimitReader(part.Body, maxPart))
			*into = string(bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")))
			return err
		})
	}
	if err != nil {
		return Sent{}, fmt.Errorf("read the mail of %q: %w", t.Subject(), err)
	}
	return sent, nil
}
