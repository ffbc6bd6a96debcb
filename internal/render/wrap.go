package render

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// columns is the width of a text mail: RFC 3676, section 4.2, asks for at
// most 78 and room for a few levels of quotation.
const columns = 72

// wrap breaks text into lines of at most width columns, counted by grapheme
// as a terminal shows them. Its line breaks are kept; an address is never
// broken, nor is a word that fits on a line.
func wrap(text string, width int) []string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, wrapLine(line, width)...)
	}
	return lines
}

func wrapLine(text string, width int) []string {
	var (
		lines []string
		line  strings.Builder
		used  int
	)
	for word := range strings.FieldsSeq(text) {
		space := min(used, 1)
		for _, piece := range pieces(word, width) {
			w := textWidth(piece)
			if used > 0 && used+space+w > width {
				lines = append(lines, line.String())
				line.Reset()
				used, space = 0, 0
			}
			line.WriteString("  "[:space])
			line.WriteString(piece)
			used += space + w
			space = 0
		}
	}
	return append(lines, line.String())
}

// pieces divides a word where a line may break within it: at the breaks of
// UAX #14 in scripts written without spaces, and by graphemes where a word is
// wider than a whole line.
func pieces(word string, width int) []string {
	wide := textWidth(word) > width
	if isAddress(word) || !wide && !spaceless(word) {
		return []string{word}
	}
	var all []string
	for state := -1; word != ""; {
		var segment string
		segment, word, _, state = uniseg.FirstLineSegmentInString(word, state)
		if textWidth(segment) <= width {
			all = append(all, segment)
			continue
		}
		for g := uniseg.NewGraphemes(segment); g.Next(); {
			all = append(all, g.Str())
		}
	}
	return all
}

func isAddress(word string) bool {
	return strings.Contains(word, "://") || strings.Contains(word, "mailto:") || strings.Contains(word, "www.")
}

// spaceless tells whether a word holds wide letters, as Chinese, Japanese and
// Korean are written.
func spaceless(word string) bool {
	return strings.ContainsFunc(word, func(r rune) bool { return r >= 0x1100 && textWidth(string(r)) == 2 })
}

// underline returns a line as wide as text, at most a whole line.
func underline(text string) string {
	return strings.Repeat("=", min(textWidth(text), columns))
}

// textWidth is the number of columns that s takes.
func textWidth(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return uniseg.StringWidth(s)
		}
	}
	return len(s)
}
