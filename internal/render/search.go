package render

import (
	"time"

	"threadmill/internal/newsletter"
)

// Search is what the page of a search shows.
type Search struct {
	Query string
	// Words is whether the query holds anything to look for.
	Words bool
	Total int // of threads found
	Page  int // counted from 1
	// Results are those of this page. Of their threads only what a list shows
	// is needed.
	Results []Found
	// Newer and Older are the addresses of the pages before and after this one,
	// empty where there is none.
	Newer, Older string
	// Busy says that the search was not done.
	Busy bool
}

// Found is a thread that a search found.
type Found struct {
	newsletter.Thread
	OutAt  time.Time
	Marked []Piece // the title
	Shown  []Piece // an excerpt
}

// Piece is a part of a text; Mark says that it was looked for.
type Piece struct {
	Text string
	Mark bool
}

type searchPage struct {
	page
	Query   string
	Words   bool
	Busy    bool
	Total   int // of threads found
	Threads []foundView
	Turn    struct{ Newer, Older string }
}

type foundView struct {
	threadView
	Marked []Piece // the title
	Shown  []Piece // the excerpt
}

// SearchPage is the form with what was found, at "search".
func (t *Templates) SearchPage(pub newsletter.Publication, s Search) ([]byte, error) {
	data := searchPage{page: t.sitePage(pub, ""), Query: s.Query, Words: s.Words, Busy: s.Busy}
	data.Title, data.URL, data.Hidden = data.say("search"), "", true
	data.Total = s.Total
	for _, f := range s.Results {
		v := foundView{Marked: f.Marked, Shown: f.Shown}
		v.threadView = t.threadView(pub, f.Thread, f.OutAt, data.Root+f.Path())
		data.Threads = append(data.Threads, v)
	}
	data.Turn.Newer, data.Turn.Older = s.Newer, s.Older
	return t.page(searchFile, data)
}
