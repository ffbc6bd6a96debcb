package render

import (
	"html/template"

	"threadmill/internal/newsletter"
)

// Listing is one page of a list of threads.
type Listing struct {
	Entries []newsletter.Entry // newest first
	// Path is the page's own, below the site.
	Path string
	// Number is that of the page, counted from the oldest; 0 on the page with
	// the newest.
	Number int
	// Older and Newer are the paths of its neighbours, with their numbers;
	// nil where there is none.
	Older, Newer *Neighbour
	// Next is the day of the next issue, empty where none is in sight.
	Next string
	// Tagged tells whether there are pages of tags.
	Tagged bool
}

// Neighbour is the page before or behind one of a list.
type Neighbour struct {
	Path   string
	Number int // as in Listing
}

// maxOpening bounds the HTML of a first post on the archive, in bytes: a page
// of twenty stays under 50 KB. For a longer one its excerpt stands there.
const maxOpening = 1100

type archivePage struct {
	page
	Threads []threadView
	Number  int
	Tagged  bool
	Next    string
}

// ArchivePage shows threads with their opening posts: the front page, and those
// with what came before.
func (t *Templates) ArchivePage(pub newsletter.Publication, l Listing) ([]byte, error) {
	data := archivePage{page: t.listPage(pub, l), Number: l.Number, Tagged: l.Tagged, Next: l.Next}
	if l.Number == 0 {
		data.Data = blog(data.page)
	}
	for _, e := range l.Entries {
		v := t.threadView(pub, e.Thread, e.PublishedAt, data.Root+e.Path())
		opening, err := opening(pub, e.Thread)
		if err != nil {
			return nil, err
		}
		v.Opening = opening
		data.Threads = append(data.Threads, v)
	}
	return t.page(archiveFile, data)
}

// opening is the first post of a thread, empty where it is long.
func opening(pub newsletter.Publication, t newsletter.Thread) (template.HTML, error) {
	if len(t.Posts) == 0 || len(t.Posts[0].Text) > maxOpening {
		return "", nil
	}
	base, err := threadBase(pub, t)
	if err != nil {
		return "", err
	}
	t.Posts = t.Posts[:1]
	posts, err := form{shift: 2, base: base, auto: true, page: true}.posts(t)
	if err != nil || len(posts[0]) > maxOpening {
		return "", err
	}
	return template.HTML(posts[0]), nil //nolint:gosec // our own renderer wrote and escaped it
}

// listPage is the frame of a page of a list.
func (t *Templates) listPage(pub newsletter.Publication, l Listing) page {
	p := t.sitePage(pub, l.Path)
	if l.Number > 0 {
		p.Title = p.pageTitle(l.Number)
	}
	p.Older, p.Newer = p.turn(l.Older), p.turn(l.Newer)
	return p
}

func (s speech) pageTitle(number int) string {
	if number == 0 {
		return s.say("newest")
	}
	return s.say("page_number", "n", number)
}

func (p page) turn(n *Neighbour) *link {
	if n == nil {
		return nil
	}
	return &link{Title: p.pageTitle(n.Number), URL: p.Root + n.Path}
}

type tagPage struct {
	page
	Name    string
	Threads []threadView
	Number  int
}

// TagPage lists the threads of the listing, which bear the tag.
func (t *Templates) TagPage(pub newsletter.Publication, tag newsletter.Tag, l Listing) ([]byte, error) {
	data := tagPage{page: t.listPage(pub, l), Name: tag.Name, Number: l.Number}
	data.Title, data.Description = tag.Name, ""
	if l.Number > 0 {
		data.Title += ", " + data.pageTitle(l.Number)
	}
	data.Tag = &link{Title: tag.Name, URL: data.Root + tag.Path}
	for _, e := range l.Entries {
		data.Threads = append(data.Threads, t.threadView(pub, e.Thread, e.PublishedAt, data.Root+e.Path()))
	}
	return t.page(tagFile, data)
}

type tagsPage struct {
	page
	Tags []tagLink
}

type tagLink struct {
	link
	Count int
}

// TagsPath is the place of [Templates.TagsPage] below the site.
const TagsPath = "tags/"

// TagsPage lists every tag with the number of its threads.
func (t *Templates) TagsPage(pub newsletter.Publication, list []newsletter.Tag) ([]byte, error) {
	data := tagsPage{page: t.sitePage(pub, TagsPath)}
	data.Title, data.Description = data.say("tags"), ""
	for _, tag := range list {
		data.Tags = append(data.Tags, tagLink{link{tag.Name, data.Root + tag.Path}, len(tag.Entries)})
	}
	return t.page(tagsFile, data)
}
