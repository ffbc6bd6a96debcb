package newsletter

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Thread is an ordered series of posts, as its file tells it. Times that the
// file does not give are zero.
type Thread struct {
	// ID is given once, at first sight, and never changes. It is empty on a
	// thread fresh from its file, until Identify has matched it.
	ID string
	// Slug is the last part of the page's address, unique in a publication.
	// Fresh from the file it is the wish of the file (its slug key, else its
	// name without the date).
	Slug    string
	Slugged bool // whether the slug key gave the slug
	// FormerSlugs are those under which it had a page before. It is empty on a
	// thread from its file.
	FormerSlugs []string
	// GUID is the id in all feeds. Fresh from the file it is params.guid.
	GUID string
	// PinnedID is params.id.
	PinnedID string
	// File is the path below the threads folder, with forward slashes. It is
	// empty when the file is gone.
	File string
	// Source is the file's text, byte for byte.
	Source string
	// Digest is that of Source. It stays where Source is left out.
	Digest string

	Title       string // never empty: the title key, else the first sentence
	Titled      bool   // whether the title key gave the title
	Description string // the description key, else empty
	Excerpt     string // plain text: the description, else the beginning of the first post
	Subject     string // params.subject: the mail's subject where it differs from the title
	Author      string // params.author
	Origin      string // params.source: where it was first written
	Lang        string // the lang key, else empty
	Tags        []string
	// Images are the cover pictures: addresses, or paths below the thread's folder.
	Images []string

	Date        time.Time // when it was written
	PublishDate time.Time // not before
	ExpiryDate  time.Time // not from then on
	Lastmod     time.Time // the author's word about the last change
	Published   time.Time // params.published: went out elsewhere that day; never mailed

	Draft    bool
	Weight   int       // low goes first, 0 means none
	Formerly []string  // params.formerly: ids and addresses it had elsewhere
	Channels []Channel // params.channels; nil means all of them
	To       Segment   // params.to: who gets it by mail; empty: whoever the publication says

	Posts []Post
	// References are the Markdown link definitions of the file; they hold in
	// every post.
	References string
	// Notes are the Markdown definitions of the footnotes that are referred to;
	// they too hold in all posts.
	Notes   string
	Words   int
	Minutes int // reading time, at least 1
	// Assets are the local pictures that the posts and Images name, as paths
	// below the thread's own folder.
	Assets []string
	// Links are those to other threads, in the order of the file.
	Links []Link
	// Linked tells where Links lead that lead to a page, by their targets, seen
	// from the thread's own page. It is empty on a thread from its file.
	Linked map[string]string
	// Pictures tell how Assets are shown, by their names. It is empty on a
	// thread from its file, and has no picture that is not to be had.
	Pictures map[string]Picture
}

// Channel is a way a thread goes out.
type Channel string

// The channels.
const (
	ChannelMail Channel = "mail"
	ChannelWeb  Channel = "web"
)

// Post is one part of a thread.
type Post struct {
	// Text is Markdown, without the breaks around it.
	Text string
	// Line is where the post begins in its file, counted from 1.
	Line int
}

// DigestOf is the digest of a thread's source.
func DigestOf(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:16])
}

// SameText tells whether readers find the same text in both: the title and the
// posts, whatever the rest of the front matter says.
func SameText(a, b Thread) bool {
	return a.Title == b.Title && a.References == b.References && a.Notes == b.Notes &&
		slices.EqualFunc(a.Posts, b.Posts, func(p, q Post) bool { return sameLines(p.Text, q.Text) })
}

// sameLines compares texts, blind to white space at the end of lines.
func sameLines(a, b string) bool {
	if a == b {
		return true
	}
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	return slices.EqualFunc(as, bs, func(x, y string) bool { return strings.TrimRight(x, " \t\r") == strings.TrimRight(y, " \t\r") })
}

// Via tells whether the thread goes out by c.
func (t Thread) Via(c Channel) bool {
	if len(t.Channels) == 0 {
		return c == ChannelMail || t.To.All()
	}
	return slices.Contains(t.Channels, c)
}

// Counts is the quiet line under a title: "14 posts • 3 min read".
func (t Thread) Counts() string {
	noun := "posts"
	if len(t.Posts) == 1 {
		noun = "post"
	}
	return fmt.Sprintf("%d %s • %d min read", len(t.Posts), noun, t.Minutes)
}

// MailSubject is the subject of the mail that carries the thread alone.
func (t Thread) MailSubject() string { return cmp.Or(t.Subject, t.Title) }

// Entry is a thread that is out: it has a page and stands in the feeds.
type Entry struct {
	Thread
	// PublishedAt is when it went out: its issue's time, or params.published.
	PublishedAt time.Time
	// UpdatedAt is when its text last changed; never before PublishedAt.
	UpdatedAt time.Time
	// CorrectedAt is when its text became another than was mailed; zero where it
	// is the same, or was never mailed.
	CorrectedAt time.Time
	// Issue is the number of the issue it went out in, 0 when it went out
	// elsewhere.
	Issue int64
	// OutNumber is its place in the order in which the publication learnt that
	// threads are out, counted from 1, and never changes. That order is not the
	// one of PublishedAt: a thread may be archived under an old date. It is 0 for
	// a thread that is not out yet.
	OutNumber int64
}

// Path is the address of the entry's page below the site.
func (t Thread) Path() string { return "threads/" + t.Slug + "/" }

// Folder is what one reading of the threads folder found.
type Folder struct {
	// Label is how the author names the folder; the files of Problems begin
	// with it.
	Label   string
	Threads []Thread
	// Queue holds the ids of threads/QUEUE, top first.
	Queue []string
	// QueueLines are the lines of Queue, counted from 1; only a reading of the
	// folder has them.
	QueueLines []int
	Problems   []Problem
}

// Broken tells which files hold an error, as paths below the folder, each
// once, in order.
func (f Folder) Broken() []string {
	var files []string
	seen := map[string]bool{}
	for _, p := range f.Problems {
		file := strings.TrimPrefix(p.File, f.Label+"/")
		if p.Severity == Error && !seen[file] {
			seen[file] = true
			files = append(files, file)
		}
	}
	return files
}

// Severity says whether a problem keeps a thread from going out.
type Severity int

// The severities.
const (
	Warning Severity = iota
	Error
)

func (s Severity) String() string {
	if s == Error {
		return "error"
	}
	return "warning"
}

// Problem is one fault in what the author wrote, with its place.
type Problem struct {
	File     string // path as the author knows it
	Line     int    // counted from 1; 0 when the whole file is meant
	Field    string // the front matter key, if one is at fault
	Severity Severity
	Text     string // what is wrong and what to do
}

// String is the problem on one line: "threads/a.md:3: date: …".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Severity == Warning {
		b.WriteString("warning: ")
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}
