package render

import (
	"bytes"
	"unicode/utf8"
)

// clean drops the characters that XML 1.0 (section 2.2) forbids and puts
// U+FFFD for invalid UTF-8, so that no feed or mail breaks on them whatever
// way they came in.
func clean(text []byte) []byte {
	if utf8.Valid(text) && !bytes.ContainsFunc(text, illegal) {
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

func illegal(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f || r == 0xfffe || r == 0xffff
}
