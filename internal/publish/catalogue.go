package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// Catalogue is every thread that the publication knows, in the folder or gone
// out, with what became of it.
type Catalogue struct {
	// Threads are those of the folder in the order of their files, then those
	// that went out and whose file is gone or broken.
	Threads  []newsletter.Listed
	Queue    []string // the ids of threads/QUEUE
	Problems []newsletter.Problem
	Broken   []string // files below the folder that hold an error
}

// Find returns the thread with an id; ErrNotFound where there is none.
func (c Catalogue) Find(id string) (newsletter.Listed, error) {
	var held *newsletter.Listed
	for i, t := range c.Threads {
		if t.ID != id {
			continue
		}
		if t.DuplicateOf == "" {
			return t, nil
		}
		held = &c.Threads[i] // a thread that is held may share its id
	}
	if held != nil {
		return *held, nil
	}
	return newsletter.Listed{}, fmt.Errorf("thread %q: %w; `threadmill threads` lists them", id, newsletter.ErrNotFound)
}

// Entries are the threads that are out, as the site and the feeds show them,
// the newest first.
func (c Catalogue) Entries() []newsletter.Entry {
	var list []newsletter.Entry
	for _, t := range c.Threads {
		if t.Out() && t.Via(newsletter.ChannelWeb) {
			list = append(list, t.Entry())
		}
	}
	slices.SortStableFunc(list, func(a, b newsletter.Entry) int {
		if c := b.PublishedAt.Compare(a.PublishedAt); c != 0 {
			return c
		}
		if a.Issue != b.Issue {
			return int(b.Issue - a.Issue)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// Catalogue reads the folder and the database, and writes nothing.
func (p *Publisher) Catalogue(ctx context.Context) (Catalogue, error) {
	c, _, err := p.survey(ctx, time.Now())
	return c, err
}

// Sync is Catalogue, and keeps what is new: the identities of threads seen for
// the first time, and the text of those that were edited.
func (p *Publisher) Sync(ctx context.Context) (Catalogue, error) {
	for try := 1; ; try++ {
		now := time.Now()
		c, news, err := p.survey(ctx, now)
		if err != nil || len(news.updates) == 0 {
			return c, err
		}
		err = p.o.Store.UpdateThreads(ctx, now, news.stamp, news.updates)
		if !errors.Is(err, newsletter.ErrTaken) || try == tries {
			return c, err
		}
	}
}

// news is what a survey found that is not known yet, and the stamp of what was.
type news struct {
	stamp   string
	updates []newsletter.ThreadUpdate
}

// survey reads folder and database and decides which file is which thread.
func (p *Publisher) survey(ctx context.Context, now time.Time) (Catalogue, news, error) {
	folder, err := p.o.Folder.Read(ctx)
	if err != nil {
		return Catalogue{}, news{}, err
	}
	known, err := p.o.Store.Threads(ctx)
	if err != nil {
		return Catalogue{}, news{}, err
	}
	broken := folder.Broken()
	for _, k := range newsletter.Undecided(folder.Threads, broken, known.Threads) {
		t, err := p.kept(ctx, known.Threads[k].ID)
		if err != nil {
			return Catalogue{}, news{}, err
		}
		known.Threads[k].Text = &t
	}
	found := newsletter.Identify(folder.Threads, broken, known.Threads, p.mint)
	c := Catalogue{Queue: folder.Queue, Problems: folder.Problems, Broken: broken}
	n := news{stamp: known.Stamp}
	seen := map[string]bool{}
	for _, t := range found {
		u := newsletter.ThreadUpdate{Thread: t.Thread, Digest: digest(t.Source)}
		changes := compare(&u, t.Known)
		if t.Known != nil {
			seen[t.Known.ID] = true
		}
		c.Threads = append(c.Threads, listed(t, u, now))
		if changes && t.ID != "" { // a second file of a thread has no id
			u.Prints = t.Prints()
			n.updates = append(n.updates, u)
		}
	}
	gone, err := p.gone(ctx, known.Threads, seen)
	c.Threads = append(c.Threads, gone...)
	return c, n, err
}

// mint makes a tag URI (RFC 4151) of a slug.
func (p *Publisher) mint(slug string) string {
	return fmt.Sprintf("tag:%s,%d:%s", p.o.Publication.Host(), time.Now().UTC().Year(), url.PathEscape(slug))
}

// kept is a thread as the database remembers it.
func (p *Publisher) kept(ctx context.Context, id string) (newsletter.Thread, error) {
	file, source, err := p.o.Store.ThreadSource(ctx, id)
	if err != nil {
		return newsletter.Thread{}, err
	}
	return p.o.Folder.Parse(file, source), nil
}

// compare notes what is new about a thread, and tells whether anything is.
func compare(u *newsletter.ThreadUpdate, known *newsletter.KnownThread) bool {
	u.New = known == nil
	u.Archive = !u.Published.IsZero() && (u.New || !known.Out())
	u.Edited = !u.New && u.Digest != known.Digest
	return u.New || u.Edited || u.Archive || known.File != u.File || known.Slug != u.Slug || known.PinnedID != u.PinnedID
}

// listed joins what a file says with what is known.
func listed(t newsletter.Identified, u newsletter.ThreadUpdate, now time.Time) newsletter.Listed {
	l := newsletter.Listed{Thread: t.Thread, DuplicateOf: t.DuplicateOf, ChangedAt: now}
	if t.ID == "" {
		l.ID = t.DuplicateOf
	}
	if t.Known != nil {
		remember(&l, *t.Known)
	}
	if u.Edited {
		l.ChangedAt = now
	}
	return l
}

func remember(l *newsletter.Listed, k newsletter.KnownThread) {
	l.Issue, l.OutAt, l.ChangedAt = k.Issue, k.OutAt, k.ChangedAt
	l.Archived, l.Withdrawn = k.Archived, k.Withdrawn
}

// gone are the threads that went out and that no file holds any more, or none
// that can be read: they stay online as they were last seen.
func (p *Publisher) gone(ctx context.Context, known []newsletter.KnownThread, seen map[string]bool) ([]newsletter.Listed, error) {
	var list []newsletter.Listed
	for _, k := range known {
		if seen[k.ID] || !k.Out() {
			continue
		}
		t, err := p.kept(ctx, k.ID)
		if err != nil {
			return nil, err
		}
		t.ID, t.Slug, t.GUID, t.File = k.ID, k.Slug, k.GUID, ""
		l := newsletter.Listed{Thread: t}
		remember(&l, k)
		list = append(list, l)
	}
	return list, nil
}

func digest(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:16])
}

// Archive notes that threads went out elsewhere, at their date or now. Those
// that were sent or archived before are left as they are.
func (p *Publisher) Archive(ctx context.Context, ids []string) ([]newsletter.Listed, error) {
	c, err := p.Sync(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	var list []newsletter.Listed
	for _, id := range ids {
		t, err := c.Find(id)
		if err != nil {
			return list, err
		}
		if s := t.State(now); s != newsletter.ThreadSent && s != newsletter.ThreadArchived {
			at := t.Date
			if at.IsZero() || at.After(now) {
				at = now
			}
			if err := p.o.Store.ArchiveThread(ctx, t.ID, at); err != nil {
				return list, err
			}
			t.Archived, t.OutAt = true, at
		}
		list = append(list, t)
	}
	return list, nil
}
