package search

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"threadmill/internal/newsletter"
)

// The bounds of a query; what is over them is left out.
const (
	MaxQuery = 200 // characters
	maxTerms = 16
	maxWords = 64
)

// Parse reads what a person looks for. Every text is a query: words are all to
// be found, those between quotation marks in a row, and the last word may go
// on, unless its quotation mark is closed. Nothing else has a meaning: AND, OR,
// NEAR are words, and *, -, : stand between words.
func Parse(text string) []newsletter.SearchTerm {
	p := parser{}
	inside := false
	for rest := Clip(text); rest != ""; inside = !inside {
		i := strings.IndexAny(rest, quotes)
		piece := rest
		if i >= 0 {
			_, n := utf8.DecodeRuneInString(rest[i:])
			piece, rest = rest[:i], rest[i+n:]
		} else {
			rest = ""
		}
		open := i < 0 // nothing comes after it
		if inside {
			p.add(piece, open)
			continue
		}
		fields := strings.Fields(piece)
		for j, field := range fields {
			p.add(field, open && j == len(fields)-1)
		}
	}
	return p.terms
}

// quotes are what people and their keyboards put around words in a row.
const quotes = "\"“”„‟«»「」『』"

// Clip is the part of a query that counts, as valid UTF-8 without control
// characters.
func Clip(text string) string {
	text = text[:min(len(text), 8*MaxQuery)] // not to look at megabytes
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.TrimSpace(norm.NFC.String(text))
	n := 0
	for i := range text {
		if n == MaxQuery {
			return strings.TrimSpace(text[:i])
		}
		n++
	}
	return text
}

type parser struct {
	terms []newsletter.SearchTerm
	words int
}

// add adds the words of a piece as one term. The last word may go on where the
// text is typed on there.
func (p *parser) add(piece string, last bool) {
	t := term(Words(piece), last)
	if len(t.Words) == 0 || len(p.terms) == maxTerms || p.words+len(t.Words) > maxWords {
		return
	}
	p.terms = append(p.terms, t)
	p.words += len(t.Words)
}

func term(words []Word, last bool) newsletter.SearchTerm {
	if len(words) == 0 {
		return newsletter.SearchTerm{}
	}
	end := words[len(words)-1]
	if end.Tail { // the pair before it says so, and the run may go on
		words = words[:len(words)-1]
	}
	t := newsletter.SearchTerm{Words: make([]string, len(words))}
	for i, w := range words {
		t.Words[i] = w.Text
	}
	switch {
	case end.Tail:
	case end.Half > 0: // one character, with whatever follows it
		t.Prefix = true
	default: // one letter would find nearly everything
		t.Prefix = last && utf8.RuneCountInString(end.Text) > 1
	}
	return t
}
