package newsletter

import "time"

// SearchTerm is a word that a text must hold, or several that must follow each
// other there. The words are folded as package search does.
type SearchTerm struct {
	Words  []string
	Prefix bool // the last one only begins a word
}

// UnreadText is a thread that is out and whose text the search does not know
// as it is now.
type UnreadText struct {
	Number int64 // of the thread in the database
	Digest string
	File   string
	Source string
}

// SearchText is what the search knows of a thread.
type SearchText struct {
	Number int64
	// Digest is that of the source it was made of, Version that of the making.
	Digest  string
	Version int
	Shown   bool // the thread goes out by the web
	Title   string
	Lang    string
	Posts   int
	Minutes int
	Written time.Time // zero where the file does not tell
	Text    string    // plain, as it is read
	// The words of title, tags and text, with a space before and after each.
	TitleWords, TagWords, TextWords string
}

// Found is a thread that a search found.
type Found struct {
	Slug    string
	Title   string
	Lang    string
	Posts   int
	Minutes int
	Written time.Time
	OutAt   time.Time
	Text    string
}
