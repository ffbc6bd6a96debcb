package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"threadmill/internal/newsletter"
)

// sum is the beginning of a SHA-256. The zero sum is that of something unknown.
type sum [16]byte

func sumOf(text []byte) sum {
	long := sha256.Sum256(text)
	return sum(long[:16])
}

// The files in which the output folder remembers how it was written. They are
// hidden from readers, and nothing depends on them: without them the next Write
// compares every file.
const (
	// indexFile holds the index of the last Write.
	indexFile = ".threadmill-index"
	// writingFile is there while files are written, so that the next Write knows
	// of one that was cut off.
	writingFile = ".threadmill-writing"
)

// index tells of the files of the site what they were made of and how they
// looked when they were written.
type index map[string]made

type made struct {
	of   sum // what it was made of; zero where that is not told
	text sum
	look look
}

// look is how a file looks from outside. One that somebody changed or replaced
// looks otherwise.
type look struct {
	size, time int64
}

func lookOf(info fs.FileInfo) look { return look{info.Size(), info.ModTime().UnixNano()} }

// indexHead begins the index. Its number rises when the form changes.
const indexHead = "threadmill index 1 "

// maxIndex bounds an index, in bytes.
const maxIndex = 256 << 20

// encode is the index as it is kept: a line for each file, below a line that
// tells whether they are whole.
func (x index) encode() []byte {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(x)) {
		m := x[name]
		if strings.ContainsAny(name, "\t\n") {
			continue
		}
		fmt.Fprintf(&b, "%s\t%s\t%s\t%d\t%d\n", name, hex.EncodeToString(m.of[:]), hex.EncodeToString(m.text[:]), m.look.size, m.look.time)
	}
	whole := sumOf(b.Bytes())
	return append([]byte(indexHead+hex.EncodeToString(whole[:])+"\n"), b.Bytes()...)
}

// decodeIndex reads what encode wrote. What is not whole gives no index.
func decodeIndex(text []byte) (index, bool) {
	head, lines, _ := bytes.Cut(text, []byte("\n"))
	whole := sumOf(lines)
	if string(head) != indexHead+hex.EncodeToString(whole[:]) {
		return nil, false
	}
	x := make(index, bytes.Count(lines, []byte("\n")))
	for line := range strings.Lines(string(lines)) {
		name, m, err := decodeMade(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, false
		}
		x[name] = m
	}
	return x, true
}

func decodeMade(line string) (name string, m made, err error) {
	f := strings.Split(line, "\t")
	if len(f) != 5 || len(f[1]) != 2*len(m.of) || len(f[2]) != 2*len(m.text) {
		return "", made{}, errors.New("not a line of an index")
	}
	_, ofErr := hex.Decode(m.of[:], []byte(f[1]))
	_, textErr := hex.Decode(m.text[:], []byte(f[2]))
	var sizeErr, timeErr error
	m.look.size, sizeErr = strconv.ParseInt(f[3], 10, 64)
	m.look.time, timeErr = strconv.ParseInt(f[4], 10, 64)
	return f[0], m, errors.Join(ofErr, textErr, sizeErr, timeErr)
}

// base is the sum of what every document is made of besides the content: the
// program, its templates, and the options. It is zero where the program cannot
// be told from another version of itself.
func (s *Site) base() (sum, error) {
	p := program()
	if p == "" {
		return sum{}, nil
	}
	options, err := json.Marshal(s.opt)
	if err != nil {
		return sum{}, fmt.Errorf("options of the site: %w", err)
	}
	zone := ""
	if z := s.opt.Publication.Zone; z != nil {
		zone = z.String()
	}
	return sumOf(fmt.Appendf(nil, "%q %q %q %s", p, s.opt.Templates.Digest(), zone, options)), nil
}

// program tells one build of the program from another, empty where it cannot.
func program() string {
	file, err := os.Executable()
	if err != nil {
		return ""
	}
	stat, err := os.Stat(file)
	if err != nil {
		return ""
	}
	var id strings.Builder
	id.WriteString(fmt.Sprint(stat.Size(), stat.ModTime().UnixNano()))
	if b, ok := debug.ReadBuildInfo(); ok {
		id.WriteString(" " + b.GoVersion + " " + b.Main.Version)
		for _, s := range b.Settings {
			if strings.HasPrefix(s.Key, "vcs.") || s.Key == "-ldflags" {
				id.WriteString(" " + s.Value)
			}
		}
	}
	return id.String()
}

// entrySum is the sum of all that an entry tells, zero where its text has no
// digest. What Parse makes of a text is a function of the text and its file.
func entrySum(e *newsletter.Entry) sum {
	if e.Digest == "" {
		return sum{}
	}
	b := make([]byte, 0, 1024)
	for _, s := range []string{e.Digest, e.ID, e.Slug, e.GUID, e.File, e.Title, e.Excerpt, e.Lang} {
		b = strconv.AppendQuote(b, s)
	}
	b = e.Date.AppendFormat(b, " 2006-01-02T15:04:05.999999999Z07:00")
	if len(e.Pictures)+len(e.Linked) > 0 {
		found, err := json.Marshal([]any{e.Pictures, e.Linked})
		if err != nil {
			return sum{}
		}
		b = append(b, found...)
	}
	for _, n := range []int64{e.PublishedAt.UnixNano(), e.UpdatedAt.UnixNano(), e.CorrectedAt.UnixMilli(), e.Issue} {
		b = strconv.AppendInt(append(b, ' '), n, 10)
	}
	return sumOf(b)
}

// madeOf notes that a document is made of the entries with these indexes, of
// what is told, of the publication, the options and the templates, and of
// nothing else: while they are the same, it is not made again. Indexes out of
// range stand for no entry. A document of which nothing is noted is made each
// time.
func (m sources) madeOf(name, told string, entries ...int) {
	b := make([]byte, 0, (len(entries)+1)*len(m.base)+len(told))
	b = append(b, m.base[:]...)
	for _, i := range entries {
		var of sum
		if i >= 0 && i < len(m.sums) {
			if of = m.sums[i]; of == (sum{}) {
				return
			}
		}
		b = append(b, of[:]...)
	}
	if m.base != (sum{}) {
		m.of[name] = sumOf(append(b, told...))
	}
}

// indexes are those of the entries among all.
func (m sources) indexes(entries []newsletter.Entry) []int {
	list := make([]int, len(entries))
	for i, e := range entries {
		list[i] = m.at[e.Slug]
	}
	return list
}
