package thread

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/gosimple/slug"
	"github.com/rivo/uniseg"
)

// tidy turns source into valid UTF-8 with LF line ends and without a byte
// order mark. Line numbers stay as they are.
func tidy(source []byte) string {
	source = bytes.TrimPrefix(source, []byte("\ufeff"))
	s := strings.ToValidUTF8(string(source), "\ufffd")
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
}

// clean drops what XML 1.0 section 2.2 does not allow in a document, and the
// control characters it discourages. Invalid UTF-8 becomes U+FFFD.
func clean(s string) string {
	if isPlain(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n':
			return r
		case unicode.IsControl(r), r == '\ufffe', r == '\uffff':
			return -1
		}
		return r
	}, s)
}

// isPlain tells whether s is ASCII without control characters. Most text is,
// and need not be looked at rune by rune.
func isPlain(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' && c != '\t' && c != '\n' || c >= 0x7f {
			return false
		}
	}
	return true
}

// line makes s fit for one line: control characters and line breaks become
// spaces. No-break spaces stay.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	return collapse(clean(s))
}

// collapse leaves one space between words.
func collapse(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return r == ' ' || r == '\t' || r == '\n'
	}), " ")
}

// slugLength keeps a slug well below what a file name may be long.
const slugLength = 100

// makeSlug returns the first of the wishes that leaves something to put into
// an address: lower case letters, digits, "-" and "_".
func makeSlug(wishes ...string) string {
	for _, w := range wishes {
		s := slug.Make(w)
		if len(s) > slugLength {
			s = s[:slugLength]
			if i := strings.LastIndexByte(s, '-'); i > slugLength/2 {
				s = s[:i]
			}
			s = strings.TrimRight(s, "-_")
		}
		if s != "" {
			return s
		}
	}
	return "thread"
}

// cut shortens s to at most limit characters as readers see them. It ends at
// a word where it can, and with an ellipsis.
func cut(s string, limit int) string {
	if uniseg.GraphemeClusterCount(s) <= limit {
		return s
	}
	end, space, state, rest := 0, 0, -1, s
	for range limit - 1 {
		var c string
		c, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		if c == " " {
			space = end
		}
		end += len(c)
	}
	if strings.HasPrefix(rest, " ") {
		space = end
	}
	// A script without spaces is cut between two characters.
	if space > end/2 {
		end = space
	}
	return strings.TrimRight(s[:end], " ,;:–—-") + "…"
}
