package web

import (
	"cmp"
	"path"
	"strings"
)

// types are the content types of the files of a site, by name and by ending.
// They do not depend on what the machine knows about types. Read-only.
var types = map[string]string{
	"feed.xml":          typeRSS,
	"atom.xml":          typeAtom,
	"feed.json":         typeJSONFeed,
	".well-known/feeds": typeOPML,

	".html":  "text/html; charset=utf-8",
	".xml":   typeXML,
	".json":  "application/json; charset=utf-8",
	".txt":   "text/plain; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".opml":  typeOPML,
	".svg":   "image/svg+xml; charset=utf-8",
	".png":   "image/png",
	".jpg":   "image/jpeg",
	".jpeg":  "image/jpeg",
	".gif":   "image/gif",
	".webp":  "image/webp",
	".avif":  "image/avif",
	".ico":   "image/x-icon",
	".mp3":   "audio/mpeg",
	".mp4":   "video/mp4",
	".pdf":   "application/pdf",
	".woff2": "font/woff2",
}

const (
	typeRSS      = "application/rss+xml; charset=utf-8"
	typeAtom     = "application/atom+xml; charset=utf-8"
	typeJSONFeed = "application/feed+json; charset=utf-8"
	typeOPML     = "text/x-opml; charset=utf-8"
	typeXML      = "application/xml; charset=utf-8"
)

// contentType is the type of a file by its name below the output folder; one
// that is not known is offered as a download.
func contentType(name string) string {
	if archive, ok := strings.CutPrefix(name, "archive/"); ok && !strings.Contains(archive, "/") {
		switch {
		case strings.HasSuffix(archive, ".atom.xml"):
			return typeAtom
		case strings.HasSuffix(archive, ".xml"):
			return typeRSS
		case strings.HasSuffix(archive, ".json"):
			return typeJSONFeed
		}
	}
	return cmp.Or(types[name], types[path.Base(name)], types[strings.ToLower(path.Ext(name))], "application/octet-stream")
}

// shown is the type of a file for a browser that opens it as a document. None
// shows one of the registered types of feeds with its stylesheet.
func shown(registered string) string {
	if registered == typeRSS || registered == typeAtom || registered == typeOPML {
		return typeXML
	}
	return registered
}
