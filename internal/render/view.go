package render

import (
	"cmp"
	"html/template"
	"net/url"
	"strconv"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// page is what every template gets; the others embed it.
type page struct {
	speech
	Palette
	Publication newsletter.Publication
	Title       string // of the document
	Description string // one or two sentences, plain
	Lang, Dir   string
	// URL is the canonical address, empty where there is none.
	URL string
	// Root leads to the top of the site and ends in a slash: "./", "../../",
	// or the public address in mails and where a page has no fixed place.
	Root string
	// Image is the absolute address of a cover picture, or empty.
	Image string
	// Published is the time of publication by RFC 3339, empty on pages that
	// are no thread. Modified is that of a later change, empty where there is
	// none.
	Published, Modified string
	// Older and Newer are the neighbours of the page; nil where there is none.
	Older, Newer *link
	// Tag is the place of the tag's feeds on the pages of a tag, else nil.
	Tag *link
	// Data is the page for machines (schema.org), or nil.
	Data any
	// Search is where a search goes, empty where nothing would answer it.
	Search string
	// Locale is Lang as Open Graph writes it, "en_GB", or empty.
	Locale string
	// Hidden asks search engines to stay away.
	Hidden bool
}

// threadView is a thread as templates see it.
type threadView struct {
	speech
	Title, Excerpt, Author string
	// Titled says that the author gave the title; else it is the first
	// sentence, which need not be read twice.
	Titled    bool
	AuthorURL string
	Lang, Dir string
	// URL is the address of the thread's page, empty when it has none.
	URL string
	// Date is when it was written and Published when it went out, empty when
	// that is the same day: "18 December 2024". DateTime is Date by RFC 3339.
	Date, DateTime, Published string
	// Corrected is the day on which the text became another than was mailed,
	// "9 December", with the year where that is not the one of the mail; empty
	// where it is what was mailed.
	Corrected string
	// Counts is "14 posts • 3 min read".
	Counts string
	// Origin is where it was first written, OriginHost the host of that.
	Origin, OriginHost string
	Tags               []link
	Posts              []postView
	// Opening is the first post, empty when it is long.
	Opening template.HTML
	// Left counts the posts that a mail leaves out to stay under the size
	// at which mail services cut it off.
	Left int
	// Text holds all the posts as plain text, in mails only.
	Text []string
}

// postView is one post, its number counted from 1. Its anchor is "post-N".
type postView struct {
	Number int
	HTML   template.HTML
}

// link is a page elsewhere.
type link struct {
	Title, URL string
}

// newPage is the page at a path below the site.
func (t *Templates) newPage(pub newsletter.Publication, lang, path string) page {
	p := page{
		speech: t.words.speak(pub, lang), Palette: PaletteOf(pub),
		Publication: pub, Lang: lang, Dir: direction(lang), Locale: locale(lang), Title: pub.Title, Description: pub.Description,
		URL: pub.Link(path), Root: root(path), Search: pub.Search,
	}
	return p
}

// sitePage is a page in the publication's language.
func (t *Templates) sitePage(pub newsletter.Publication, path string) page {
	return t.newPage(pub, languageOf(pub, newsletter.Thread{}), path)
}

// placeless is a page that may be seen at any address and is not to be found.
func (t *Templates) placeless(pub newsletter.Publication) page {
	p := t.sitePage(pub, "")
	p.URL, p.Root, p.Hidden = "", pub.Link(""), true
	return p
}

// root leads from the folder of that path to the top of the site.
func root(path string) string {
	if n := strings.Count(path, "/"); n > 0 {
		return strings.Repeat("../", n)
	}
	return "./"
}

// locale is a language tag as Open Graph writes it, language_TERRITORY; empty
// where the tag names no territory.
func locale(tag string) string {
	parts := strings.FieldsFunc(tag, func(r rune) bool { return r == '-' || r == '_' })
	for _, part := range parts[min(1, len(parts)):] {
		if len(part) == 2 {
			return strings.ToLower(parts[0]) + "_" + strings.ToUpper(part)
		}
	}
	return ""
}

// tags are those of the thread with the places of their pages.
func tags(t newsletter.Thread, root string) []link {
	var list []link
	for _, name := range t.Tags {
		l := link{Title: name}
		if path := newsletter.TagPath(name); path != "" {
			l.URL = root + path
		}
		list = append(list, l)
	}
	return list
}

// languageOf is the tag of the thread's language, else the publication's.
func languageOf(pub newsletter.Publication, t newsletter.Thread) string {
	return cmp.Or(t.Lang, pub.Language, "en")
}

// newThreadView shows a thread that went out at a time; url may be empty.
func (t *Templates) threadView(pub newsletter.Publication, of newsletter.Thread, out time.Time, url string) threadView {
	lang := languageOf(pub, of)
	v := threadView{
		speech: t.words.speak(pub, lang),
		Title:  of.Title, Titled: of.Titled, Excerpt: of.Excerpt, Author: cmp.Or(of.Author, pub.Author.Name),
		Lang: lang, Dir: direction(lang), URL: url,
		Origin: of.Origin, OriginHost: host(of.Origin),
	}
	v.Counts = v.counts(of)
	if v.Author == pub.Author.Name {
		v.AuthorURL = pub.Author.URL
	}
	written := of.Date
	if written.IsZero() {
		written = out
	}
	if written.IsZero() {
		return v
	}
	v.Date, v.DateTime = v.date(wordDate, written.In(zone(pub))), stamp(pub, written)
	if published := v.date(wordDate, out.In(zone(pub))); !out.IsZero() && published != v.Date {
		v.Published = published
	}
	return v
}

// corrected is the day of a correction, with its year where that of the sending
// does not tell it.
func (s speech) corrected(pub newsletter.Publication, e newsletter.Entry) string {
	if e.CorrectedAt.IsZero() {
		return ""
	}
	at := e.CorrectedAt.In(zone(pub))
	if at.Year() == e.PublishedAt.In(zone(pub)).Year() {
		return s.date(wordDayMonth, at)
	}
	return s.date(wordDate, at)
}

// show puts the rendered posts into the view.
func (v *threadView) show(posts []string) {
	v.Posts = make([]postView, len(posts))
	for i, p := range posts {
		v.Posts[i] = postView{Number: i + 1, HTML: template.HTML(p)} //nolint:gosec // our own renderer wrote and escaped it
	}
}

// Sections are the posts as pages show them. They are written here because a
// template takes ten times as long for what surrounds them, in a site of
// thousands of pages a good part of all.
func (v threadView) Sections() template.HTML {
	const around = 160 // bytes that surround a post, or a few less
	size := 0
	for _, p := range v.Posts {
		size += len(p.HTML) + around
	}
	var b strings.Builder
	b.Grow(size)
	for _, p := range v.Posts {
		anchor := p.Anchor()
		b.WriteString("\n<section class=\"post\" id=\"" + anchor + "\">")
		if len(v.Posts) > 1 {
			n := strconv.Itoa(p.Number)
			b.WriteString("<a class=\"number\" href=\"#" + anchor + "\" aria-label=\"" + template.HTMLEscapeString(v.say("post_number", "n", n)) + "\">" + n + "</a>")
		}
		b.WriteString("\n")
		b.WriteString(string(p.HTML))
		b.WriteString("\n</section>")
	}
	return template.HTML(b.String()) //nolint:gosec // numbers, and HTML that is safe already
}

// cover is the absolute address of the thread's first cover picture.
func cover(t newsletter.Thread, base *url.URL) string {
	if len(t.Images) == 0 {
		return ""
	}
	address := t.Images[0]
	if p, ok := t.Pictures[address]; ok && len(p.Files) > 0 {
		address = newsletter.FileAddress(p.Lasting) // others keep it
	}
	address, ok := target(address, base)
	if !ok || !fetchable(address) {
		return ""
	}
	return address
}

// host is the host of an address on the web, empty for any other text.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return u.Hostname()
}

func zone(pub newsletter.Publication) *time.Location {
	if pub.Zone == nil {
		return time.UTC
	}
	return pub.Zone
}

// Date is the day in the publication's zone, as its pages and mails write it:
// "18 December 2024".
func (t *Templates) Date(pub newsletter.Publication, at time.Time) string {
	return t.words.speak(pub, languageOf(pub, newsletter.Thread{})).date(wordDate, at.In(zone(pub)))
}

// Day is a day soon to come, in the publication's zone: "Monday 7 December". It
// is empty for the zero time.
func (t *Templates) Day(pub newsletter.Publication, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return t.words.speak(pub, languageOf(pub, newsletter.Thread{})).date(wordNextDay, at.In(zone(pub)))
}

func stamp(pub newsletter.Publication, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone(pub)).Format(time.RFC3339)
}

// Anchor is the id of the post in its page.
func (p postView) Anchor() string { return "post-" + strconv.Itoa(p.Number) }
