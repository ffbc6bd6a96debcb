package newsletter

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Link is a link of a thread to another one, as its file has it.
type Link struct {
	// Target is an address that ThreadLink knows.
	Target string
	// Line is where the link stands in its file, counted from 1.
	Line int
}

// What begins the address of a [[link]], and that of an ![[embed]] of something
// else than a picture.
const (
	Wikilink  = "[["
	Wikiembed = "![["
)

// ThreadLink tells whether an address in a thread means another thread: the
// file of one, seen from its own, or what stands in a wikilink.
func ThreadLink(address string) bool {
	if strings.HasPrefix(address, Wikilink) {
		return true
	}
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "" && u.Host == "" && strings.EqualFold(path.Ext(u.Path), ".md")
}

// Links find the threads that links mean. They are for one goroutine: what only
// some links need is made when the first of those is looked for.
type Links struct {
	threads []Listed
	files   map[string]int
	named   [4]names
}

// names are the threads by a name in small letters.
type names struct {
	one  map[string]int
	more map[string][]int // those of a name that several have, the best first
}

// The kinds of names, the best first.
const (
	nameFile = iota // the last part of the file's name, or its folder's
	nameID
	nameSlug
	nameTitle
)

// NewLinks finds among threads.
func NewLinks(threads []Listed) *Links {
	l := &Links{threads: threads, files: make(map[string]int, len(threads))}
	for i := range threads {
		file := threads[i].place()
		if _, taken := l.files[file]; taken && threads[i].File == "" {
			continue // another thread stands where this one stood
		}
		if file != "" {
			l.files[file] = i
		}
	}
	return l
}

// by are the threads that have a name of a kind, the best first.
func (l *Links) by(kind int, name string) []int {
	n := &l.named[kind]
	if n.one == nil {
		l.collect(kind)
	}
	if list, ok := n.more[name]; ok {
		return list
	}
	if i, ok := n.one[name]; ok {
		return []int{i}
	}
	return nil
}

func (l *Links) collect(kind int) {
	n := names{make(map[string]int, len(l.threads)), map[string][]int{}}
	for i := range l.threads {
		t := &l.threads[i]
		switch kind {
		case nameFile:
			if file := t.place(); file != "" {
				for _, stem := range stems(file) {
					n.add(path.Base(stem), i)
				}
			}
		case nameID:
			n.add(t.ID, i)
		case nameSlug:
			n.add(t.Slug, i)
		case nameTitle:
			n.add(t.Title, i)
		}
	}
	for _, list := range n.more {
		slices.SortFunc(list, l.better)
	}
	l.named[kind] = n
}

func (n names) add(name string, i int) {
	if name = fold(name); name == "" {
		return
	}
	first, taken := n.one[name]
	switch {
	case !taken:
		n.one[name] = i
	case n.more[name] == nil:
		n.more[name] = []int{first, i}
	default:
		n.more[name] = append(n.more[name], i)
	}
}

// place is where the thread's file stands, or stood.
func (l *Listed) place() string { return cmp.Or(l.File, l.Stood) }

// stems are the names of a file without its ending. That of a folder's file is
// also that of the folder.
func stems(file string) []string {
	stem := strings.TrimSuffix(file, path.Ext(file))
	if dir, name := path.Split(stem); name == "index" && dir != "" {
		return []string{strings.TrimSuffix(dir, "/"), stem}
	}
	return []string{stem}
}

// fold makes names equal that differ in case and white space.
func fold(name string) string { return strings.ToLower(strings.Join(strings.Fields(name), " ")) }

// better orders threads of one name: no duplicates, then the shortest path.
func (l *Links) better(a, b int) int {
	s, t := &l.threads[a], &l.threads[b]
	if (s.DuplicateOf == "") != (t.DuplicateOf == "") {
		return cmp.Compare(len(s.DuplicateOf), len(t.DuplicateOf))
	}
	return cmp.Or(cmp.Compare(len(s.place()), len(t.place())), cmp.Compare(s.place(), t.place()), cmp.Compare(a, b))
}

// find returns the thread that a link means, and the part of it; nil where there
// is none.
func (l *Links) find(from *Listed, target string) (to *Listed, fragment string) {
	if name, ok := strings.CutPrefix(target, Wikilink); ok {
		name, fragment, _ = strings.Cut(name, "#")
		if name == "" {
			return from, fragment
		}
		return l.wanted(path.Dir(from.place()), strings.TrimSuffix(name, ".md")), fragment
	}
	u, err := url.Parse(target)
	if err != nil {
		return nil, ""
	}
	return l.wanted(path.Dir(from.place()), strings.TrimSuffix(u.Path, path.Ext(u.Path))), u.Fragment
}

// wanted finds a thread by a path seen from the linking thread's folder, or from the
// folder of threads; then by the end of its path, and by its names.
func (l *Links) wanted(dir, name string) *Listed {
	if strings.HasPrefix(name, "/") {
		dir, name = ".", strings.TrimLeft(name, "/")
	}
	for _, stem := range []string{path.Join(dir, name), path.Clean(name)} {
		if i, ok := l.files[stem+".md"]; ok {
			return &l.threads[i]
		}
		if i, ok := l.files[stem+"/index.md"]; ok {
			return &l.threads[i]
		}
	}
	end := fold(strings.TrimLeft(path.Clean(name), "./"))
	for _, i := range l.by(nameFile, path.Base(end)) {
		if slices.ContainsFunc(stems(l.threads[i].place()), func(stem string) bool { return strings.HasSuffix("/"+fold(stem), "/"+end) }) {
			return &l.threads[i]
		}
	}
	for _, kind := range []int{nameID, nameSlug, nameTitle} {
		if list := l.by(kind, fold(name)); len(list) > 0 {
			return &l.threads[list[0]]
		}
	}
	return nil
}

// Resolve tells where the links of a thread lead that lead to a page, as seen
// from the thread's own, and what is wrong with the others, whose words are
// plain text; the problems name no file. Besides what is out, the thread itself
// has a page, and those of which also says so.
func (l *Links) Resolve(from *Listed, also func(Listed) bool) (map[string]string, []Problem) {
	if len(from.Links) == 0 {
		return nil, nil
	}
	linked := make(map[string]string, len(from.Links))
	var problems []Problem
	for _, link := range from.Links {
		to, fragment := l.find(from, link.Target)
		fault := "there is no such thread: the link is left out"
		if to != nil {
			fault = pageless(to, to.ID == from.ID || also != nil && also(*to))
		}
		if fault != "" {
			problems = append(problems, Problem{Line: link.Line, Text: fmt.Sprintf("link to %q: %s", strings.TrimPrefix(link.Target, Wikilink), fault)})
			continue
		}
		linked[link.Target] = "../" + url.PathEscape(to.Slug) + "/" + anchor(to.Posts, fragment)
	}
	return linked, problems
}

// pageless tells why a thread has no page; empty where it has one.
func pageless(t *Listed, out bool) string {
	switch {
	case t.Withdrawn:
		return "that thread is withdrawn: plain text"
	case !t.Via(ChannelWeb):
		return "that thread goes out by mail only: plain text"
	case !out && !t.Out():
		return "not published yet: plain text until then"
	}
	return ""
}

// anchor is the place of a fragment in the page of a thread: of a post, by its
// anchor or by a heading in it. It is empty for what is not found there.
func anchor(posts []Post, fragment string) string {
	if n, ok := strings.CutPrefix(fragment, "post-"); ok {
		if i, err := strconv.Atoi(n); err == nil && i >= 1 && i <= len(posts) {
			return "#post-" + strconv.Itoa(i)
		}
	}
	want := letters(fragment)
	if want == "" {
		return ""
	}
	for i, p := range posts {
		for line := range strings.Lines(p.Text) {
			if strings.HasPrefix(line, "#") && letters(line) == want {
				return "#post-" + strconv.Itoa(i+1)
			}
		}
	}
	return ""
}

// letters are those of a heading, in small, with its digits.
func letters(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, text)
}
