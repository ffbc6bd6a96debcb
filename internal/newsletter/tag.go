package newsletter

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// tagLength bounds the name of a tag's folder, in characters: file systems take
// 255 bytes.
const tagLength = 60

// TagPath is the address of a tag's pages and feeds below the site, "tags/go/".
// It is empty when the tag holds neither letter nor digit.
//
// Letters of all scripts stay as they are, in lower case; Publication.Link
// escapes them. What stands between them becomes one hyphen, but a plus and the
// sharp after a letter are spelled out, so that C, C# and C++ are three tags.
func TagPath(tag string) string {
	if slug := tagSlug(tag); slug != "" {
		return "tags/" + slug + "/"
	}
	return ""
}

func tagSlug(tag string) string {
	var words []string
	var word []rune
	next := func(more ...string) {
		if len(word) > 0 {
			words = append(words, string(word))
		}
		word, words = nil, append(words, more...)
	}
	for _, r := range tag {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r) && len(word) > 0:
			word = append(word, unicode.ToLower(unicode.ToUpper(r))) // both forms of sigma become one
		case unicode.Is(unicode.Cf, r): // joiners stand inside words
		case r == '+':
			next("plus")
		case r == '#' && len(word) > 0:
			next("sharp")
		default:
			next()
		}
	}
	next()
	slug := []rune(strings.Join(words, "-"))
	return strings.TrimRight(string(slug[:min(len(slug), tagLength)]), "-")
}

// Tag is a tag with the threads that bear it.
type Tag struct {
	Name    string // as it is spelled most often
	Path    string // TagPath
	Entries []Entry
}

// TagsOf sorts entries by their tags. Spellings with the same TagPath are one
// tag, and those without one are none. Tags are in the order of their paths,
// and the entries of each in the order in which they were given.
func TagsOf(entries []Entry) []Tag {
	byPath := map[string]*Tag{}
	spellings := map[string]map[string]int{}
	for _, e := range entries {
		borne := map[string]bool{}
		for _, name := range e.Tags {
			path := TagPath(name)
			if path == "" || borne[path] {
				continue
			}
			borne[path] = true
			if byPath[path] == nil {
				byPath[path], spellings[path] = &Tag{Path: path}, map[string]int{}
			}
			byPath[path].Entries = append(byPath[path].Entries, e)
			spellings[path][strings.Join(strings.Fields(name), " ")]++
		}
	}
	var list []Tag
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		t := byPath[path]
		t.Name = mostFrequent(spellings[path])
		list = append(list, *t)
	}
	return list
}

// mostFrequent is the spelling with the highest count, of several the first by
// the alphabet.
func mostFrequent(count map[string]int) string {
	return slices.MaxFunc(slices.Collect(maps.Keys(count)), func(a, b string) int {
		return cmp.Or(count[a]-count[b], strings.Compare(b, a))
	})
}
