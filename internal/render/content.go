package render

import (
	"fmt"
	"html"
	"strings"
	"unicode"

	"threadmill/internal/newsletter"
)

// Content returns the whole thread as HTML for a feed: its posts divided by
// <hr>, every address absolute, no class, no style, and no character that XML
// forbids.
func Content(pub newsletter.Publication, t newsletter.Thread) (string, error) {
	base, err := threadBase(pub, t)
	if err != nil {
		return "", err
	}
	lang := languageOf(pub, t)
	rtl := direction(lang) == "rtl"
	f := form{shift: 1, base: base, auto: rtl || anyRightToLeft(t)}
	posts, err := f.posts(t)
	if err != nil {
		return "", err
	}
	content := strings.Join(posts, "\n<hr>\n")
	if rtl {
		content = fmt.Sprintf("<div dir=\"rtl\" lang=\"%s\">\n%s\n</div>", html.EscapeString(lang), content)
	}
	return content, nil
}

// anyRightToLeft tells whether the thread holds a letter of a script that is
// written from right to left. Feeds are spared the dir attributes otherwise.
func anyRightToLeft(t newsletter.Thread) bool {
	for _, p := range t.Posts {
		if strings.ContainsFunc(p.Text, func(r rune) bool {
			return r >= '\u0590' && unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko, unicode.Adlam)
		}) {
			return true
		}
	}
	return false
}

// Cover is the absolute address of the thread's cover picture, empty where it
// has none.
func Cover(pub newsletter.Publication, t newsletter.Thread) (string, error) {
	base, err := threadBase(pub, t)
	if err != nil {
		return "", err
	}
	return cover(t, base), nil
}
