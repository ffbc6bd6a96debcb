package mail

import (
	"encoding/base64"
	"strings"
	"unicode"
	"unicode/utf8"
)

// lineLength is the length that RFC 5322, section 2.1.1, asks a line to keep.
const lineLength = 76

// maxToken bounds what cannot be folded, so that no line passes the 998 octets
// that RFC 5322 allows. Nothing that is built here comes near it.
const maxToken = 900

// header writes fields, folded between their words. It allocates nothing but
// room in b.
type header struct {
	b     []byte
	col   int  // octets on the line so far
	first bool // no word written yet: a fold would leave an empty line
}

func (h *header) begin(name string) {
	h.b = append(h.b, name...)
	h.b = append(h.b, ':')
	h.col = len(name) + 1
	h.first = true
}

func (h *header) end() { h.b = append(h.b, "\r\n"...) }

// space separates the next word, of n octets, from the one before it.
func (h *header) space(n int) {
	if !h.first && h.col+1+n > lineLength {
		h.b = append(h.b, "\r\n"...)
		h.col = 0
	}
	h.b = append(h.b, ' ')
	h.col += 1 + n
	h.first = false
}

// word writes what cannot be folded.
func (h *header) word(s string) {
	h.space(len(s))
	h.b = append(h.b, s...)
}

// angle writes <s>.
func (h *header) angle(s string) {
	h.space(len(s) + 2)
	h.b = append(h.b, '<')
	h.b = append(h.b, s...)
	h.b = append(h.b, '>')
}

// mailbox writes an address, with a display name where there is one.
func (h *header) mailbox(name, address string) {
	if name == "" {
		h.word(address)
		return
	}
	h.phrase(name)
	h.angle(address)
}

// phrase writes a display name: quoted where it is short ASCII, else encoded.
func (h *header) phrase(s string) {
	if len(s) > lineLength-16 || !plain(s) {
		h.encoded(s)
		return
	}
	h.space(len(s) + 2)
	h.b = append(h.b, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			h.b = append(h.b, '\\')
			h.col++
		}
		h.b = append(h.b, s[i])
	}
	h.b = append(h.b, '"')
}

// text writes unstructured text that has single spaces only.
func (h *header) text(s string) {
	if !plain(s) || longest(s) > maxToken {
		h.encoded(s)
		return
	}
	for w := range strings.SplitSeq(s, " ") {
		h.word(w)
	}
}

// encoded writes encoded words (RFC 2047), each with whole characters and
// within its line, in the encoding that is shorter for s.
func (h *header) encoded(s string) {
	const frame = len("=?utf-8?q??=")
	base64Shorter := quotedLength(s) > base64.StdEncoding.EncodedLen(len(s))
	for s != "" {
		room := lineLength - 1 - h.col - frame
		if room < 24 && !h.first {
			room = lineLength - 1 - frame
		}
		if base64Shorter {
			n := whole(s, room/4*3, func(b byte) int { return 1 })
			h.space(frame + base64.StdEncoding.EncodedLen(n))
			h.b = append(h.b, "=?utf-8?b?"...)
			h.b = appendBase64(h.b, s[:n])
			s = s[n:]
		} else {
			n := whole(s, room, quotedWidth)
			h.space(frame + quotedLength(s[:n]))
			h.b = append(h.b, "=?utf-8?q?"...)
			h.b = appendQuoted(h.b, s[:n])
			s = s[n:]
		}
		h.b = append(h.b, "?="...)
	}
}

// whole returns how many octets of s make up whole characters, at least one,
// that fit into room.
func whole(s string, room int, width func(byte) int) int {
	n := 0
	for n < len(s) {
		_, size := utf8.DecodeRuneInString(s[n:])
		for i := range size {
			room -= width(s[n+i])
		}
		if room < 0 && n > 0 {
			break
		}
		n += size
	}
	return n
}

// appendBase64 encodes s piece by piece, to do without a copy of it on the
// heap.
func appendBase64(dst []byte, s string) []byte {
	var piece [57]byte
	for s != "" {
		n := copy(piece[:], s)
		dst = base64.StdEncoding.AppendEncode(dst, piece[:n])
		s = s[n:]
	}
	return dst
}

// appendQuoted is the Q encoding with the characters that RFC 2047, section 5,
// allows in a display name.
func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		switch b := s[i]; {
		case b == ' ':
			dst = append(dst, '_')
		case quotedWidth(b) == 1:
			dst = append(dst, b)
		default:
			dst = appendHex(dst, b)
		}
	}
	return dst
}

func quotedWidth(b byte) int {
	if b == ' ' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || b == '-' || b == '!' {
		return 1
	}
	return 3
}

func quotedLength(s string) int {
	n := 0
	for i := range len(s) {
		n += quotedWidth(s[i])
	}
	return n
}

// appendHex is the form =XX of quoted-printable and of the Q encoding.
func appendHex(dst []byte, b byte) []byte {
	const digits = "0123456789ABCDEF"
	return append(dst, '=', digits[b>>4], digits[b&15])
}

// plain tells whether s stands for itself in a header: printable ASCII without
// what looks like an encoded word.
func plain(s string) bool { return printable(s) && !strings.Contains(s, "=?") }

// printable tells whether s is printable ASCII.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// longest is the length of the longest word of s.
func longest(s string) int {
	n := 0
	for w := range strings.SplitSeq(s, " ") {
		n = max(n, len(w))
	}
	return n
}

// control tells whether r may not stand in a header or in a recipient's value:
// control characters and Unicode's own line breaks.
func control(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
}

// clean makes control characters and line breaks spaces and bytes that are not
// UTF-8 U+FFFD. What is clean is returned as it is.
func clean(s string) string {
	if printable(s) {
		return strings.TrimSpace(s)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, control) {
		s = strings.Map(func(r rune) rune {
			if control(r) {
				return ' '
			}
			return r
		}, s)
	}
	return strings.TrimSpace(s)
}

// oneLine is s, clean, with single spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// keep drops the octets of s that ok refuses, and what is longer than a line
// may be. What is clean is returned as it is.
func keep(s string, ok func(byte) bool) string {
	for i := range len(s) {
		if !ok(s[i]) {
			s = string(filter([]byte(s), ok))
			break
		}
	}
	return s[:min(len(s), maxToken)]
}

func filter(b []byte, ok func(byte) bool) []byte {
	out := b[:0]
	for _, c := range b {
		if ok(c) {
			out = append(out, c)
		}
	}
	return out
}

// visible octets may stand between angle brackets.
func visible(b byte) bool { return b > ' ' && b <= '~' && b != '<' && b != '>' }

// inAddress octets may stand in an addr-spec or identifier without quotes.
func inAddress(b byte) bool { return visible(b) && strings.IndexByte(`",:;()[]\`, b) < 0 }
