package render

import "threadmill/internal/newsletter"

type threadPage struct {
	page
	Thread threadView
}

// ThreadPage is the page of one thread, at e.Path(). Its neighbours in the
// archive may be nil.
func (t *Templates) ThreadPage(pub newsletter.Publication, e newsletter.Entry, newer, older *newsletter.Entry) ([]byte, error) {
	base, err := threadBase(pub, e.Thread)
	if err != nil {
		return nil, err
	}
	posts, err := form{shift: 1, auto: true, page: true, words: t.words.speak(pub, languageOf(pub, e.Thread))}.posts(e.Thread)
	if err != nil {
		return nil, err
	}
	data := threadPage{
		page:   t.newPage(pub, languageOf(pub, e.Thread), e.Path()),
		Thread: t.threadView(pub, e.Thread, e.PublishedAt, pub.Link(e.Path())),
	}
	data.Thread.show(posts)
	data.Thread.Corrected = data.Thread.corrected(pub, e)
	data.Thread.Tags = tags(e.Thread, data.Root)
	data.Title, data.Description = e.Title, e.Excerpt
	data.Newer, data.Older = data.neighbour(newer), data.neighbour(older)
	data.Image, data.Published = cover(e.Thread, base), stamp(pub, e.PublishedAt)
	if e.UpdatedAt.After(e.PublishedAt) {
		data.Modified = stamp(pub, e.UpdatedAt)
	}
	data.Data = posting(data)
	return t.page(threadFile, data)
}

func (p page) neighbour(e *newsletter.Entry) *link {
	if e == nil {
		return nil
	}
	return &link{Title: e.Title, URL: p.Root + e.Path()}
}

type issuePage struct {
	page
	Number  int64
	Date    string
	Threads []threadView
}

// IssuePage is the page of a digest, at newsletter.IssuePath. It shows the
// entries, which are the issue's threads as they are now, in their order.
func (t *Templates) IssuePage(pub newsletter.Publication, issue newsletter.Issue, entries []newsletter.Entry) ([]byte, error) {
	data := issuePage{page: t.sitePage(pub, newsletter.IssuePath(issue.Number)), Number: issue.Number}
	data.Title, data.Description = issue.Title, titles(issue.Threads)
	if !issue.PublishedAt.IsZero() {
		data.Date, data.Published = data.date(wordDate, issue.PublishedAt.In(zone(pub))), stamp(pub, issue.PublishedAt)
	}
	for _, e := range entries {
		base, err := threadBase(pub, e.Thread)
		if err != nil {
			return nil, err
		}
		posts, err := form{shift: 2, base: base, auto: true, page: true}.posts(e.Thread)
		if err != nil {
			return nil, err
		}
		v := t.threadView(pub, e.Thread, e.PublishedAt, data.Root+e.Path())
		v.show(posts)
		v.Corrected = v.corrected(pub, e)
		data.Threads = append(data.Threads, v)
	}
	return t.page(issueFile, data)
}

// NotFoundPage is what a web server shows for an address that leads nowhere.
func (t *Templates) NotFoundPage(pub newsletter.Publication) ([]byte, error) {
	data := notFoundPage{page: t.placeless(pub)}
	data.Title = data.say("not_found")
	return t.page(notFoundFile, data)
}

type notFoundPage struct {
	page
	Gone bool
}

// GonePage is what a web server shows instead of a page that was withdrawn.
func (t *Templates) GonePage(pub newsletter.Publication) ([]byte, error) {
	data := notFoundPage{page: t.placeless(pub), Gone: true}
	data.Title = data.say("withdrawn")
	return t.page(notFoundFile, data)
}

func (t *Templates) page(name string, data any) ([]byte, error) {
	return execute(t.html[name], name, data)
}
