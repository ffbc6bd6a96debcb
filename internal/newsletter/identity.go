package newsletter

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Identified is a thread of the folder with its lasting identity.
type Identified struct {
	Thread
	// Known is what was known of it; nil for a new one.
	Known *KnownThread
	// DuplicateOf is the id of the thread that this one repeats: the same
	// params.id in a second file, or the same opening under another id. Such a
	// thread is held. A second file of a thread has no ID of its own.
	DuplicateOf string
	prints      *Prints // nil until they were needed
}

// Prints are the fingerprints of the thread's posts, taken once.
func (t Identified) Prints() Prints {
	if t.prints != nil {
		return *t.prints
	}
	return t.Thread.Prints()
}

// Identify matches the threads of the folder to the known ones, so that an
// edited, renamed or re-imported thread stays the same thread: by params.id,
// else by path, else by text to a known thread whose file is gone. What
// matches nothing is new and gets an id, a slug and, by mint from its slug, an
// id in the feeds. broken names the files that could not be read: their
// threads keep their place.
//
// known must be in the order in which the threads were first seen, and have
// its texts where Undecided asks for them.
func Identify(folder []Thread, broken []string, known []KnownThread, mint func(slug string) string) []Identified {
	m := newMatcher(folder, broken, known)
	m.byPinnedID()
	m.byPath()
	m.byText()
	m.nameKnown()
	m.nameNew(mint)
	m.holdRepeated()
	return m.files
}

// Undecided returns the indexes of the known threads whose text Identify
// needs, because fingerprints alone cannot tell whether a file holds them:
// none, as long as every file holds what it held.
func Undecided(folder []Thread, broken []string, known []KnownThread) []int {
	m := newMatcher(folder, broken, known)
	m.byPinnedID()
	m.byPath()
	if !slices.ContainsFunc(m.to, func(k int) bool { return k < 0 }) {
		return nil
	}
	var list []int
	for k, gone := range m.gone {
		if gone {
			list = append(list, k)
		}
	}
	return list
}

type matcher struct {
	files []Identified
	to    []int // of files: index into known, or -1
	known []KnownThread
	taken []bool // of known: a file was matched to it
	// gone tells of known whether its file is gone or holds another text.
	gone    []bool
	byFile  map[string]int   // file -> known
	byPrint map[uint64][]int // fingerprint of a post -> known that are gone
}

func newMatcher(folder []Thread, broken []string, known []KnownThread) *matcher {
	m := &matcher{
		files:   make([]Identified, len(folder)),
		to:      make([]int, len(folder)),
		known:   known,
		taken:   make([]bool, len(known)),
		gone:    make([]bool, len(known)),
		byFile:  make(map[string]int, len(known)),
		byPrint: map[uint64][]int{},
	}
	at := make(map[string]int, len(folder))
	for i, t := range folder {
		m.files[i].Thread, m.to[i] = t, -1
		at[t.File] = i
	}
	unreadable := make(map[string]bool, len(broken))
	for _, f := range broken {
		unreadable[f] = true
	}
	for k := range known {
		if known[k].File != "" {
			m.byFile[known[k].File] = k
		}
		i, present := at[known[k].File]
		if unreadable[known[k].File] || present && m.sameText(i, k) {
			continue
		}
		m.gone[k] = true
		for _, print := range slices.Concat(known[k].Prints.Posts, known[k].Sent.Posts) {
			m.byPrint[print] = append(m.byPrint[print], k)
		}
	}
	return m
}

// prints are those of file i. They are taken when they are needed first: where
// every file is as it was, that is never.
func (m *matcher) prints(i int) Prints {
	t := &m.files[i]
	if t.prints == nil {
		p := t.Thread.Prints()
		t.prints = &p
	}
	return *t.prints
}

func (m *matcher) match(i, k int) {
	m.to[i] = k
	m.taken[k] = true
}

// open tells whether file i is neither matched nor held.
func (m *matcher) open(i int) bool { return m.to[i] < 0 && m.files[i].DuplicateOf == "" }

func (m *matcher) byPinnedID() {
	byID := m.byID()
	holder := map[string]int{} // params.id -> the file that holds it
	for i := range m.files {
		id := m.files[i].PinnedID
		if id == "" {
			continue
		}
		k, seen := byID[id]
		if seen && m.namedByAnother(i, k, id) {
			m.repeat(i, m.known[k].ID)
			continue
		}
		first, again := holder[id]
		switch {
		case again && seen && m.known[k].File == m.files[i].File: // this one was first, whatever the order of names
			m.to[first] = -1
			m.repeat(first, m.known[k].ID)
		case again && seen:
			m.repeat(i, m.known[k].ID)
			continue
		case again:
			m.repeat(i, id)
			continue
		}
		holder[id] = i
		if seen {
			m.match(i, k)
		}
	}
}

// byID is the known thread that each params.id means: the one that pinned it,
// else the one that was given it as a name.
func (m *matcher) byID() map[string]int {
	list := make(map[string]int, len(m.known))
	for k, known := range m.known {
		list[known.ID] = k
	}
	for k, known := range m.known {
		if known.PinnedID != "" {
			list[known.PinnedID] = k
		}
	}
	return list
}

// namedByAnother tells whether another file has had the id of file i as its
// name since before.
func (m *matcher) namedByAnother(i, k int, id string) bool {
	known := m.known[k]
	return known.PinnedID != id && !m.gone[k] && known.File != m.files[i].File
}

// repeat holds file i as a second file of thread id.
func (m *matcher) repeat(i int, id string) { m.files[i].DuplicateOf = id }

func (m *matcher) byPath() {
	for i := range m.files {
		k, seen := m.byFile[m.files[i].File]
		if !m.open(i) || !seen || m.taken[k] {
			continue
		}
		if !m.gone[k] {
			m.match(i, k)
			continue
		}
		// A new text under an old name. It may be a thread that moved here; if
		// not, it is a new one, unless nothing went out under the name yet.
		if moved := m.nearest(i); moved >= 0 {
			m.match(i, moved)
		} else if !m.known[k].Out() {
			m.match(i, k)
		}
	}
}

func (m *matcher) byText() {
	for i := range m.files {
		if !m.open(i) {
			continue
		}
		if k := m.nearest(i); k >= 0 {
			m.match(i, k)
		}
	}
}

// nearest finds, among the known threads whose file is gone, the one whose
// text is nearest to file i, or -1 when none is near enough.
func (m *matcher) nearest(i int) int {
	best, most := -1, 0
	if len(m.byPrint) > 0 {
		prints := m.prints(i)
		for _, print := range prints.Posts {
			for _, k := range m.byPrint[print] {
				known := m.known[k]
				if m.taken[k] || !prints.half(known.Prints) && !prints.half(known.Sent) {
					continue
				}
				if n := max(prints.shared(known.Prints), prints.shared(known.Sent)); n > most {
					best, most = k, n
				}
			}
		}
	}
	if best >= 0 {
		return best
	}
	for k, gone := range m.gone {
		if gone && !m.taken[k] && m.alike(i, k) {
			return k
		}
	}
	return -1
}

// sameText tells whether file i holds known thread k, edited perhaps, and not
// another text that took its place.
func (m *matcher) sameText(i, k int) bool {
	known, t := &m.known[k], &m.files[i]
	if t.Digest != "" && t.Digest == known.Digest && len(known.Prints.Posts) > 0 {
		t.prints = &known.Prints
		return true
	}
	return m.prints(i).shared(known.Prints) > 0 || m.prints(i).shared(known.Sent) > 0 || m.alike(i, k)
}

// alike decides where no post is the same to the letter: every post was
// touched, as happens at once in a thread of one post. An edit leaves nine
// words of ten, or half of them under the same title.
func (m *matcher) alike(i, k int) bool {
	old, t := m.known[k].Text, m.files[i].Thread
	if old == nil {
		return false
	}
	l := likeness(t, *old)
	return l >= 0.9 || l >= 0.5 && t.Titled && old.Titled && t.Title == old.Title
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
	order := make([]int, len(m.files))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return m.seniority(a) - m.seniority(b) })
	for _, i := range order {
		t := &m.files[i]
		if t.DuplicateOf != "" || t.Draft || !t.Published.IsZero() || t.Known != nil && t.Known.Out() {
			continue
		}
		if id, ok := opened[m.prints(i).Opening]; ok && id != t.ID {
			t.DuplicateOf = id
			continue
		}
		opened[m.prints(i).Opening] = t.ID
	}
}

// seniority orders threads by when they were first seen, new ones last.
func (m *matcher) seniority(i int) int {
	if m.to[i] >= 0 {
		return m.to[i]
	}
	return len(m.known)
}

// nameKnown gives matched threads back their names. A slug changes only when
// the slug key asks for another one.
func (m *matcher) nameKnown() {
	slugs := map[string]bool{}
	for _, k := range m.known {
		slugs[k.Slug] = true
		for _, former := range k.FormerSlugs {
			slugs[former] = true
		}
	}
	for i := range m.files {
		if m.to[i] < 0 {
			continue
		}
		t, known := &m.files[i], &m.known[m.to[i]]
		wish := t.Slug
		t.Known, t.ID, t.GUID, t.Slug, t.FormerSlugs = known, known.ID, known.GUID, known.Slug, known.FormerSlugs
		taken := wish == trimCount(known.Slug) && slugs[wish] // and the known slug is the answer to that
		switch {
		case !t.Slugged || wish == known.Slug:
		case slices.Contains(known.FormerSlugs, wish): // back to where it was
			t.Slug = wish
		case !taken:
			t.Slug = unique(wish, slugs)
		}
	}
}

// nameNew names the new threads. What a file asks for comes before what is
// made up.
func (m *matcher) nameNew(mint func(slug string) string) {
	ids, slugs, guids := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, k := range m.known {
		ids[k.ID], slugs[k.Slug], guids[k.GUID] = true, true, true
		for _, former := range k.FormerSlugs {
			slugs[former] = true
		}
	}
	var fresh []*Identified
	for i := range m.files {
		t := &m.files[i]
		if t.Known != nil {
			slugs[t.Slug] = true
		} else if t.DuplicateOf == "" {
			fresh = append(fresh, t)
		}
	}
	for _, t := range fresh {
		if t.PinnedID != "" {
			t.ID = unique(t.PinnedID, ids)
		}
		if t.GUID != "" && guids[t.GUID] {
			t.GUID = ""
		}
		guids[t.GUID] = true
	}
	for _, t := range fresh {
		if t.ID == "" {
			t.ID = unique(DefaultID(t.File), ids)
		}
		t.Slug = unique(t.Slug, slugs)
		if t.GUID == "" {
			t.GUID = unique(mint(t.Slug), guids)
		}
	}
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
