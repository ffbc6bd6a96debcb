package newsletter

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// KnownThread is what the publication remembers of a thread it has seen.
type KnownThread struct {
	ID       string
	Slug     string
	GUID     string
	PinnedID string // the params.id last seen in its file
	File     string // where it was last seen; empty when another thread took the place
	Digest   string // of the source last seen
	Prints   Prints // of the text last seen
	Sent     Prints // of the text that went out; none while it has not

	Issue     int64     // the issue it went out in; 0 while it has not
	OutAt     time.Time // when it went out, in an issue or elsewhere
	ChangedAt time.Time // when its source was last seen changed
	Archived  bool
	Withdrawn bool

	// Text returns the thread as last seen. It is called only where
	// fingerprints do not decide, and may be nil.
	Text func() Thread
}

// Out tells whether the thread went out, in an issue or elsewhere.
func (k KnownThread) Out() bool { return k.Issue > 0 || k.Archived }

// Identified is a thread of the folder with its lasting identity.
type Identified struct {
	Thread
	// Known is what was known of it; nil for a new one.
	Known *KnownThread
	// DuplicateOf is the id of the thread that this one repeats: the same
	// params.id in a second file, or the same opening under another id. Such a
	// thread is held. Where the params.id is taken, ID is empty.
	DuplicateOf string
}

// Identify matches the threads of the folder to the known ones, so that an
// edited, renamed or re-imported thread stays the same thread: by params.id,
// else by path, else by text to a known thread whose file is gone. What
// matches nothing is new and gets an id and a slug. broken names the files
// that could not be read: their threads keep their place.
//
// known must be in the order in which the threads were first seen.
func Identify(folder []Thread, broken []string, known []KnownThread) []Identified {
	m := matcher{
		out:   make([]Identified, len(folder)),
		to:    make([]int, len(folder)),
		taken: make([]bool, len(known)),
		gone:  make([]bool, len(known)),
		known: known,
	}
	files := map[string]Thread{}
	for i, t := range folder {
		m.out[i].Thread = t
		m.to[i] = -1
		files[t.File] = t
	}
	for k, known := range known {
		t, present := files[known.File]
		m.gone[k] = !slices.Contains(broken, known.File) && !(present && sameText(t, known))
	}
	m.byPinnedID()
	m.byPath()
	m.byText()
	m.name()
	m.holdRepeated()
	return m.out
}

type matcher struct {
	out   []Identified
	to    []int // index into known, or -1
	taken []bool
	gone  []bool // the file of a known thread is gone, or holds another text
	known []KnownThread
}

func (m *matcher) match(i, k int) {
	m.to[i] = k
	m.taken[k] = true
}

func (m *matcher) byPinnedID() {
	claimed := map[string]int{} // params.id -> index of the file that holds it
	for i := range m.out {
		id := m.out[i].PinnedID
		if id == "" {
			continue
		}
		k := slices.IndexFunc(m.known, func(k KnownThread) bool { return k.ID == id || k.PinnedID == id })
		first, again := claimed[id]
		switch {
		case !again:
			claimed[id] = i
		case k >= 0 && m.known[k].File == m.out[i].File: // this file was first, whatever the order of names
			m.to[first] = -1
			m.repeat(first, m.known[k].ID)
			claimed[id] = i
		case k >= 0:
			m.repeat(i, m.known[k].ID)
			continue
		default:
			m.repeat(i, id)
			continue
		}
		if k >= 0 {
			m.match(i, k)
		}
	}
}

// repeat holds file i as a second file of thread id.
func (m *matcher) repeat(i int, id string) {
	m.out[i].ID = ""
	m.out[i].DuplicateOf = id
}

func (m *matcher) open(i int) bool { return m.to[i] < 0 && m.out[i].DuplicateOf == "" }

func (m *matcher) byPath() {
	for i := range m.out {
		if !m.open(i) {
			continue
		}
		t := m.out[i].Thread
		k := slices.IndexFunc(m.known, func(k KnownThread) bool { return k.File == t.File })
		if k < 0 || m.taken[k] {
			continue
		}
		if m.gone[k] {
			// A new text under an old name. It may be a thread that moved here.
			if g := m.bestByText(t); g >= 0 {
				m.match(i, g)
				continue
			}
			if m.known[k].Out() {
				continue
			}
		}
		m.match(i, k)
	}
}

func (m *matcher) byText() {
	for i := range m.out {
		if !m.open(i) {
			continue
		}
		if k := m.bestByText(m.out[i].Thread); k >= 0 {
			m.match(i, k)
		}
	}
}

// bestByText finds, among the known threads whose file is gone, the one whose
// text is nearest, or -1 when none is near enough.
func (m *matcher) bestByText(t Thread) int {
	best, bestShared := -1, -1
	prints := t.Prints()
	for k, known := range m.known {
		if m.taken[k] || !m.gone[k] {
			continue
		}
		switch {
		case prints.half(known.Prints) || prints.half(known.Sent):
			if n := max(prints.shared(known.Prints), prints.shared(known.Sent)); n > bestShared {
				best, bestShared = k, n
			}
		case bestShared < 0 && alike(t, known):
			best, bestShared = k, 0
		}
	}
	return best
}

// sameText tells whether the text of a known path is still the known thread,
// edited, and not another one that took its place.
func sameText(t Thread, known KnownThread) bool {
	prints := t.Prints()
	return prints.shared(known.Prints) > 0 || prints.shared(known.Sent) > 0 || alike(t, known)
}

// alike decides where no post is the same to the letter: every post was
// touched, as happens at once in a thread of one post. An edit leaves nine
// words of ten, or half of them under the same title.
func alike(t Thread, known KnownThread) bool {
	if known.Text == nil {
		return false
	}
	old := known.Text()
	l := likeness(t, old)
	return l >= 0.9 || l >= 0.5 && t.Titled && old.Titled && t.Title == old.Title
}

// name gives ids and slugs. A known thread keeps both, unless its slug key
// asks for another slug.
func (m *matcher) name() {
	ids, slugs := map[string]bool{}, map[string]bool{}
	for _, k := range m.known {
		ids[k.ID] = true
		slugs[k.Slug] = true
	}
	for i := range m.out {
		t := &m.out[i]
		switch k := m.to[i]; {
		case t.DuplicateOf != "":
		case k >= 0:
			t.Known = &m.known[k]
			t.ID = t.Known.ID
			if !t.Slugged || trimCount(m.known[k].Slug) == t.Slug {
				t.Slug = m.known[k].Slug
			} else if t.Slug != m.known[k].Slug {
				t.Slug = unique(t.Slug, slugs)
			}
		default:
			t.ID = t.PinnedID
			if t.ID == "" {
				t.ID = DefaultID(t.File)
			}
			t.ID = unique(t.ID, ids)
			t.Slug = unique(t.Slug, slugs)
		}
	}
}

// holdRepeated marks threads that open like one that went out, or like one
// that stands before them in the queue.
func (m *matcher) holdRepeated() {
	opened := map[uint64]string{}
	for _, k := range m.known {
		if k.Out() {
			opened[k.Prints.Opening] = k.ID
			opened[k.Sent.Opening] = k.ID
		}
	}
	delete(opened, 0) // no prints
	order := make([]int, len(m.out))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return m.seniority(a) - m.seniority(b) })
	for _, i := range order {
		t := &m.out[i]
		if t.DuplicateOf != "" || t.Draft || m.to[i] >= 0 && m.known[m.to[i]].Out() {
			continue
		}
		opening := t.Prints().Opening
		if id, ok := opened[opening]; ok && id != t.ID {
			t.DuplicateOf = id
			continue
		}
		opened[opening] = t.ID
	}
}

// seniority orders threads by when they were first seen, new ones last.
func (m *matcher) seniority(i int) int {
	if m.to[i] >= 0 {
		return m.to[i]
	}
	return len(m.known)
}

// DefaultID is the id of a thread that does not pin one: its file's name with
// the date, or its folder's name.
func DefaultID(file string) string {
	dir, name := path.Split(file)
	base := strings.TrimSuffix(name, path.Ext(name))
	if base == "index" && dir != "" {
		return path.Base(path.Clean(dir))
	}
	return base
}

// unique returns name, with -2, -3 … where it is taken, and takes it.
func unique(name string, taken map[string]bool) string {
	free := name
	for n := 2; taken[free]; n++ {
		free = name + "-" + strconv.Itoa(n)
	}
	taken[free] = true
	return free
}

var count = regexp.MustCompile(`-[0-9]+$`)

// trimCount takes away what unique added.
func trimCount(slug string) string { return count.ReplaceAllString(slug, "") }

// ThreadUpdate is what changed about a thread since it was last seen.
type ThreadUpdate struct {
	Thread
	Digest string
	Prints Prints
	New    bool
	Edited bool // its source changed, and not only its place or slug
}
