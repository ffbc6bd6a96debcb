package thread

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
	"github.com/yuin/goldmark/ast"
	extast "github.com/yuin/goldmark/extension/ast"

	"threadmill/internal/newsletter"
)

// The lengths of titles and excerpts, in characters as readers see them.
const (
	titleLength   = 80
	excerptLength = 300
)

// describe fills in the title and the excerpt. When no post gives a title it
// is fallback.
func describe(t *newsletter.Thread, fallback string) {
	if t.Excerpt = t.Description; t.Excerpt == "" && len(t.Posts) > 0 {
		t.Excerpt = excerpt(collapse(opening(t, t.Posts[0])))
	}
	if t.Titled {
		return
	}
	for _, p := range t.Posts {
		if t.Title = headline(opening(t, p), len(t.Posts)); t.Title != "" {
			return
		}
	}
	if t.Title = fallback; t.Title == "" {
		t.Title = t.Slug
	}
}

// opening is the plain text at the beginning of a post, of more than a title
// or an excerpt takes. The link definitions of the file hold in it; footnotes and
// what refers to them are left out.
func opening(t *newsletter.Thread, p newsletter.Post) string {
	const enough = 16 << 10 // bytes
	source := []byte(clean(t.References + "\n\n" + p.Text))
	if bytes.Contains(source, []byte("[^")) {
		source = append([]byte(clean(t.Notes)+"\n\n"), source...)
	}
	text := plain(markdown(source), source, func(n ast.Node) bool { return n.Kind() == extast.KindFootnoteList })
	if len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "")
	}
	return text
}

// excerpt takes as many whole sentences as fit, or the part of the first one
// that does.
func excerpt(text string) string {
	var whole string
	for s := range sentences(text) {
		next := strings.TrimSpace(whole + s)
		if uniseg.GraphemeClusterCount(next) > excerptLength {
			break
		}
		whole += s
	}
	if whole = strings.TrimSpace(whole); whole != "" {
		return whole
	}
	return cut(text, excerptLength)
}

// hook stands for an emoji that announces a thread while a title is made.
const hook = "\x00"

var (
	hooks   = strings.NewReplacer("🧵", hook, "👇", hook, "⬇️", hook, "⬇", hook)
	counter = regexp.MustCompile(`^[\x00\s]*(?:1/(\d{0,3})|\(1/(\d{0,3})\)|\[1/(\d{0,3})\])(?:[\s:.\x00]+|$)|\s(?:1/(\d{0,3})|\(1/(\d{0,3})\)|\[1/(\d{0,3})\])[\s\x00]*$`)
	// "A thread" is cut only where it stands apart: "how to pull a thread" is
	// a sentence.
	announce = regexp.MustCompile(`(?i)(?:^|[.!?:;,–—\x00-]|\()[\s\x00]*(?:an? )?(?:(?:short|long|quick|little) )?(?:mega)?thread\)?[\s:.!…\x00]*$|^[\s\x00]*(?:an? )?thread\s*[:–—\x00-]`)
)

// headline is the first sentence of the text that is left when the marks of
// a thread of count posts are taken off.
func headline(text string, count int) string {
	for row := range strings.Lines(text) {
		row = hooks.Replace(line(row))
		if m := counter.FindStringSubmatch(row); m != nil && countsPosts(m[1:], count) {
			row = counter.ReplaceAllString(row, " ")
		}
		for s := range sentences(row) {
			s = announce.ReplaceAllStringFunc(s, func(m string) string {
				// The mark that ends the sentence before it stays.
				if strings.ContainsAny(m[:1], ".!?") {
					return m[:1]
				}
				return ""
			})
			s = collapse(strings.ReplaceAll(s, hook, " "))
			s = strings.TrimRight(s, " :")
			if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
				return cut(s, titleLength)
			}
		}
	}
	return ""
}

// countsPosts tells whether "1/n" counts posts: it does without n, and when n
// is their number or too big for a fraction such as 1/4.
func countsPosts(n []string, count int) bool {
	s := strings.Join(n, "")
	total, err := strconv.Atoi(s)
	return err != nil || total == count || total > 4
}

// abbreviations end in a point that does not end the sentence.
var abbreviations = []string{"Mr", "Mrs", "Ms", "Dr", "St", "Prof", "No", "vs", "cf", "approx"}

// sentences are the sentences of text with the space behind each, by Unicode
// Standard Annex 29, kept together after abbreviations, initials and "1."
func sentences(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		var part, held string
		for state := -1; text != ""; {
			part, text, state = uniseg.FirstSentenceInString(text, state)
			held += part
			if text != "" && abbreviated(held) {
				continue
			}
			if !yield(held) {
				return
			}
			held = ""
		}
	}
}

func abbreviated(s string) bool {
	s, ok := strings.CutSuffix(strings.TrimSpace(s), ".")
	if !ok {
		return false
	}
	word := s[strings.LastIndexAny(s, " .(\u00a0")+1:]
	number := strings.Trim(s, "0123456789") == ""
	initial := len(word) == 1 && word[0] >= 'A' && word[0] <= 'Z' && word != "I"
	return number || initial || slices.Contains(abbreviations, word)
}
