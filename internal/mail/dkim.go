package mail

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/emersion/go-msgauth/dkim"
)

// Signer signs messages by DKIM (RFC 6376), once with each of its keys. It may
// be used by many goroutines.
type Signer struct {
	keys atomic.Pointer[[]Key]
}

// NewSigner returns a Signer with these keys, of which it needs none: then it
// signs nothing.
func NewSigner(keys ...Key) (*Signer, error) {
	s := new(Signer)
	return s, s.Use(keys...)
}

// Use replaces the keys, from the next message on. Where one of them cannot
// sign it is named by the error, and those before stay.
func (s *Signer) Use(keys ...Key) error {
	for _, k := range keys {
		signer, err := dkim.NewSigner(k.options(mustSign[:]))
		if err != nil {
			return fmt.Errorf("key %s of %s: %w", k.Selector, k.Domain, err)
		}
		_ = signer.Close() // it was given no message, and says so
	}
	keys = slices.Clone(keys)
	s.keys.Store(&keys)
	return nil
}

// Keys are those in use.
func (s *Signer) Keys() []Key { return *s.keys.Load() }

// mustSign are listed once more than they stand in a message, so that a second
// one that somebody adds breaks the signature (RFC 6376, section 8.15).
var mustSign = [...]string{"From", "To", "Subject"}

// signs tells whether a field is signed where it stands in a message: all that
// a reader sees or a mail program acts on (RFC 6376, section 5.4.1; RFC 8058,
// section 4), and nothing that a relay adds or replaces on the way.
func signs(field string) bool {
	switch strings.ToLower(field) {
	case "from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "in-reply-to", "references",
		"list-id", "list-help", "list-unsubscribe", "list-unsubscribe-post", "list-subscribe", "list-post", "list-owner", "list-archive",
		"feedback-id", "auto-submitted", "mime-version", "content-type", "content-transfer-encoding":
		return true
	}
	return false
}

// signedFields are the names for the tag h= of a message.
func signedFields(message []byte) []string {
	var fields []string
	for line := range bytes.Lines(message) {
		if len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
		name, _, ok := bytes.Cut(line, []byte(":"))
		if ok && line[0] != ' ' && line[0] != '\t' && signs(string(name)) {
			fields = append(fields, string(name))
		}
	}
	return append(fields, mustSign[:]...)
}

// options are those of one signature. Both parts are relaxed: a relay may fold
// a field anew or drop spaces at the end of a line.
func (k Key) options(fields []string) *dkim.SignOptions {
	return &dkim.SignOptions{
		Domain: k.Domain, Selector: k.Selector, Signer: k.Signer, Hash: crypto.SHA256,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: fields,
	}
}

var errNoFrom = errors.New("the message has no From")

// Sign returns the DKIM-Signature fields of a message with CRLF line ends,
// which is not dot-stuffed: they belong before its first field.
func (s *Signer) Sign(message []byte) ([]byte, error) {
	keys := s.Keys()
	if len(keys) == 0 {
		return nil, nil
	}
	fields := signedFields(message)
	if !slices.ContainsFunc(fields[:len(fields)-len(mustSign)], func(f string) bool { return strings.EqualFold(f, "From") }) {
		return nil, fmt.Errorf("sign the message: %w", errNoFrom)
	}
	var signed []byte
	for _, k := range keys {
		field, err := k.sign(message, fields)
		if err != nil {
			return nil, fmt.Errorf("sign the message with key %s of %s: %w", k.Selector, k.Domain, err)
		}
		signed = append(signed, field...)
	}
	return signed, nil
}

func (k Key) sign(message []byte, fields []string) (string, error) {
	signer, err := dkim.NewSigner(k.options(fields))
	if err != nil {
		return "", err
	}
	_, err = signer.Write(message)
	if closed := signer.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return "", err
	}
	return signer.Signature(), nil
}
