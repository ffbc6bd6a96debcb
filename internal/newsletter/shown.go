package newsletter

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// Shown is a thread as a public feed shows it.
type Shown struct {
	GUID        string
	URL         string
	Title       string
	Text        string // plain
	PublishedAt time.Time
}

// Slug is that of the thread's page, empty where the address is not one of ours.
func (s Shown) Slug() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	dir, slug, ok := strings.Cut(strings.Trim(u.Path, "/"), "threads/")
	if !ok || dir != "" && !strings.HasSuffix(dir, "/") || strings.Contains(slug, "/") {
		return ""
	}
	return slug
}

// Recovered is a thread that a public site shows as gone out.
type Recovered struct {
	ID    string
	Shown Shown
	// Withdrawn is one that the site says it had; nothing else is known of it.
	Withdrawn bool
}

// alike is from which share of common words on a text is that of a thread; under
// the same title half of it is.
const (
	alike       = 0.9
	alikeTitled = 0.5
)

// Recall finds the threads that feeds show: by the id in the feeds, else by the
// address of the page, else by the text. Posts are told as plain tells them. What
// no thread is found for is returned too.
func Recall(threads []Listed, feeds []Shown, plain func(markdown string) string) (found []Recovered, unknown []Shown) {
	taken := map[string]bool{}
	rest := slices.Clone(feeds)
	pass := func(same func(Shown, Listed) bool) {
		rest = slices.DeleteFunc(rest, func(s Shown) bool {
			i := slices.IndexFunc(threads, func(t Listed) bool { return t.ID != "" && !t.Second && !taken[t.ID] && same(s, t) })
			if i >= 0 {
				taken[threads[i].ID] = true
				found = append(found, Recovered{ID: threads[i].ID, Shown: s})
			}
			return i >= 0
		})
	}
	pass(func(s Shown, t Listed) bool { return s.GUID == t.GUID })
	pass(func(s Shown, t Listed) bool {
		slug := s.Slug()
		return slug != "" && (slug == t.Slug || slices.Contains(t.FormerSlugs, slug))
	})
	texts := map[string]Thread{}
	pass(func(s Shown, t Listed) bool {
		text, ok := texts[t.ID]
		if !ok {
			for _, p := range t.Posts {
				text.Posts = append(text.Posts, Post{Text: plain(p.Text)})
			}
			texts[t.ID] = text
		}
		l := likeness(text, Thread{Posts: []Post{{Text: s.Text}}})
		return l >= alike || l >= alikeTitled && s.Title == t.Title
	})
	return found, rest
}
