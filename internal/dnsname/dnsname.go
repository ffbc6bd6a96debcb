// Package dnsname tells what the name of a domain says of who sends mail. It
// imports nothing of ours.
package dnsname

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// ASCII is a domain as it stands in DNS (RFC 5891), without a dot at its end;
// an error where it can be none.
func ASCII(name string) (string, error) {
	return idna.Lookup.ToASCII(strings.TrimSuffix(strings.ToLower(name), "."))
}

// Organisation is the domain that somebody registered, which makes it and those
// below it one for DMARC (RFC 7489, section 3.2); the domain itself where
// nobody could register it. It takes a domain as ASCII returns it.
func Organisation(ascii string) string {
	if registered, err := publicsuffix.EffectiveTLDPlusOne(ascii); err == nil {
		return registered
	}
	return ascii
}

// Aligned tells whether two domains, as ASCII returns them, count as one sender
// in the relaxed mode of RFC 7489, section 3.1.
func Aligned(a, b string) bool { return a == b || Organisation(a) == Organisation(b) }
