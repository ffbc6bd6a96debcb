package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/search"
)

// Searcher finds threads; see the store's Search.
type Searcher interface {
	Search(ctx context.Context, terms []newsletter.SearchTerm, offset, limit int) ([]newsletter.Found, int, error)
}

const (
	searchPath = "search" // below the site

	perSearch = 20 // results on a page
	// lastSearch is the last page that is shown: people look for better words
	// before that, and only machines go on.
	lastSearch = 50
	// searchTime bounds a search, and searches how many there are at a time, so
	// that the database stays free for its other work.
	searchTime = 3 * time.Second
	searches   = 2
	searchWait = 2 * time.Second // for one's turn
)

// search answers a query with a page. Any text is a query.
func (s *server) search(w http.ResponseWriter, r *http.Request) error {
	asked := r.URL.Query() // pairs that are no pairs are left out
	page := render.Search{Query: search.Clip(asked.Get("q")), Page: 1}
	if n, err := strconv.Atoi(asked.Get("page")); err == nil {
		page.Page = min(max(n, 1), lastSearch)
	}
	code := http.StatusOK
	if terms := search.Parse(page.Query); len(terms) > 0 {
		page.Words = true
		switch err := s.find(r.Context(), terms, &page); {
		case r.Context().Err() != nil:
			return r.Context().Err()
		case errors.Is(err, context.DeadlineExceeded):
			code, page.Busy = http.StatusServiceUnavailable, true
			w.Header().Set("Retry-After", "5")
		case err != nil:
			return err
		}
	}
	html, err := s.Templates().SearchPage(s.Publication, page)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	// What somebody looks for is theirs: no cache keeps it, and no other site is
	// told.
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Robots-Tag", "noindex")
	h.Set("Content-Length", strconv.Itoa(len(html)))
	w.WriteHeader(code)
	_, _ = w.Write(html)
	return nil
}

// find fills the page with what is found. It is context.DeadlineExceeded when
// that took too long, or its turn did not come.
func (s *server) find(ctx context.Context, terms []newsletter.SearchTerm, page *render.Search) error {
	turn, cancel := context.WithTimeout(ctx, searchWait)
	defer cancel()
	select {
	case s.searching <- struct{}{}:
		defer func() { <-s.searching }()
	case <-turn.Done():
		return turn.Err()
	}
	bounded, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	list, total, err := s.Search.Search(bounded, terms, (page.Page-1)*perSearch, perSearch)
	if err != nil {
		if bounded.Err() != nil { // whatever the database calls that
			return bounded.Err()
		}
		return err
	}
	page.Total = total
	for _, f := range list {
		page.Results = append(page.Results, found(f, terms))
	}
	if page.Page > 1 {
		page.Newer = searchPlace(page.Query, page.Page-1)
	}
	if page.Page < lastSearch && page.Page*perSearch < total {
		page.Older = searchPlace(page.Query, page.Page+1)
	}
	return nil
}

// searchPlace is the address of a page of results, seen from the others.
func searchPlace(query string, page int) string {
	v := url.Values{"q": {query}}
	if page > 1 {
		v.Set("page", strconv.Itoa(page))
	}
	return "search?" + v.Encode()
}

// found is a thread as the page shows it.
func found(f newsletter.Found, terms []newsletter.SearchTerm) render.Found {
	return render.Found{
		Thread: newsletter.Thread{
			Slug: f.Slug, Title: f.Title, Lang: f.Lang, Date: f.Written, Minutes: f.Minutes,
			Posts: make([]newsletter.Post, f.Posts), // to be counted
		},
		OutAt:  f.OutAt,
		Marked: pieces(search.Mark(f.Title, terms)),
		Shown:  pieces(search.Excerpt(f.Text, terms)),
	}
}

func pieces(list []search.Piece) []render.Piece {
	shown := make([]render.Piece, len(list))
	for i, p := range list {
		shown[i] = render.Piece(p)
	}
	return shown
}
