package render

import (
	"fmt"
	"html/template"
	"net/url"

	"threadmill/internal/newsletter"
)

// aside is a short text of the publication that stands in every mail.
type aside struct {
	HTML template.HTML
	Text string
}

// note is the function markdown of the templates: a short text as HTML, its
// relative addresses counted from root, which is absolute.
func note(text, root string) (template.HTML, error) {
	base, err := url.Parse(root)
	if err != nil {
		return "", fmt.Errorf("markdown: read the address %q: %w", root, err)
	}
	return form{shift: 1, base: base, auto: true}.aside(text)
}

func (f form) aside(text string) (template.HTML, error) {
	posts, err := f.posts(newsletter.Thread{Slug: "header or footer", Posts: []newsletter.Post{{Text: text}}})
	if err != nil {
		return "", err
	}
	return template.HTML(posts[0]), nil //nolint:gosec // our own renderer wrote and escaped it
}

// asides renders what the publication says above and below the threads.
func (m *mailPage) asides(pub newsletter.Publication, styles map[string]string) error {
	base, err := url.Parse(pub.Link(""))
	if err != nil {
		return fmt.Errorf("read the address of the publication: %w", err)
	}
	for _, part := range []struct {
		text string
		to   *aside
	}{{pub.Header, &m.Above}, {pub.Footer, &m.Below}} {
		text, a := part.text, part.to
		if text == "" {
			continue
		}
		if a.HTML, err = (form{shift: 1, base: base, auto: true, style: styles}).aside(text); err != nil {
			return err
		}
		w := textWriter{image: m.say("image")}
		a.Text = w.posts(newsletter.Thread{Posts: []newsletter.Post{{Text: text}}}, base)[0]
	}
	return nil
}
