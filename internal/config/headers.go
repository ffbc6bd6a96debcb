package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// headerName is narrower than RFC 5322, which allows all of ASCII that can be
// seen but the colon.
var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,69}$`)

// setHeader sets one of mail.headers after its checks.
func (m *Mail) setHeader(name, value string) error {
	switch {
	case !headerName.MatchString(name):
		return errors.New("not the name of a header; write letters, digits and hyphens, such as X-Campaign")
	case reserved(name):
		return errors.New("this header is set by the program; leave it out")
	case value == "":
		return errors.New("no value; write one or leave the header out")
	case strings.ContainsFunc(value, unicode.IsControl):
		return errors.New("holds a line break or another control character; write it on one line")
	case len(name)+2+len(value) > 998:
		return errors.New("longer than the 998 bytes a line of mail may have; shorten it")
	}
	for other := range m.Headers {
		if other != name && strings.EqualFold(other, name) {
			return fmt.Errorf("given twice, also as %s; leave one out", other)
		}
	}
	if m.Headers == nil {
		m.Headers = map[string]string{}
	}
	m.Headers[name] = value
	return nil
}

// reserved tells whether a header belongs to the program or to the relay.
func reserved(name string) bool {
	name = strings.ToLower(name)
	for _, prefix := range []string{"list-", "content-", "arc-", "resent-", "dkim-", "received"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"from", "to", "cc", "bcc", "sender", "reply-to", "subject", "date", "message-id", "in-reply-to", "references",
		"mime-version", "return-path", "auto-submitted", "feedback-id", "authentication-results",
	}, name)
}
