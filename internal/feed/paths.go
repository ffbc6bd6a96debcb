package feed

import (
	"fmt"
	"strings"
)

// Paths are the names of a feed's documents below the site; they stand in the
// links.
type Paths struct {
	RSS, Atom, JSON string
}

// The names of documents below the site.
const (
	RSSPath  = "feed.xml"
	AtomPath = "atom.xml"
	JSONPath = "feed.json"

	OPMLPath      = "feeds.opml"
	WellKnownPath = ".well-known/feeds" // the same document
	StylePath     = "feed.css"
	IconPath      = "icon.png"
	FaviconPath   = "favicon.png"
)

// PathsOf are the names of the feeds in a folder: "" for those of all threads,
// newsletter.TagPath for those of a tag.
func PathsOf(folder string) Paths {
	return Paths{folder + RSSPath, folder + AtomPath, folder + JSONPath}
}

// ArchivePaths are the names of the n-th documents of the archive, counted
// from 1, the oldest.
func ArchivePaths(n int64) Paths {
	name := fmt.Sprint(archiveFolder, "/", n)
	return Paths{name + ".xml", name + ".atom.xml", name + ".json"}
}

const archiveFolder = "archive"

// up leads from a path to the top of the site.
func up(path string) string { return strings.Repeat("../", strings.Count(path, "/")) }
