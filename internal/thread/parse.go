package thread

import (
	"cmp"
	"path"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// Parse reads one thread from source, the text of file; file is a path below
// the threads folder with forward slashes and gives the default slug and date.
// A date without a time is midnight in zone; nil means UTC. Parse does not
// touch the file system, so it cannot tell whether a picture is there.
//
// The thread is of use only when no problem is an [newsletter.Error]. Problems
// come in the order of their lines.
func Parse(file string, source []byte, zone *time.Location) (newsletter.Thread, []newsletter.Problem) {
	t, _, faults := parse(file, source, zone)
	return t, faults.sorted()
}

// parse is Parse, and also returns where the file names local pictures.
func parse(file string, source []byte, zone *time.Location) (newsletter.Thread, []picture, *lint) {
	faults := &lint{file: file}
	if zone == nil {
		zone = time.UTC
	}
	t := newsletter.Thread{File: file, Source: string(source)}
	t.Digest = newsletter.DigestOf(t.Source)
	name := cmp.Or(base(file), "thread")
	date, short := datedName(name, zone)
	t.Slug = makeSlug(short)
	front, rest, ok := split(tidy(source), faults)
	if !ok {
		return t, nil, faults
	}
	f := parseYAML(front, faults)
	readFields(&t, f, zone)
	if t.Date.IsZero() {
		t.Date = date
	}
	t.Slugged = t.Slug != ""
	t.Slug = makeSlug(t.Slug, short)

	b, ok := parseBody(rest, faults)
	if !ok {
		return t, nil, faults
	}
	t.Posts = b.posts(faults)
	t.References = b.references()
	t.Notes = b.notes(faults)
	t.Links = b.links(faults)
	pictures := append(b.pictures(faults), coverPictures(&t, f)...)
	for _, p := range pictures {
		t.Assets = appendNew(t.Assets, p.name)
	}
	count(&t, b)
	describe(&t, line(short))
	return t, pictures, faults
}

// base is the name of a thread's file without its ending, or the name of the
// folder of a bundle.
func base(file string) string {
	name := path.Base(file)
	if name == bundleFile && path.Dir(file) != "." {
		return path.Base(path.Dir(file))
	}
	return strings.TrimSuffix(name, path.Ext(name))
}

// datedName takes the date off a name such as "2024-03-04-moving-a-shed". A
// name that is a date and nothing else stays whole.
func datedName(name string, zone *time.Location) (date time.Time, short string) {
	const layout = time.DateOnly
	if len(name) < len(layout) {
		return time.Time{}, name
	}
	head, tail := name[:len(layout)], name[len(layout):]
	date, err := time.ParseInLocation(layout, head, zone)
	if err != nil || (tail != "" && tail[0] != '-') {
		return time.Time{}, name
	}
	return midnight(date, head), cmp.Or(strings.Trim(tail, "-"), head)
}

// Parse reads a thread from text that was kept. What was wrong with it was
// told when it was a file.
func (r Reader) Parse(file, source string) newsletter.Thread {
	t, _ := Parse(file, []byte(source), r.Zone)
	return t
}
