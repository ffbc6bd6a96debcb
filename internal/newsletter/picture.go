package newsletter

import (
	"path"
	"regexp"
)

// PictureTypes are the endings of the pictures that browsers show.
var PictureTypes = []string{".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".avif"}

// Picture is how a picture of a thread is shown: one or more files that hold
// it upright, in several widths.
type Picture struct {
	// Type is the media type of the files.
	Type string
	// Files are widest first and never none. Their names say what they hold, so
	// another picture has another name: see Immutable.
	Files []PictureFile
	// Lasting is a name below the thread's folder that holds what Files[0]
	// holds, and later what will be there in its place. Mails and feeds, which
	// nobody can write anew, show that.
	Lasting string
	// ContentID is what a mail that holds the picture calls it; empty where it
	// shows the one of the site.
	ContentID string
}

// PictureFile is a picture in one size.
type PictureFile struct {
	Name          string // below the thread's folder
	Width, Height int    // in pixels; 0 where they are not known
}

// immutable is how the names of files end that bear a digest of what they hold.
var immutable = regexp.MustCompile(`-[0-9a-f]{16}-(\d+w|asis)\.[a-z]{3,4}$`)

// Immutable tells whether a file of the site, by its name below the output
// folder, never holds anything else than now, so that readers may keep it for
// ever.
func Immutable(name string) bool {
	dir, file := path.Split(name)
	return len(dir) > len("threads/") && dir[:len("threads/")] == "threads/" && immutable.MatchString(file)
}
