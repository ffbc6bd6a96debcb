package importer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gosimple/slug"
	"github.com/rivo/uniseg"
)

// The lengths of titles, in characters, and of slugs, in bytes.
const (
	titleLength = 80
	slugLength  = 60
)

// pageLines yields the lines of a foreign text without the space around them,
// as valid UTF-8 without control characters, with their index.
func pageLines(page string) iter.Seq2[int, string] {
	page = strings.ToValidUTF8(strings.TrimPrefix(page, "\ufeff"), "\ufffd")
	page = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(page)
	return func(yield func(int, string) bool) {
		i := 0
		for row := range strings.Lines(page) {
			if !yield(i, oneLine(row)) {
				return
			}
			i++
		}
	}
}

// oneLine drops what XML 1.0 does not allow and makes one space of many.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), r == '\ufeff', r == '\ufffe', r == '\uffff':
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// headline is the first sentence of text, of at most titleLength characters.
func headline(text string) string {
	s := ""
	for state, part := -1, ""; text != "" && !strings.ContainsFunc(s, unicode.IsLetter); s += part {
		part, text, state = uniseg.FirstSentenceInString(text, state)
	}
	s = strings.TrimRight(s, " :")
	if uniseg.GraphemeClusterCount(s) <= titleLength {
		return s
	}
	g, end, space := uniseg.NewGraphemes(s), 0, 0
	for n := 0; n < titleLength-1 && g.Next(); n++ {
		_, end = g.Positions()
		if strings.HasPrefix(s[end:], " ") {
			space = end
		}
	}
	if space > 0 {
		end = space
	}
	return strings.TrimRight(s[:end], " ,;:–—-") + "…"
}

// makeSlug is the part of a file name that comes from the title.
func makeSlug(title string) string {
	s := slug.Make(title)
	if len(s) > slugLength {
		s = s[:slugLength]
		if i := strings.LastIndexByte(s, '-'); i > 0 {
			s = s[:i]
		}
	}
	if s = strings.Trim(s, "-_"); s == "" {
		return "thread"
	}
	return s
}

// unique returns name, with a number when it is among the used ones.
func unique(name string, used map[string]bool) string {
	free := name
	for n := 2; used[free]; n++ {
		free = fmt.Sprintf("%s-%d", name, n)
	}
	used[free] = true
	return free
}

// quote writes s as a YAML string; JSON's strings are among those.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can always be encoded
	return strings.TrimSpace(b.String())
}

var (
	// blockMark is what makes a block of a line: a heading, a quotation, a
	// list, a fence, a rule, the rule of a table.
	blockMark = regexp.MustCompile(`^(?:#{1,6}(?: |$)|>|[-+*](?: |$)|~~~|\||(?:[-=_*|:] ?)+$)`)
	listMark  = regexp.MustCompile(`^(\d{1,9})([.)])( |$)`)
	address   = regexp.MustCompile(`https?://[-A-Za-z0-9@:%._+~#=/?!$&*();,'^]+`)
	entity    = regexp.MustCompile(`^&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);`)
)

// escape writes plain text as Markdown that reads the same. It puts a
// backslash only where Markdown would act. A web address stays as it is, or
// goes between < and > when it holds such characters.
func escape(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = escapeLine(l)
	}
	return strings.Join(lines, "\n")
}

func escapeLine(l string) string {
	var out strings.Builder
	at := 0
	if m := listMark.FindStringSubmatch(l); m != nil {
		out.WriteString(m[1] + `\` + m[2])
		at = len(m[1]) + 1
	} else if blockMark.MatchString(l) {
		out.WriteString(`\` + l[:1])
		at = 1
	}
	for _, m := range address.FindAllStringIndex(l, -1) {
		link := strings.TrimRight(l[m[0]:m[1]], "?!.,:;*_~'")
		if !strings.Contains(link, "(") {
			link = strings.TrimRight(link, ")?!.,:;*_~'")
		}
		end := m[0] + len(link)
		if marked := escapeSpan(l, m[0], end); marked != link && !strings.Contains(marked, `\&`) {
			out.WriteString(escapeSpan(l, at, m[0]) + "<" + link + ">")
			at = end
		}
	}
	return out.String() + escapeSpan(l, at, len(l))
}

// escapeSpan escapes the part of line l from offset at to end.
func escapeSpan(l string, at, end int) string {
	var out strings.Builder
	for at < end {
		r, n := utf8.DecodeRuneInString(l[at:])
		if acts(l, at, r) {
			out.WriteByte('\\')
		}
		out.WriteString(l[at : at+n])
		at += n
	}
	return out.String()
}

// acts tells whether Markdown may take the character r at offset at of line l
// for a mark.
func acts(l string, at int, r rune) bool {
	// The ends of a line count as spaces.
	before, _ := utf8.DecodeLastRuneInString(" " + l[:at])
	rest := l[at+utf8.RuneLen(r):]
	after, _ := utf8.DecodeRuneInString(rest + " ")
	apart, word := before == ' ' && after == ' ', alphanumeric(before) && alphanumeric(after)
	switch r {
	case '`':
		return true
	case '*':
		return !apart
	case '_':
		return !apart && !word
	case '~':
		return before != ' ' || after == '~'
	case '\\':
		return rest == "" || strings.ContainsRune(punctuation, after)
	case ']':
		return strings.ContainsRune("([:", after)
	case '<':
		return strings.ContainsRune("/!?", after) || unicode.IsLetter(after)
	case '&':
		return entity.MatchString(l[at:])
	}
	return false
}

// punctuation can follow a backslash: CommonMark 0.31, section 2.4.
const punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

func alphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
