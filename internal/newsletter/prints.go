package newsletter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Prints are the fingerprints of a thread's text: small, comparable, and blind
// to case, punctuation, white space and markup.
type Prints struct {
	// Opening is the fingerprint of how the thread begins: its first post, and
	// the next ones while that is less than five words.
	Opening uint64
	Posts   []uint64
}

// openingWords is how much text makes an opening: "Links" opens many threads,
// a sentence opens one.
const openingWords = 5

// Prints takes the fingerprints of the thread's posts.
func (t Thread) Prints() Prints {
	p := Prints{Posts: make([]uint64, len(t.Posts))}
	opening := printer{sum: fnvOffset}
	for i, post := range t.Posts {
		one := printer{sum: fnvOffset}
		one.text(post.Text)
		p.Posts[i] = one.sum
		if opening.words < openingWords {
			opening.text(post.Text)
			p.Opening = opening.sum
		}
	}
	return p
}

// String is the form kept in the database; ParsePrints reads it back.
func (p Prints) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%016x:", p.Opening)
	for i, post := range p.Posts {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%016x", post)
	}
	return b.String()
}

// ParsePrints reads what Prints.String wrote; "" gives no prints.
func ParsePrints(s string) (Prints, error) {
	var p Prints
	if s == "" {
		return p, nil
	}
	opening, posts, ok := strings.Cut(s, ":")
	if !ok {
		return p, fmt.Errorf("fingerprints %q have no opening", s)
	}
	var err error
	if p.Opening, err = strconv.ParseUint(opening, 16, 64); err != nil {
		return Prints{}, fmt.Errorf("fingerprint of the opening: %w", err)
	}
	for f := range strings.FieldsSeq(posts) {
		n, err := strconv.ParseUint(f, 16, 64)
		if err != nil {
			return Prints{}, fmt.Errorf("fingerprint of a post: %w", err)
		}
		p.Posts = append(p.Posts, n)
	}
	return p, nil
}

// shared counts the posts that stand in both.
func (p Prints) shared(q Prints) int {
	rest := slices.Clone(q.Posts)
	n := 0
	for _, post := range p.Posts {
		if i := slices.Index(rest, post); i >= 0 {
			rest = slices.Delete(rest, i, i+1)
			n++
		}
	}
	return n
}

// half tells whether at least half of the posts stand in both.
func (p Prints) half(q Prints) bool {
	n := p.shared(q)
	return n > 0 && 2*n >= max(len(p.Posts), len(q.Posts))
}

// words splits text into lower-case words; a CJK character is a word of its
// own, and a text without letters is one word as it is.
func words(text string) []string {
	var list []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			list = append(list, b.String())
			b.Reset()
		}
	}
	for _, r := range text {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			flush()
			list = append(list, string(r))
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			b.WriteRune(unicode.ToLower(r))
		case r == '\'' || r == '’': // don't and don’t are one word, and the same
		default:
			flush()
		}
	}
	flush()
	if len(list) == 0 {
		return []string{strings.TrimSpace(text)}
	}
	return list
}

// printer takes the fingerprint of words as they are read: FNV-1a, with a zero
// byte after each word. The words are those of [words].
type printer struct {
	sum    uint64
	words  int
	inWord bool
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (p *printer) text(text string) {
	before := p.words
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(text[i:])
			p.rune(r)
			i += size
			continue
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			p.byte(c)
		case c >= 'A' && c <= 'Z':
			p.byte(c + 'a' - 'A')
		case c != '\'':
			p.end()
		}
		i++
	}
	p.end()
	if p.words == before {
		for _, c := range []byte(strings.TrimSpace(text)) {
			p.byte(c)
		}
		p.inWord = true // also when it is empty
		p.end()
	}
}

func (p *printer) rune(r rune) {
	switch {
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
		p.end()
		p.bytes(r)
		p.end()
	case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
		p.bytes(unicode.ToLower(r))
	case r != '’':
		p.end()
	}
}

func (p *printer) bytes(r rune) {
	var b [utf8.UTFMax]byte
	for _, c := range utf8.AppendRune(b[:0], r) {
		p.byte(c)
	}
}

func (p *printer) byte(c byte) {
	p.sum = (p.sum ^ uint64(c)) * fnvPrime
	p.inWord = true
}

// end ends a word, where there is one.
func (p *printer) end() {
	if p.inWord {
		p.sum *= fnvPrime
		p.words++
		p.inWord = false
	}
}

// likeness is the share of words that two texts have in common, from 0 to 1
// (Dice's coefficient over bags of words).
func likeness(a, b Thread) float64 {
	count := map[string]int{}
	var na, nb, common int
	for _, p := range a.Posts {
		for _, w := range words(p.Text) {
			count[w]++
			na++
		}
	}
	for _, p := range b.Posts {
		for _, w := range words(p.Text) {
			nb++
			if count[w] > 0 {
				count[w]--
				common++
			}
		}
	}
	if na+nb == 0 {
		return 0
	}
	return 2 * float64(common) / float64(na+nb)
}
