package audience

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/net/idna"
)

// The bounds of an address in octets: RFC 5321, section 4.5.3.1, where the
// path of 256 octets leaves 254 between its angle brackets, and RFC 1035,
// section 2.3.4, for the labels of the domain.
const (
	maxAddress = 254
	maxLocal   = 64
	maxLabel   = 63
)

// The bounds of a name. The second one holds where a single grapheme is a
// heap of combining marks.
const (
	maxNameGraphemes = 200
	maxNameBytes     = 800
)

// Address is one mailbox.
type Address struct {
	// Email is the address as it was given, its domain in lower-case ASCII.
	Email string
	// Key identifies the mailbox: the whole address in lower case. RFC 5321
	// lets a host tell "Ada" from "ada", but no provider does.
	Key string
	// Name is the clean display name of "Name <address>", else empty.
	Name string
}

// AddressError says why a text is no address that mail can be sent to.
type AddressError struct {
	Text   string // what was given
	Reason string // "has no @"
}

func (e *AddressError) Error() string {
	return fmt.Sprintf("address %q %s", clip(e.Text, 80), e.Reason)
}

// ParseAddress reads "ada@example.org" or "Ada <ada@example.org>" as
// RFC 5321, section 4.1.2, defines a mailbox, without quoted local parts and
// address literals. An international domain becomes ASCII. Every error is an
// [*AddressError].
func ParseAddress(s string) (Address, error) {
	refuse := func(reason string, args ...any) (Address, error) {
		return Address{}, &AddressError{Text: s, Reason: fmt.Sprintf(reason, args...)}
	}
	if !utf8.ValidString(s) {
		return refuse("is not valid UTF-8")
	}
	if strings.ContainsFunc(s, breaks) {
		return refuse("has a line break or control character")
	}
	email, name := strings.TrimSpace(s), ""
	if before, ok := strings.CutSuffix(email, ">"); ok {
		i := strings.LastIndexByte(before, '<')
		if i < 0 {
			return refuse("has a > without its <")
		}
		email, name = strings.TrimSpace(before[i+1:]), displayName(before[:i])
	}
	if email == "" {
		return refuse("is empty")
	}
	at := strings.LastIndexByte(email, '@')
	if at < 0 {
		return refuse("has no @")
	}
	if reason := checkLocal(email[:at]); reason != "" {
		return refuse("%s", reason)
	}
	domain, reason := asciiDomain(email[at+1:])
	if reason != "" {
		return refuse("%s", reason)
	}
	email = email[:at+1] + domain
	if len(email) > maxAddress {
		return refuse("is longer than %d octets", maxAddress)
	}
	return Address{Email: email, Key: strings.ToLower(email), Name: name}, nil
}

// displayName takes the quotes off the phrase before an angle bracket.
func displayName(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(s[1 : len(s)-1])
	}
	return CleanName(s)
}

// checkLocal holds the part before the @ against dot-string of RFC 5321,
// section 4.1.2. It returns what is wrong, or "".
func checkLocal(local string) string {
	switch {
	case local == "":
		return "has nothing before the @"
	case len(local) > maxLocal:
		return fmt.Sprintf("has more than %d octets before the @", maxLocal)
	case local[0] == '"':
		return "has a quoted part before the @, which many servers refuse"
	case strings.HasPrefix(local, "."), strings.HasSuffix(local, "."), strings.Contains(local, ".."):
		return "has a dot at the edge of the part before the @, or two in a row"
	}
	for _, r := range local {
		switch {
		case r == '@':
			return "has more than one @"
		case unicode.IsSpace(r):
			return "has a space"
		case r >= utf8.RuneSelf:
			return fmt.Sprintf("has %q before the @; only ASCII letters reach every server (an address with others needs SMTPUTF8)", r)
		case !atext(r):
			return fmt.Sprintf("has %q before the @", r)
		}
	}
	return ""
}

// atext is the rule of that name in RFC 5322, section 3.2.3, with the dot.
func atext(r rune) bool {
	return alnum(r) || strings.ContainsRune(".!#$%&'*+-/=?^_`{|}~", r)
}

func alnum(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// asciiDomain returns the domain as it stands in an envelope, or what is
// wrong with it.
func asciiDomain(s string) (domain, reason string) {
	domain = strings.ToLower(s)
	if !plainASCII(domain) || strings.Contains(domain, "xn--") {
		ascii, err := idna.Lookup.ToASCII(s)
		if err != nil {
			return "", fmt.Sprintf("has a domain that is no international domain name (%v)", err)
		}
		domain = ascii
	}
	labels := 0
	for label := range strings.SplitSeq(domain, ".") {
		if reason := checkLabel(label); reason != "" {
			return "", reason
		}
		labels++
	}
	if labels < 2 {
		return "", "needs a domain with a dot, such as example.org"
	}
	if top := domain[strings.LastIndexByte(domain, '.')+1:]; strings.Trim(top, "0123456789") == "" {
		return "", "has a number where the domain ends; an IP address is no domain"
	}
	return domain, ""
}

// checkLabel holds one part of a domain against sub-domain of RFC 5321.
func checkLabel(label string) string {
	switch {
	case label == "":
		return "has a domain with a dot too many, or none at all"
	case len(label) > maxLabel:
		return fmt.Sprintf("has a domain part longer than %d octets", maxLabel)
	case label[0] == '-', label[len(label)-1] == '-':
		return "has a domain part with a hyphen at its edge"
	}
	for _, r := range label {
		if !alnum(r) && r != '-' {
			return fmt.Sprintf("has %q in its domain", r)
		}
	}
	return ""
}

func plainASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// CleanName makes a name fit for a header and a page: line breaks, control
// characters and those that turn the reading direction become spaces, runs of
// spaces one space, and the rest is cut at 200 graphemes.
func CleanName(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || breaks(r) }), " ")
	if len(s) <= maxNameGraphemes {
		return s
	}
	end, state := 0, -1
	for range maxNameGraphemes {
		cluster, _, _, next := uniseg.FirstGraphemeClusterInString(s[end:], state)
		if cluster == "" || end+len(cluster) > maxNameBytes {
			break
		}
		end, state = end+len(cluster), next
	}
	return strings.TrimSpace(s[:end])
}

// breaks tells whether r may end a line, is a control character, or turns the
// reading direction of what stands after it.
func breaks(r rune) bool {
	return unicode.IsControl(r) || '\u2028' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069'
}

// Mask hides an address on a page that others may see, yet lets its owner
// know it again: "a…@e….org".
func Mask(email string) string {
	local, domain, _ := strings.Cut(email, "@")
	masked := initial(local) + "@" + initial(domain)
	if dot := strings.LastIndexByte(domain, '.'); dot >= 0 {
		masked += domain[dot:]
	}
	return masked
}

func initial(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return "…"
	}
	return string(r) + "…"
}

// clip bounds a text that a message shows to n bytes, at a whole rune.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
