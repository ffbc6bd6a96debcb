package mail

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Greeting is the line above a mail: around the name of its reader, or for one
// who has none. It holds no control characters. The zero Greeting is no line.
type Greeting struct {
	Before, After string
	Nameless      string
}

// maxGreeted is the longest name that is greeted, in characters.
const maxGreeted = 60

// append writes the line for a name.
func (g Greeting) append(dst []byte, name string, html, wire bool) []byte {
	name = strings.TrimSpace(clean(name))
	if !greetable(name) {
		return appendClean(dst, g.Nameless, html, wire)
	}
	dst = appendClean(dst, g.Before, html, wire)
	dst = appendClean(dst, name, html, wire)
	return appendClean(dst, g.After, html, wire)
}

// greetable tells whether a name can be one: whoever signs up types it, and may
// type an advertisement with an address that mail programs make a link of.
func greetable(name string) bool {
	if utf8.RuneCountInString(name) > maxGreeted || !strings.ContainsFunc(name, unicode.IsLetter) {
		return false
	}
	if strings.ContainsAny(name, "@/\\") || strings.ContainsFunc(name, turns) {
		return false
	}
	// A full stop amid a word may be that of a host: evil.example, not J.R. Ewing.
	for rest := name; ; {
		var found bool
		if _, rest, found = strings.Cut(rest, "."); !found {
			return true
		}
		if letters := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) }); letters > 1 || letters < 0 && utf8.RuneCountInString(rest) > 1 {
			return false
		}
	}
}

// turns tells whether r forces a direction, which the text after it would have
// too (UAX #9, sections 2.1 to 2.5).
func turns(r rune) bool { return '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' }
