package thread

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"

	"threadmill/internal/newsletter"
)

// The speed of reading.
const (
	wordsPerMinute      = 230
	charactersPerMinute = 500 // of Chinese, Japanese and Korean
	minutesPerPicture   = 10.0 / 60
)

// count sets the number of words and the minutes it takes to read them and
// look at the pictures. Addresses are not read.
func count(t *newsletter.Thread, b *body) {
	pictures := 0
	text := plain(b.doc, b.source, func(n ast.Node) bool {
		if n.Kind() == ast.KindImage {
			pictures++
		}
		return n.Kind() == ast.KindAutoLink
	})
	words, characters := countWords(text)
	t.Words = words + characters
	minutes := float64(words)/wordsPerMinute + float64(characters)/charactersPerMinute + float64(pictures)*minutesPerPicture
	t.Minutes = max(1, int(math.Ceil(minutes)))
}

// countWords counts what is divided by spaces, and each character of the
// scripts that do without.
func countWords(text string) (words, characters int) {
	for f := range strings.FieldsSeq(text) {
		if strings.Contains(f, "://") || strings.HasPrefix(f, "www.") {
			continue
		}
		word := false
		for _, r := range f {
			if r < utf8.RuneSelf { // most of them, and quick to tell
				word = word || 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9'
			} else if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) {
				characters++
			} else if unicode.IsLetter(r) || unicode.IsNumber(r) {
				word = true
			}
		}
		if word {
			words++
		}
	}
	return words, characters
}
