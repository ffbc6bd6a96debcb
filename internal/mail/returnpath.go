package mail

import (
	"fmt"
	"strings"
)

// ReturnPath says which envelope sender a message has. It is an address, the
// same for everybody, or one with a place for a token (VERP: a variable
// envelope return path), so that a report of non-delivery names its delivery by
// the address it comes to, whatever the report says. It stands frozen with its
// issue.
type ReturnPath string

// tokenPlace stands for the token. Braces are atext (RFC 5322, section 3.2.3),
// so that even who takes the path for an address gets one.
const tokenPlace = "+{token}@"

// maxLocal bounds the part before the @ (RFC 5321, section 4.5.3.1.1).
const maxLocal = 64

// MaxBounceToken bounds a token in octets; those of a publication with a
// million subscribers have 26.
const MaxBounceToken = 34

// Tokened is the path that puts a token behind the local part of address, as in
// jo+TOKEN@example.com (RFC 5233 calls it a detail).
func Tokened(address string) (ReturnPath, error) {
	if err := checkAddress(address); err != nil {
		return "", err
	}
	local, domain, _ := strings.Cut(address, "@")
	if room := maxLocal - MaxBounceToken - 1; len(local) > room {
		return "", fmt.Errorf("%q leaves no room for a token: the part before the @ may have %d octets", address, room)
	}
	return ReturnPath(local + tokenPlace + domain), nil
}

// Varies tells whether there is a place for a token.
func (p ReturnPath) Varies() bool { return strings.Contains(string(p), tokenPlace) }

// For is the envelope sender with token.
func (p ReturnPath) For(token string) string {
	return strings.Replace(string(p), tokenPlace, "+"+token+"@", 1)
}

// Token takes the token out of an address that a report came to. Servers may
// have changed the case of its letters, which is not part of a token.
func (p ReturnPath) Token(address string) (token string, ok bool) {
	before, after, varies := strings.Cut(strings.ToLower(string(p)), tokenPlace)
	address = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(address), "<"), ">"))
	rest, ours := strings.CutPrefix(address, before+"+")
	token, theirs := strings.CutSuffix(rest, "@"+after)
	return token, varies && ours && theirs && token != "" && len(token) <= MaxBounceToken && keep(token, inToken) == token
}
