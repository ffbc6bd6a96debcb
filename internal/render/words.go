package render

import (
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"threadmill/internal/newsletter"
)

// wordsFile holds all words that readers see, a section a language.
const wordsFile = "words.yaml"

// wordbook is what wordsFile says. It is read-only but for what it remembers.
type wordbook struct {
	tongues map[language.Tag]*tongue
	// fallback has the words of English with dates that are read everywhere.
	fallback *tongue
	spoken   sync.Map // speech by the two tags it was chosen for
}

// tongue has the words of one language, all of them.
type tongue struct {
	tag   language.Tag
	words map[string]word
}

// word is a sentence with its forms, or a list such as the months.
type word struct {
	forms map[plural.Form]phrase // at least plural.Other
	list  []string
}

// phrase is a text with slots: pieces in their order.
type phrase []piece

// piece is a text, a slot, or a text that is a link to what a slot holds.
type piece struct{ text, slot string }

// speech is the language of the words around what the author wrote. It is part
// of every page and thread that a template gets.
type speech struct {
	tongue *tongue
	// WordsIn are the attributes lang and dir for words that stand in the midst
	// of what the author wrote, lang only where that is another language.
	WordsIn template.HTMLAttr
}

// speak chooses the words for a text in the language lang: those of that
// language, else of the publication's, else English.
func (b *wordbook) speak(pub newsletter.Publication, lang string) speech {
	key := [2]string{pub.Language, lang}
	if s, ok := b.spoken.Load(key); ok {
		return s.(speech)
	}
	s := speech{tongue: b.of(lang)}
	if s.tongue == nil {
		if s.tongue = b.of(pub.Language); s.tongue == nil {
			s.tongue = b.fallback
		}
		s.WordsIn = template.HTMLAttr(`lang="` + s.tongue.tag.String() + `" `) //nolint:gosec // a tag that was parsed
	}
	s.WordsIn += template.HTMLAttr(`dir="` + direction(s.tongue.tag.String()) + `"`) //nolint:gosec // one of two words
	b.spoken.Store(key, s)
	return s
}

// of is the tongue of a language tag (BCP 47) or the nearest that is more
// general, as CLDR inherits; nil where there is none.
func (b *wordbook) of(lang string) *tongue {
	tag, err := language.Parse(lang)
	for ; err == nil && !tag.IsRoot(); tag = tag.Parent() {
		if t := b.tongues[tag]; t != nil {
			return t
		}
	}
	return nil
}

// Word is the sentence of that name, its slots filled from pairs of name and
// value. The number in the slot "n" chooses the plural form. It is plain text.
func (s speech) Word(name string, pairs ...any) (string, error) {
	p, err := s.phrase(name, pairs)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, piece := range p {
		b.WriteString(piece.text)
		if piece.text == "" {
			b.WriteString(fmt.Sprint(value(pairs, piece.slot)))
		}
	}
	return b.String(), nil
}

// Rich is Word as HTML: a value that is HTML or a number stands as it is, any other is kept
// apart from the direction of the sentence, and a text with an address in its
// slot is a link.
func (s speech) Rich(name string, pairs ...any) (template.HTML, error) {
	p, err := s.phrase(name, pairs)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, piece := range p {
		if piece.slot == "" {
			b.WriteString(template.HTMLEscapeString(piece.text))
			continue
		}
		switch v := value(pairs, piece.slot).(type) {
		case template.HTML:
			b.WriteString(string(v))
		case int:
			b.WriteString(strconv.Itoa(v))
		default:
			text := template.HTMLEscapeString(fmt.Sprint(v))
			if piece.text != "" {
				b.WriteString(`<a href="` + template.HTMLEscapeString(harmless(fmt.Sprint(v))) + `">` + template.HTMLEscapeString(piece.text) + `</a>`)
			} else {
				b.WriteString("<bdi>" + text + "</bdi>")
			}
		}
	}
	return template.HTML(b.String()), nil //nolint:gosec // escaped above
}

// harmless is an address that a link may lead to, else "#".
func harmless(address string) string {
	u, err := url.Parse(address)
	if err != nil || !slices.Contains([]string{"", "http", "https", "mailto"}, strings.ToLower(u.Scheme)) {
		return "#"
	}
	return address
}

// phrase finds the form of a word that fits the number among the values.
func (s speech) phrase(name string, pairs []any) (phrase, error) {
	w, ok := s.tongue.words[name]
	if !ok || w.forms == nil {
		return nil, fmt.Errorf("word %q: %s has no such sentence", name, wordsFile)
	}
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("word %q: the slots are filled by pairs of name and value", name)
	}
	for i := 0; i < len(pairs); i += 2 {
		if _, ok := pairs[i].(string); !ok {
			return nil, fmt.Errorf("word %q: the slots are filled by pairs of name and value", name)
		}
	}
	for _, p := range w.forms[plural.Other] {
		if p.slot != "" && value(pairs, p.slot) == nil {
			return nil, fmt.Errorf("word %q: its slot {%s} gets no value", name, p.slot)
		}
	}
	if len(w.forms) == 1 {
		return w.forms[plural.Other], nil
	}
	n, err := strconv.Atoi(fmt.Sprint(value(pairs, "n")))
	if err != nil {
		return nil, fmt.Errorf("word %q: its slot {n} is a number", name)
	}
	if p, ok := w.forms[plural.Cardinal.MatchPlural(s.tongue.tag, n%10_000_000, 0, 0, 0, 0)]; ok {
		return p, nil
	}
	return w.forms[plural.Other], nil
}

// value is that of a slot, nil where it has none.
func value(pairs []any, slot string) any {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i] == slot {
			return pairs[i+1]
		}
	}
	return nil
}

// say is Word for what the program itself says; that all is there was proven
// when the words were read.
func (s speech) say(name string, pairs ...any) string {
	text, err := s.Word(name, pairs...)
	if err != nil {
		return name
	}
	return text
}

// Sentence is a word in the publication's language, for what the program writes
// besides pages and mails. Its slots are filled from pairs of name and value.
func (t *Templates) Sentence(pub newsletter.Publication, name string, pairs ...any) (string, error) {
	return t.words.speak(pub, languageOf(pub, newsletter.Thread{})).Word(name, pairs...)
}

// The names of the words that are dates.
const (
	wordDate     = "date"      // 18 December 2024
	wordDayMonth = "day_month" // 18 December
	wordNextDay  = "next_day"  // Monday 7 December
	wordMonth    = "of_month"  // December 2024
)

// Month names a month in the publication's language.
func (t *Templates) Month(pub newsletter.Publication, at time.Time) string {
	return t.words.speak(pub, languageOf(pub, newsletter.Thread{})).date(wordMonth, at)
}

// date writes a day in one of the forms of dates.
func (s speech) date(form string, at time.Time) string {
	return s.say(form, "d", at.Day(), "m", int(at.Month()), "year", at.Year(),
		"dd", at.Format("02"), "mm", at.Format("01"),
		"month", s.tongue.words["months"].list[at.Month()-1],
		"weekday", s.tongue.words["weekdays"].list[at.Weekday()])
}

// counts is the quiet line under a title: "14 posts • 3 min read".
func (s speech) counts(t newsletter.Thread) string {
	return s.say("posts", "n", len(t.Posts)) + " • " + s.say("minutes", "n", t.Minutes)
}
