package publish

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	folder, err := p.Folder.Read(ctx)
	if err != nil {
		return Catalogue{}, err
	}
	known, err := p.Store.Threads(ctx)
	if err != nil {
		return Catalogue{}, err
	}
	found := p.identify(ctx, folder, known)
	return p.list(ctx, folder, found, known, time.Now())
}

// Sync is Catalogue, and keeps what is new: the identities of threads seen for
// the first time, and the text of those that were edited.
func (p *Publisher) Sync(ctx context.Context) (Catalogue, error) {
	folder, err := p.Folder.Read(ctx)
	if err != nil {
		return Catalogue{}, err
	}
	var known []newsletter.KnownThread
	var found []newsletter.Identified
	now := time.Now()
	err = p.Store.UpdateThreads(ctx, now, func(k []newsletter.KnownThread) []newsletter.ThreadUpdate {
		known = k
		found = p.identify(ctx, folder, known)
		return updates(found)
	})
	if err != nil {
		return Catalogue{}, err
	}
	return p.list(ctx, folder, found, known, now)
}

// identify matches the folder to what is known, and gives each thread its id
// in the feeds.
func (p *Publisher) identify(ctx context.Context, folder newsletter.Folder, known []newsletter.KnownThread) []newsletter.Identified {
	for i := range known {
		known[i].Text = func() newsletter.Thread {
			t, err := p.kept(ctx, known[i].ID)
			if err != nil {
				p.Log.Error("compare texts", "thread", known[i].ID, "err", err)
			}
			return t
		}
	}
	found := newsletter.Identify(folder.Threads, folder.Broken(), known)
	guids := map[string]bool{}
	for _, k := range known {
		guids[k.GUID] = true
	}
	for i := range found {
		t := &found[i]
		switch {
		case t.Known != nil:
			t.GUID = t.Known.GUID
		case t.GUID == "" || guids[t.GUID]:
			t.GUID = p.mint(t.Slug)
		}
		guids[t.GUID] = true
	}
	return found
}

// mint makes a tag URI (RFC 4151) for a slug, which is unique for ever.
func (p *Publisher) mint(slug string) string {
	return fmt.Sprintf("tag:%s,%d:%s", p.Publication.Host(), time.Now().UTC().Year(), url.PathEscape(slug))
}

// kept is a thread as the database remembers it.
func (p *Publisher) kept(ctx context.Context, id string) (newsletter.Thread, error) {
	file, source, err := p.Store.ThreadSource(ctx, id)
	if err != nil {
		return newsletter.Thread{}, err
	}
	return p.Folder.Parse(file, source), nil
}

func updates(found []newsletter.Identified) []newsletter.ThreadUpdate {
	var list []newsletter.ThreadUpdate
	for _, t := range found {
		if t.ID == "" { // a second file of a thread
			continue
		}
		u := newsletter.ThreadUpdate{Thread: t.Thread, Digest: digest(t.Source), Prints: t.Prints(), New: t.Known == nil}
		u.Edited = !u.New && u.Digest != t.Known.Digest
		if u.New || u.Edited || t.Known.File != t.File || t.Known.Slug != t.Slug || t.Known.PinnedID != t.PinnedID {
			list = append(list, u)
		}
	}
	return list
}

func digest(source string) string {
	sum := sha256.Sum256([]byte(source))
	return hex.EncodeToString(sum[:16])
}

// list joins what the folder says with what is known.
func (p *Publisher) list(ctx context.Context, folder newsletter.Folder, found []newsletter.Identified, known []newsletter.KnownThread, now time.Time) (Catalogue, error) {
	c := Catalogue{Queue: folder.Queue, Problems: folder.Problems, Broken: folder.Broken()}
	seen := map[string]bool{}
	for _, t := range found {
		l := newsletter.Listed{Thread: t.Thread, DuplicateOf: t.DuplicateOf, ChangedAt: now}
		if t.ID == "" {
			l.ID = t.DuplicateOf
		}
		if t.Known != nil {
			seen[t.Known.ID] = true
			remember(&l, *t.Known)
			if digest(t.Source) != t.Known.Digest {
				l.ChangedAt = now
			}
		}
		c.Threads = append(c.Threads, l)
	}
	for _, k := range known {
		if seen[k.ID] || !k.Out() {
			continue
		}
		t, err := p.kept(ctx, k.ID)
		if err != nil {
			return Catalogue{}, err
		}
		t.ID, t.Slug, t.GUID, t.File = k.ID, k.Slug, k.GUID, ""
		l := newsletter.Listed{Thread: t}
		remember(&l, k)
		c.Threads = append(c.Threads, l)
	}
	return c, nil
}

func remember(l *newsletter.Listed, k newsletter.KnownThread) {
	l.Issue, l.OutAt, l.ChangedAt = k.Issue, k.OutAt, k.ChangedAt
	l.Archived, l.Withdrawn = k.Archived, k.Withdrawn
}

// Archive notes that a thread went out elsewhere, at its date or now.
func (p *Publisher) Archive(ctx context.Context, id string) (newsletter.Listed, error) {
	c, err := p.Sync(ctx)
	if err != nil {
		return newsletter.Listed{}, err
	}
	t, err := c.Find(id)
	if err != nil {
		return newsletter.Listed{}, err
	}
	now := time.Now()
	if s := t.State(now); s == newsletter.ThreadSent || s == newsletter.ThreadArchived {
		return t, nil
	}
	at := t.Date
	if at.IsZero() || at.After(now) {
		at = now
	}
	if err := p.Store.ArchiveThread(ctx, t.ID, at); err != nil {
		return newsletter.Listed{}, err
	}
	t.Archived, t.OutAt = true, at
	return t, nil
}
