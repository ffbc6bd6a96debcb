package newsletter

import (
	"net/url"
	"strings"
	"time"
)

// AssetMax bounds a picture of a thread, in bytes.
const AssetMax = 10 << 20

// Asset is a picture of a thread as the publication keeps it.
type Asset struct {
	Name      string // below the thread's folder, one of Thread.Assets
	Digest    string // SHA-256 of its bytes, in hexadecimal digits
	MediaType string
	Size      int64
	// ModifiedAt is the time of the file it was read from; zero where that
	// does not yet tell it from a later one.
	ModifiedAt time.Time
}

// FileAddress makes a relative address of the name of a file. It holds nothing
// that Markdown, a list of addresses or a reader of schemes would take for its
// own.
func FileAddress(name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = strings.NewReplacer(":", "%3A", "&", "%26").Replace(url.PathEscape(p))
	}
	return strings.Join(parts, "/")
}

// SiteState is how far the site of one output folder is.
type SiteState struct {
	Revision int64  // of the publication that it shows
	Tried    int64  // the newest revision it was to show
	Failure  string // of the last try; empty when that went well
}
