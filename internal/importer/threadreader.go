package importer

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	archiveLimit = 16 << 20 // bytes of a page
	postLength   = 280      // characters of a post
)

// example is a header as an author knows it.
const example = "Dec 18 • 14 tweets • 3 min read"

// The line over each thread of a profile page, and what looks like it.
var (
	header     = regexp.MustCompile(`^([A-Z][a-z]{2}) (\d{1,2})(?:, (\d{4}))? • (\d{1,4}) tweets? • \d{1,4} min read$`)
	headerLike = regexp.MustCompile(`^[A-Z][a-z]{2,8}\.? \d{1,2}(?:,? \d{4})? *[•·|]`)
)

// excerpt is one thread of a profile page.
type excerpt struct {
	line     int // of the header
	month    time.Month
	day      int
	year     int // 0 when the page does not give it
	expected int // posts the thread has in full
	text     []string
	fault    string // why the header gives no thread
}

func readThreadReader(ctx context.Context, path string, opt Options) (Result, error) {
	page, err := readPage(path)
	if err != nil {
		return Result{}, err
	}
	if err := ctx.Err(); err != nil {
		return Result{}, fmt.Errorf("read %s: %w", path, err)
	}
	r := parseThreadReader(filepath.Base(path), page, opt)
	if len(r.Files) == 0 && len(r.Skipped) == 0 {
		return Result{}, fmt.Errorf("read %s: no thread in it: expected the text of a profile page with lines such as %q", path, example)
	}
	return r, nil
}

func readPage(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("read %w", err)
	}
	defer f.Close()
	page, err := io.ReadAll(io.LimitReader(f, archiveLimit+1))
	if err != nil {
		return "", fmt.Errorf("read %w", err)
	}
	if len(page) > archiveLimit {
		return "", fmt.Errorf("read %s: longer than %d MB: not a page", path, archiveLimit>>20)
	}
	return string(page), nil
}

// parseThreadReader reads the text of a page. It is called name in messages.
func parseThreadReader(name, page string, opt Options) Result {
	if opt.Zone == nil {
		opt.Zone = time.UTC
	}
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	var r Result
	excerpts, before := splitPage(page)
	if before > 0 && len(excerpts) > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("lines above the first thread left out, as the profile: %d", before))
	}
	if year, guessed := setYears(excerpts, opt); guessed {
		r.Notes = append(r.Notes, fmt.Sprintf("the page names no year: took %d for the first thread; --year changes it", year))
	}
	used := map[string]bool{}
	for _, e := range excerpts {
		f, fault := e.file(used, opt)
		if fault != "" {
			r.Skipped = append(r.Skipped, Skipped{Where: fmt.Sprintf("%s:%d", name, e.line), Why: fault})
			continue
		}
		r.Files = append(r.Files, f)
	}
	if len(r.Files) > 0 {
		r.Notes = append(r.Notes, "the page shows the beginning of each thread only: every file is marked incomplete and names the number of posts the thread has in full")
	}
	return r
}

// splitPage divides a page at its headers. It also counts the lines with text
// before the first one.
func splitPage(page string) (excerpts []excerpt, before int) {
	for i, row := range pageLines(page) {
		switch {
		case headerLike.MatchString(row):
			excerpts = append(excerpts, newExcerpt(i+1, row))
		case row == "":
		case len(excerpts) == 0:
			before++
		default:
			last := &excerpts[len(excerpts)-1]
			last.text = append(last.text, row)
		}
	}
	return excerpts, before
}

// newExcerpt reads a header. What is wrong with it goes into the fault.
func newExcerpt(line int, row string) excerpt {
	e := excerpt{line: line}
	m := header.FindStringSubmatch(row)
	if m == nil {
		e.fault = fmt.Sprintf("%q is like the line over a thread, but not of the form %q", row, example)
		return e
	}
	// A leap year takes every day there is.
	date, err := time.Parse("Jan 2 2006", m[1]+" "+m[2]+" 2024")
	if err != nil {
		e.fault = fmt.Sprintf("%q holds no date", row)
		return e
	}
	e.month, e.day = date.Month(), date.Day()
	e.year, _ = strconv.Atoi(m[3]) // empty or four digits
	e.expected, _ = strconv.Atoi(m[4])
	return e
}

// setYears gives each excerpt its year. The page goes from new to old, so the
// year falls where month and day rise. It returns the year of the first one,
// and whether that was guessed from opt.Now.
func setYears(excerpts []excerpt, opt Options) (first int, guessed bool) {
	var dated []*excerpt
	for i := range excerpts {
		if excerpts[i].fault == "" {
			dated = append(dated, &excerpts[i])
		}
	}
	if len(dated) == 0 {
		return 0, false
	}
	falls, year := make([]int, len(dated)), opt.Year
	for i, e := range dated {
		if i > 0 {
			falls[i] = falls[i-1]
			if e.dayOfYear() > dated[i-1].dayOfYear() {
				falls[i]++
			}
		}
		if year == 0 && e.year != 0 {
			year = e.year + falls[i]
		}
	}
	if guessed = year == 0; guessed {
		year = dated[0].latest(opt.Now.In(opt.Zone))
	}
	for i, e := range dated {
		if e.year != 0 {
			year = e.year + falls[i]
		}
		e.year = year - falls[i]
	}
	return dated[0].year, guessed
}

// dayOfYear orders days as the calendar does.
func (e excerpt) dayOfYear() int { return int(e.month)*100 + e.day }

// latest is the last year in which the day is there and not after now.
func (e excerpt) latest(now time.Time) int {
	// Eight years hold a leap year, also around 1900 and 2100.
	for year := now.Year(); year > now.Year()-9; year-- {
		d := time.Date(year, e.month, e.day, 0, 0, 0, 0, now.Location())
		if d.Day() == e.day && !d.After(now) {
			return year
		}
	}
	return now.Year()
}

// file writes the excerpt as a thread file, or tells why it cannot.
func (e excerpt) file(used map[string]bool, opt Options) (f File, fault string) {
	day := time.Date(e.year, e.month, e.day, 0, 0, 0, 0, time.UTC)
	switch {
	case e.fault != "":
		return File{}, e.fault
	case day.Day() != e.day:
		return File{}, fmt.Sprintf("no %s %d in %d: --year gives the year of the first thread", e.month, e.day, e.year)
	case e.year < 1000 || e.year > 9999:
		return File{}, fmt.Sprintf("the year %d is out of range", e.year)
	case len(e.text) == 0:
		return File{}, "no text below this line"
	}
	date := time.Date(e.year, e.month, e.day, 0, 0, 0, 0, opt.Zone)
	if date.Day() != e.day {
		// Clocks went forward at midnight: the day begins an hour later.
		date = date.Add(time.Hour)
	}
	posts := pack(e.text, postLength)
	title := headline(e.text[0])
	stem := unique(day.Format(time.DateOnly)+"-"+makeSlug(title), used)
	front := fmt.Sprintf("---\ntitle: %s\ndate: %s\n", quote(title), date.Format(time.RFC3339))
	if !opt.Ready {
		front += "draft: true\n"
	}
	front += fmt.Sprintf("params:\n  id: threadreader:%s\n  expected_posts: %d\n  incomplete: true\n---\n", stem, e.expected)
	for i, p := range posts {
		posts[i] = escape(p)
	}
	return File{
		Name:    stem + ".md",
		Content: []byte(front + "\n" + strings.Join(posts, "\n\n---\n\n") + "\n"),
		Title:   title,
		Date:    date,
		Posts:   len(posts),
	}, ""
}

// pack joins lines to posts of at most limit characters. The page does not
// tell where a post ends, but no post ends within a line, and a longer line
// was a post by itself.
func pack(lines []string, limit int) []string {
	var posts []string
	length := 0
	for _, l := range lines {
		n := utf8.RuneCountInString(l)
		if len(posts) > 0 && length+1+n <= limit {
			posts[len(posts)-1] += "\n" + l
			length += 1 + n
			continue
		}
		posts, length = append(posts, l), n
	}
	return posts
}
