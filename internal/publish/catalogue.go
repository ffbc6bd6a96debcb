package publish

import (
	"context"
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
	Threads []newsletter.Listed
	Queue   []string // the ids of threads/QUEUE
	// QueueLines are the lines of Queue, where the folder was read.
	QueueLines []int
	Problems   []newsletter.Problem
	Broken     []string // files below the folder that hold an error
	// Unlinked are the links between threads that lead to no page now.
	Unlinked []newsletter.Problem
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

// Left counts the threads that are ready, and those that are not yet.
func (c Catalogue) Left(now time.Time) (ready, waiting int) {
	for _, t := range c.Threads {
		switch t.State(now) {
		case newsletter.ThreadReady:
			ready++
		case newsletter.ThreadWaiting:
			waiting++
		}
	}
	return ready, waiting
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

// Catalogue reads the folder and the database, and writes nothing. Where there
// is no folder, the database tells both.
func (p *Publisher) Catalogue(ctx context.Context) (Catalogue, error) {
	if p.o.Folder == nil {
		return p.stored(ctx, nil)
	}
	folder, err := p.o.Folder.Read(ctx)
	if err != nil {
		return Catalogue{}, err
	}
	c, _, err := p.survey(ctx, folder, time.Now())
	c.link(folder.Label)
	return c, err
}

// Sync takes in what is new in the folder, where there is one: the identities
// of threads seen for the first time, the text of those that were edited, their
// pictures, and which are gone. Then it returns the catalogue as the database
// alone tells it, which is the same on every node.
func (p *Publisher) Sync(ctx context.Context) (Catalogue, error) {
	parsed, err := p.takeIn(ctx)
	if err != nil {
		return Catalogue{}, err
	}
	return p.stored(ctx, parsed)
}

// stored is the catalogue as the database tells it. Texts that were parsed
// already, by their files, are not parsed again.
func (p *Publisher) stored(ctx context.Context, parsed map[string]newsletter.Thread) (Catalogue, error) {
	known, folder, err := p.o.Store.Kept(ctx)
	if err != nil {
		return Catalogue{}, err
	}
	p.texts.parse(folder.Threads, parsed, p.o.Parse)
	slices.SortStableFunc(folder.Threads, func(a, b newsletter.Thread) int { return strings.Compare(entry(a.File), entry(b.File)) })
	c, _, err := p.match(ctx, folder, known, time.Now())
	c.link(folder.Label)
	return c, err
}

// entry is the name in the threads folder that a file stands for or below.
func entry(file string) string {
	name, _, _ := strings.Cut(file, "/")
	return name
}

// news is what a survey found that is not known yet, and the stamp of what was.
type news struct {
	stamp   string
	updates []newsletter.ThreadUpdate
}

// survey decides which file of the folder is which thread.
func (p *Publisher) survey(ctx context.Context, folder newsletter.Folder, now time.Time) (Catalogue, news, error) {
	known, err := p.o.Store.Threads(ctx)
	if err != nil {
		return Catalogue{}, news{}, err
	}
	return p.match(ctx, folder, known, now)
}

func (p *Publisher) match(ctx context.Context, folder newsletter.Folder, known newsletter.Known, now time.Time) (Catalogue, news, error) {
	broken := folder.Broken()
	for _, k := range newsletter.Undecided(folder.Threads, broken, known.Threads) {
		t, err := p.kept(ctx, known.Threads[k].ID)
		if err != nil {
			return Catalogue{}, news{}, err
		}
		known.Threads[k].Text = &t
	}
	found := newsletter.Identify(folder.Threads, broken, known.Threads, p.mint)
	c := Catalogue{Queue: folder.Queue, QueueLines: folder.QueueLines, Problems: folder.Problems, Broken: broken}
	n := news{stamp: known.Stamp}
	seen := map[string]bool{}
	for _, t := range found {
		u := newsletter.ThreadUpdate{Thread: t.Thread}
		changes := compare(&u, t.Known)
		if err := p.reworded(ctx, &u, t.Known); err != nil {
			return Catalogue{}, news{}, err
		}
		if t.Known != nil {
			seen[t.Known.ID] = true
		}
		l := listed(t, u, now)
		if t.Known != nil {
			if err := p.corrected(ctx, &l, *t.Known); err != nil {
				return Catalogue{}, news{}, err
			}
		}
		if !l.CorrectedAt.IsZero() && u.Reworded {
			l.CorrectedAt = now
		}
		c.Threads = append(c.Threads, l)
		if changes && t.ID != "" { // a second file of a thread has no id
			u.Prints = t.Prints()
			n.updates = append(n.updates, u)
		}
	}
	for _, k := range known.Threads {
		if k.Present && !seen[k.ID] {
			n.updates = append(n.updates, newsletter.ThreadUpdate{Thread: newsletter.Thread{ID: k.ID}, Gone: true})
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
	return p.o.Parse(file, source), nil
}

// compare notes what is new about a thread, and tells whether anything is.
func compare(u *newsletter.ThreadUpdate, known *newsletter.KnownThread) bool {
	u.New = known == nil
	u.Archive = !u.Published.IsZero() && (u.New || !known.Out())
	u.Edited = !u.New && u.Digest != known.Digest
	return u.New || u.Edited || u.Archive || !known.Present || known.File != u.File || known.Slug != u.Slug || known.PinnedID != u.PinnedID
}

// listed joins what a file says with what is known.
func listed(t newsletter.Identified, u newsletter.ThreadUpdate, now time.Time) newsletter.Listed {
	l := newsletter.Listed{Thread: t.Thread, DuplicateOf: t.DuplicateOf, ChangedAt: now}
	if t.ID == "" {
		l.ID, l.Second = t.DuplicateOf, true
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
	l.Issue, l.OutAt, l.OutNumber, l.ChangedAt = k.Issue, k.OutAt, k.OutNumber, k.ChangedAt
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
		t.ID, t.Slug, t.FormerSlugs, t.GUID, t.File = k.ID, k.Slug, k.FormerSlugs, k.GUID, ""
		l := newsletter.Listed{Thread: t, Stood: k.File}
		remember(&l, k)
		if err := p.corrected(ctx, &l, k); err != nil {
			return nil, err
		}
		list = append(list, l)
	}
	return list, nil
}

// Archive notes that threads went out elsewhere, at their date or now. Those
// that were sent or archived before are left as they are.
func (p *Publisher) Archive(ctx context.Context, ids []string) ([]newsletter.Listed, error) {
	c, err := p.Sync(ctx)
	if err != nil {
		return nil, err
	}
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return nil, err
	}
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
