package search

import (
	"slices"
	"strings"
	"unicode/utf8"

	"threadmill/internal/newsletter"
)

// Piece is a part of a text; Mark says that it was looked for.
type Piece struct {
	Text string
	Mark bool
}

// Mark cuts a text into pieces, those marked that the terms find.
func Mark(text string, terms []newsletter.SearchTerm) []Piece {
	return cut(text, find(Words(text), terms), 0, len(text))
}

// excerptSize is about how long an excerpt is, in bytes.
const excerptSize = 280

// Excerpt is the part of a text that shows best what the terms find, else its
// beginning.
func Excerpt(text string, terms []newsletter.SearchTerm) []Piece {
	words := Words(text)
	places := find(words, terms)
	from, to := window(words, places, len(text))
	list := cut(text, places, from, to)
	if from > 0 {
		list = slices.Insert(list, 0, Piece{Text: "… "})
	}
	if to < len(text) {
		list = append(list, Piece{Text: " …"})
	}
	return list
}

// place is a part of a text that was found.
type place struct{ start, end, term int }

// find returns what the terms find, in order and without overlap.
func find(words []Word, terms []newsletter.SearchTerm) []place {
	var list []place
	for i := range words {
		for n, t := range terms {
			if p, ok := at(words[i:], t); ok {
				p.term = n
				list = append(list, p)
			}
		}
	}
	joined := list[:0]
	for _, p := range list {
		if n := len(joined); n > 0 && p.start < joined[n-1].end {
			joined[n-1].end = max(joined[n-1].end, p.end)
			continue
		}
		joined = append(joined, p)
	}
	return joined
}

// at tells whether the words begin with a term, and where that stands.
func at(words []Word, t newsletter.SearchTerm) (place, bool) {
	if len(words) < len(t.Words) {
		return place{}, false
	}
	for i, want := range t.Words {
		last := i == len(t.Words)-1
		if words[i].Text != want && !(last && t.Prefix && strings.HasPrefix(words[i].Text, want)) {
			return place{}, false
		}
	}
	last := words[len(t.Words)-1]
	p := place{start: words[0].Start, end: last.End}
	if last.Half > 0 && last.Text != t.Words[len(t.Words)-1] { // its first character was meant
		p.end = last.Half
	}
	return p, true
}

// window chooses the part of a text with the most different terms, the first
// of several, and sets its bounds between words.
func window(words []Word, places []place, size int) (from, to int) {
	if size <= excerptSize {
		return 0, size
	}
	best := 0
	for i, p := range places {
		seen := map[int]bool{}
		for _, q := range places[i:] {
			if q.end > p.start+excerptSize*2/3 {
				break
			}
			seen[q.term] = true
		}
		if len(seen) > best {
			best, from = len(seen), p.start
		}
	}
	from = max(from-excerptSize/4, 0)
	if from+excerptSize > size {
		from = max(size-excerptSize, 0)
	}
	to = min(from+excerptSize, size)
	return bounds(words, from, to, size)
}

// bounds moves a window so that it cuts no word.
func bounds(words []Word, from, to, size int) (int, int) {
	first := slices.IndexFunc(words, func(w Word) bool { return w.Start >= from })
	if from > 0 && first >= 0 {
		from = words[first].Start
	}
	if to == size {
		return from, to
	}
	for i := max(first, 0); i < len(words); i++ {
		if words[i].End > to {
			if i > max(first, 0) {
				to = words[i-1].End
			}
			break
		}
	}
	return from, max(from, to)
}

// cut cuts text[from:to] at the places. Its bounds are moved to whole
// characters.
func cut(text string, places []place, from, to int) []Piece {
	for from > 0 && from < len(text) && !utf8.RuneStart(text[from]) {
		from--
	}
	for to > from && to < len(text) && !utf8.RuneStart(text[to]) {
		to--
	}
	var list []Piece
	add := func(start, end int, mark bool) {
		if start < end {
			list = append(list, Piece{Text: text[start:end], Mark: mark})
		}
	}
	done := from
	for _, p := range places {
		if p.start < from || p.end > to {
			continue
		}
		add(done, p.start, false)
		add(p.start, p.end, true)
		done = p.end
	}
	add(done, to, false)
	return list
}
