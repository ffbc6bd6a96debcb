package newsletter

import "time"

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

// SiteState is how far the site of one output folder is.
type SiteState struct {
	Revision int64  // of the publication that it shows
	Tried    int64  // the newest revision it was to show
	Failure  string // of the last try; empty when that went well
}
