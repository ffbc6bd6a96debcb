package config

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
)

const redacted = "[redacted]"

// Secret is a text that must not be shown. However it is printed, logged or
// encoded it reads [redacted], or nothing when it is empty. Go calls no methods
// in two places, where a Secret must not stand: an unexported field that is
// printed by fmt, and a key of a map that becomes JSON.
type Secret string

// Reveal returns the secret in clear.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// Format hides the secret from every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText hides the secret from JSON, XML and YAML.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Database names the database: the path of a file, or an address such as
// postgres://name:password@host/base, whose password is never shown.
type Database string

// Reveal returns the name in clear.
func (d Database) Reveal() string { return string(d) }

// String is the name without what may be secret in it.
func (d Database) String() string {
	text := string(d)
	if !strings.Contains(text, "://") {
		if strings.Contains(strings.ToLower(text), "password") { // host=db password=…
			return redacted
		}
		return text
	}
	u, err := url.Parse(text)
	if err != nil || u.User == nil && strings.Contains(text, "@") {
		return redacted // a password with an unescaped / or # lies anywhere
	}
	text = u.Scheme + "://"
	if u.User != nil {
		text += u.User.Username()
		if _, ok := u.User.Password(); ok {
			text += ":" + redacted
		}
		text += "@"
	}
	text += u.Host + u.EscapedPath()
	if u.RawQuery != "" { // may hold password, sslpassword, passfile …
		text += "?" + redacted
	}
	return text
}

// Format hides the password from every verb of fmt.
func (d Database) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// MarshalText hides the password from JSON, XML and YAML.
func (d Database) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// LogValue hides the password from slog.
func (d Database) LogValue() slog.Value { return slog.StringValue(d.String()) }
