package feed

import (
	"strings"
	"unicode/utf8"
)

// text drops what XML 1.0 cannot carry (section 2.2: most control characters and
// the noncharacters U+FFFE and U+FFFF), bytes that are not UTF-8, and the C1 controls and U+FFFD,
// which validators take for a broken encoding. Line ends become LF, as an XML
// parser would make them, so that all formats carry the same text.
func text(s string) string {
	if isPlain(s) {
		return strings.TrimSpace(s)
	}
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n':
			return r
		case r == '\r':
			return '\n'
		case r < 0x20, 0x7f <= r && r <= 0x9f, 0xfffe&r == 0xfffe, r == utf8.RuneError:
			return -1
		}
		return r
	}, s))
}

// line is text on one line, with single spaces.
func line(s string) string { return strings.Join(strings.Fields(text(s)), " ") }

// markup is a text as HTML. Quotation marks and apostrophes mean nothing in it and
// stay: browsers that show a feed, and readers that take the text for plain, would
// show their references.
func markup(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// isPlain tells whether a text holds ASCII alone, and none of it that text drops.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' && c != '\n' || c >= 0x7f {
			return false
		}
	}
	return true
}
