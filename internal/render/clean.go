package render

import (
	"bytes"
	"unicode/utf8"
)

// clean drops the characters that XML 1.0 (section 2.2) forbids and puts
// U+FFFD for invalid UTF-8, so that no feed or mail breaks on them whatever
// way they came in.
func clean(text []byte) []byte {
	if isClean(text) {
		return text
	}
	text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	return bytes.Map(func(r rune) rune {
		if illegal(r) {
			return -1
		}
		return r
	}, text)
}

// isClean looks at bytes, not at runes: all that is written goes through it.
func isClean(text []byte) bool {
	for i, c := range text {
		switch {
		case ' ' <= c && c < 0x7f, c == '\n', c == '\t', c == '\r':
		case c < ' ', c == 0x7f:
			return false
		case c == 0xef && i+2 < len(text) && text[i+1] == 0xbf && text[i+2] >= 0xbe: // U+FFFE and U+FFFF
			return false
		}
	}
	return utf8.Valid(text)
}

func illegal(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || r == 0xfffe || r == 0xffff
}
