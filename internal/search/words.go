package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Word is a word of a text: what is compared, and where it stands in the text.
type Word struct {
	Text       string // folded: lower case, without accents
	Start, End int    // in bytes
	// Of two characters of a script without spaces, Half is where the first one
	// ends; 0 for other words. The last character of such a run is a word of its
	// own, and Tail unless it is the whole run.
	Half int
	Tail bool
}

// maxWord is how many characters of a word count.
const maxWord = 64

// Words returns the words of a text in their order. Letters, digits and the
// marks on them make words, everything else stands between them.
func Words(text string) []Word {
	var list []Word
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		switch {
		case unspaced(r):
			end := i + span(text[i:], func(r rune) bool { return unspaced(r) || mark(r) })
			list = pairs(list, text, i, end)
			i = end
		case part(r):
			end := i + span(text[i:], func(r rune) bool { return part(r) && !unspaced(r) })
			if folded := fold(text[i:end]); folded != "" {
				list = append(list, Word{Text: folded, Start: i, End: end})
			}
			i = end
		default:
			i += n
		}
	}
	return list
}

// span is how many bytes at the start of text are runes of a kind.
func span(text string, of func(rune) bool) int {
	if i := strings.IndexFunc(text, func(r rune) bool { return !of(r) }); i >= 0 {
		return i
	}
	return len(text)
}

// pairs adds the words of a run without spaces: each two characters that follow
// each other, and the last one alone.
func pairs(list []Word, text string, start, end int) []Word {
	var units []Word
	for i := start; i < end; {
		_, n := utf8.DecodeRuneInString(text[i:])
		n += span(text[i+n:end], mark)
		if folded := fold(text[i : i+n]); folded != "" {
			units = append(units, Word{Text: folded, Start: i, End: i + n})
		}
		i += n
	}
	for i, u := range units {
		w := Word{Text: u.Text, Start: u.Start, End: u.End, Half: u.End, Tail: i > 0}
		if i+1 < len(units) {
			w.Text, w.End, w.Tail = u.Text+units[i+1].Text, units[i+1].End, false
		}
		list = append(list, w)
	}
	return list
}

// part tells whether a rune belongs to a word.
func part(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsNumber(r) || mark(r))
}

// mark tells whether a rune stands on or within a word without being a letter
// of it: accents, vowel signs, joiners, a soft hyphen.
func mark(r rune) bool {
	return r >= utf8.RuneSelf && (unicode.IsMark(r) || unicode.Is(unicode.Cf, r) && r != '\u200b' || r == '\uff9e' || r == '\uff9f')
}

// unspaced tells whether a letter is of a script that is written without spaces
// between words, or with endings that grow onto them.
func unspaced(r rune) bool {
	if r < '\u0e00' {
		return false
	}
	return r == 'ー' || r == 'ｰ' || (unicode.IsLetter(r) || unicode.IsNumber(r)) &&
		unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// fold makes words alike that people take for the same: in lower case, without
// accents and vowel points, compatible forms as the plain ones.
func fold(word string) string {
	if folded, ok := foldASCII(word); ok {
		return folded
	}
	var b strings.Builder
	count := 0
	for _, r := range norm.NFKD.String(word) {
		if count == maxWord {
			break
		}
		if dropped(r) || !part(r) && !unspaced(r) {
			continue
		}
		count++
		r = unicode.ToLower(unicode.ToUpper(r)) // also a final sigma
		if plain, ok := plainer(r); ok {
			b.WriteString(plain)
		} else {
			b.WriteRune(r)
		}
	}
	return norm.NFC.String(b.String())
}

func foldASCII(word string) (folded string, ok bool) {
	for i := range len(word) {
		if word[i] >= utf8.RuneSelf {
			return "", false
		}
	}
	return strings.ToLower(word[:min(len(word), maxWord)]), true
}

// dropped are the marks that people leave out when they type: accents, Hebrew
// and Arabic points, and what is not seen.
func dropped(r rune) bool {
	switch {
	case r < 0x0300:
		return r == 0xad
	case r <= 0x036f, 0x0591 <= r && r <= 0x05c7, 0x0610 <= r && r <= 0x061a, r == 0x0640, 0x064b <= r && r <= 0x065f,
		r == 0x0670, 0x06d6 <= r && r <= 0x06ed, 0x1ab0 <= r && r <= 0x1aff, 0x1dc0 <= r && r <= 0x1dff,
		0x20d0 <= r && r <= 0x20ff, 0xfe00 <= r && r <= 0xfe0f, 0xfe20 <= r && r <= 0xfe2f, 0xe0100 <= r && r <= 0xe01ef:
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

// plainer is how letters are typed that are no letter with an accent.
func plainer(r rune) (string, bool) {
	switch r {
	case 'ß':
		return "ss", true
	case 'æ':
		return "ae", true
	case 'œ':
		return "oe", true
	case 'ø':
		return "o", true
	case 'ł':
		return "l", true
	case 'đ', 'ð':
		return "d", true
	case 'ı':
		return "i", true
	case 'þ':
		return "th", true
	}
	return "", false
}
