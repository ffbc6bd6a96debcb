package importer

import (
	"context"
	"slices"
	"time"
)

// Options say what an archive leaves open.
type Options struct {
	// Year is the year of the first date in an archive without years. With 0
	// the first date is the latest one that is not after Now.
	Year int
	// Ready makes threads that may go out; without it they are drafts.
	Ready bool
	// Zone is where a date without a time is midnight; nil means UTC.
	Zone *time.Location
	// Now is the present; the zero time means the clock's.
	Now time.Time
}

// File is a thread file to be.
type File struct {
	Name    string // its name in the threads folder
	Content []byte
	Title   string
	Date    time.Time
	Posts   int
}

// Skipped is a part of an archive that gave no file.
type Skipped struct {
	Where string // "profile.txt:12"
	Why   string
}

// Result is what an archive gave.
type Result struct {
	Files   []File
	Skipped []Skipped
	// Notes are what the author should know about the whole, a sentence each.
	Notes []string
}

// Format is a kind of archive.
type Format struct {
	Name    string // as in "threadmill import NAME PATH"
	Summary string // one line of help
	// Read reads the archive at path. Parts that cannot be used are among the
	// result's skipped ones; an error means that nothing could be read.
	Read func(ctx context.Context, path string, opt Options) (Result, error)
}

// Formats returns all formats, sorted by name.
func Formats() []Format {
	return []Format{
		{"threadreader", "text copy of a Thread Reader profile page (excerpts only)", readThreadReader},
	}
}

// Find returns the format called name, and false when there is none.
func Find(name string) (Format, bool) {
	all := Formats()
	i := slices.IndexFunc(all, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, false
	}
	return all[i], true
}
