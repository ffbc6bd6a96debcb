package render

import (
	"html/template"
	"strings"

	"threadmill/internal/newsletter"
)

// The places of the pages about the publication, below the site.
const (
	AboutPath     = "about/"
	SubscribePath = "subscribe/"
	PrivacyPath   = "privacy/"
)

type aboutPage struct {
	page
	Content template.HTML
}

// AboutPage is what the author wrote about the publication. A heading at its
// top is the title.
func (t *Templates) AboutPage(pub newsletter.Publication) ([]byte, error) {
	p := t.sitePage(pub, AboutPath)
	p.Title = p.say("about")
	return t.prosePage(p, pub.About, form{shift: 1, auto: true, page: true})
}

// ManualPage is a page of the manual at a path below the site: Markdown with its
// title as the first heading.
func (t *Templates) ManualPage(pub newsletter.Publication, path, text string) ([]byte, error) {
	return t.prosePage(t.sitePage(pub, path), text, form{shift: 1, flow: true, page: true})
}

func (t *Templates) prosePage(p page, text string, f form) ([]byte, error) {
	data := aboutPage{page: p}
	text = strings.TrimSpace(text)
	if first, rest, _ := strings.Cut(text, "\n"); strings.HasPrefix(first, "# ") {
		data.Title, text = oneLine(strings.TrimPrefix(first, "# ")), rest
	}
	posts, err := f.posts(newsletter.Thread{Slug: "about", Posts: []newsletter.Post{{Text: text}}})
	if err != nil {
		return nil, err
	}
	data.Content = template.HTML(posts[0]) //nolint:gosec // our own renderer wrote and escaped it
	return t.page(aboutFile, data)
}

type subscribePage struct {
	page
	Feeds  []link
	Next   string
	Tagged bool
}

// SubscribePage tells people how to follow the publication. next is the day of the
// next issue, empty where none is in sight; tagged says that there are pages of
// tags.
func (t *Templates) SubscribePage(pub newsletter.Publication, next string, tagged bool) ([]byte, error) {
	data := subscribePage{page: t.sitePage(pub, SubscribePath), Next: next, Tagged: tagged, Feeds: []link{
		{"RSS", pub.Link("feed.xml")}, {"Atom", pub.Link("atom.xml")}, {"JSON Feed", pub.Link("feed.json")},
	}}
	data.Title, data.Description = data.say("subscribe"), data.say("subscribe_summary", "title", pub.Title)
	return t.page(subscribeFile, data)
}

// Privacy is what the page about privacy has from the configuration.
type Privacy struct {
	Mail   bool   // the publication goes out by mail
	Relay  string // the host that mail is handed to; empty when none is
	ByMail bool   // one unsubscribes by a mail
	// Months or Days is how long it is kept who got an issue; both 0 for ever.
	Months, Days int
}

type privacyPage struct {
	page
	Privacy
}

// PrivacyPage says what is known of those who read. Whoever makes the program
// store more of them must say so in its template.
func (t *Templates) PrivacyPage(pub newsletter.Publication, p Privacy) ([]byte, error) {
	data := privacyPage{page: t.sitePage(pub, PrivacyPath), Privacy: p}
	data.Title, data.Description = data.say("privacy"), data.say("privacy_summary", "title", pub.Title)
	return t.page(privacyFile, data)
}
