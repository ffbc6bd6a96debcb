package newsletter

import "time"

// KnownThread is what the publication remembers of a thread it has seen.
type KnownThread struct {
	ID   string
	Slug string
	// FormerSlugs are those it had since it went out, in their own order. They
	// stay its own: their pages lead to it.
	FormerSlugs []string
	GUID        string
	PinnedID    string // the params.id last seen in its file
	File        string // where it was last seen; empty when another thread took the place
	Digest      string // of the source last seen
	Prints      Prints // of the text last seen
	Sent        Prints // of the text that went out; none while it has not
	// SentDigest is of the source that went out; empty while it has not, and
	// where the issue is too old to tell.
	SentDigest string
	Mailed     bool // its issue went to somebody by mail
	// Present tells whether a file that can be read holds it.
	Present bool

	Issue     int64     // the issue it went out in; 0 while it has not
	OutAt     time.Time // when it went out, in an issue or elsewhere
	OutNumber int64     // its place in the order in which threads went out; see Entry
	ChangedAt time.Time // when its source was last seen changed
	// RewordedAt is when its text was, see [SameText].
	RewordedAt time.Time
	Archived   bool
	Withdrawn  bool

	// Text is the thread as last seen. It is only there where Undecided asked
	// for it.
	Text *Thread
}

// Known is all that the publication remembers of threads.
type Known struct {
	Threads []KnownThread // in the order of first sight
	// Stamp changes with what is known, so that a decision made on it can be
	// dropped when another process was first.
	Stamp string
}

// Out tells whether the thread went out, in an issue or elsewhere.
func (k KnownThread) Out() bool { return k.Issue > 0 || k.Archived }

// ThreadUpdate is what changed about a thread since it was last seen.
type ThreadUpdate struct {
	Thread
	Prints Prints
	New    bool
	Edited bool // its source changed, and not only its place or slug
	// Reworded says that its text changed too, see [SameText].
	Reworded bool
	Gone     bool // no file that can be read holds it; only the ID counts
	// Archive says that it went out elsewhere, at Published.
	Archive bool
	// Pictures replaces the thread's pictures with Assets, which are kept
	// already.
	Pictures bool
	Assets   []Asset
}
