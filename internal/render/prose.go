package render

import (
	"strings"

	"threadmill/internal/newsletter"
)

// prose renders a post that is one paragraph of plain words, as most are, and
// tells whether it is. The parser would find nothing in it, and takes many
// times as long; what it makes of the post is the same, byte for byte.
func (f form) prose(t newsletter.Thread, i int) (string, bool) {
	text := t.Posts[i].Text
	if f.style != nil || f.flow || t.References != "" || !isProse(text) {
		return "", false
	}
	before := "<p>"
	if f.auto {
		before = `<p dir="auto">`
	}
	var b strings.Builder
	b.Grow(len(before) + len(text) + len(text)/16 + len("</p>"))
	b.WriteString(before)
	for line := range strings.Lines(text) {
		line, broken := strings.CutSuffix(line, "\n")
		for {
			words, rest, quote := strings.Cut(line, `"`)
			b.WriteString(words)
			if !quote {
				break
			}
			b.WriteString("&quot;")
			line = rest
		}
		if broken {
			b.WriteString("<br>\n")
		}
	}
	b.WriteString("</p>")
	return b.String(), true
}

// isProse tells whether a text is one paragraph in which Markdown can find
// nothing. It says no where it is not sure.
func isProse(text string) bool {
	var beyond byte // has the high bit where a character beyond ASCII is
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || !beginsProse(line[0]) || line[len(line)-1] == ' ' {
			return false
		}
		for i := range len(line) {
			if !staysProse(line[i]) {
				return false
			}
			beyond |= line[i]
		}
	}
	if beyond >= 0x80 && !isClean([]byte(text)) {
		return false
	}
	// What may be a bare address: "://" and "www." alone begin one.
	return !strings.Contains(text, ":/") && !strings.Contains(text, "www.")
}

// beginsProse tells whether a line that begins with c is no heading, list,
// quotation, code, table or rule, and goes on with the paragraph.
func beginsProse(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '"' || c == '\'' || c == '('
}

// staysProse tells whether c stands for itself, or is part of a character that
// does, wherever it is in a line.
func staysProse(c byte) bool {
	const low = 1<<' ' | 1<<'!' | 1<<'"' | 1<<'$' | 1<<'%' | 1<<'\'' | 1<<'(' | 1<<')' | 1<<'+' | 1<<',' | 1<<'-' | 1<<'.' |
		1<<'/' | 0x3ff<<'0' | 1<<':' | 1<<';' | 1<<'?'
	const letters = (1<<26 - 1) << ('A' - 64)
	const high = letters | letters<<32 | 1<<('^'-64) | 1<<('{'-64) | 1<<('}'-64)
	if c < 64 {
		return uint64(low)>>c&1 == 1
	}
	return c >= 0x80 || uint64(high)>>(c-64)&1 == 1
}
