package site

import (
	"io/fs"
	"os"
	"path"
	"time"

	"threadmill/internal/feed"
	"threadmill/internal/newsletter"
)

// modified returns the time for the files of a site: that of the newest change
// of what they show. So Last-Modified is the same on all machines, and where
// the folder was made from nothing, save for pages that show no thread.
func (c content) modified() func(name string) time.Time {
	dirs := make(map[string]time.Time)
	buckets := make(map[string]time.Time) // of the archive's documents
	var newest time.Time
	for i, e := range c.entries {
		at := e.UpdatedAt
		newest = newsletter.Later(newest, at)
		dir := path.Clean(e.Path())
		dirs[dir] = newsletter.Later(dirs[dir], at)
		if i > 0 { // a page shows its neighbours
			newer := path.Clean(c.entries[i-1].Path())
			dirs[dir] = newsletter.Later(dirs[dir], c.entries[i-1].UpdatedAt)
			dirs[newer] = newsletter.Later(dirs[newer], at)
		}
		for _, tag := range e.Tags {
			if dir := newsletter.TagPath(tag); dir != "" {
				dirs[path.Clean(dir)] = newsletter.Later(dirs[path.Clean(dir)], at)
			}
		}
		if e.OutNumber > 0 {
			p := feed.ArchivePaths(bucketOf(e))
			for _, name := range []string{p.RSS, p.Atom, p.JSON} {
				buckets[name] = newsletter.Later(buckets[name], at)
			}
		}
	}
	return func(name string) time.Time {
		if at, ok := buckets[name]; ok {
			return at
		}
		if at, ok := dirs[path.Dir(name)]; ok {
			return at
		}
		return newest
	}
}

// setTime gives a staged file its time in whole seconds, as HTTP tells it. One
// that differs from the file it replaces is later than that: a page may change
// without a newer thread, as by a withdrawal or a new template, and readers who
// know no more than the time must see that it did.
// old is nil where there is no file to replace.
func setTime(dir *os.Root, temp string, old fs.FileInfo, at time.Time) error {
	at = at.Truncate(time.Second)
	if old != nil {
		at = newsletter.Later(at, old.ModTime().Truncate(time.Second).Add(time.Second))
	}
	if at.IsZero() || at.After(time.Now()) {
		return nil // it keeps the time at which it was written
	}
	return dir.Chtimes(temp, at, at)
}
