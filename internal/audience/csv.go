package audience

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// The bounds of one record. A quote that is never closed costs its own line,
// not the rest of the file.
const (
	maxRecordBytes = 64 << 10
	maxRecordLines = 100
)

// record is one row of a CSV file, or a line that is none.
type record struct {
	line  int      // where it begins, counted from 1
	cells []string // valid until the next record
	text  string   // the line, when it is refused
	why   string   // why it is refused, else empty
}

// records reads a CSV file record by record in bounded memory. encoding/csv
// parses each record; the records are cut here, so that it can go on with the
// line after a bad one.
type records struct {
	in     *bufio.Reader
	count  int    // lines read from in
	back   []line // lines read ahead and not used
	comma  rune
	legacy int          // the first line that was read as Windows-1252, 0 for none
	text   bytes.Reader // the record that csv parses
	csv    *csv.Reader
}

// line is a line with its break, or without its text when that is too long.
type line struct {
	number int
	text   []byte
	long   bool
}

// newRecords finds out what separates the cells. A byte order mark decides
// between UTF-8 and UTF-16; without one, the zeros of UTF-16 do.
func newRecords(r io.Reader) (*records, error) {
	ahead := bufio.NewReader(r)
	begin, _ := ahead.Peek(4) // an error is met again
	r = transform.NewReader(ahead, unicode.BOMOverride(wide(begin)))
	rs := &records{in: bufio.NewReaderSize(r, maxRecordBytes)}
	first, err := rs.first()
	if err != nil {
		return nil, err
	}
	// Excel takes a first line of sep=; for what separates the cells.
	if mark, ok := bytes.CutPrefix(bytes.TrimRight(first, "\r\n"), []byte("sep=")); ok && len(mark) == 1 && mark[0] != '"' {
		rs.back = nil
		rs.comma = rune(mark[0])
	} else {
		rs.comma = delimiter(first)
	}
	rs.reset()
	return rs, nil
}

// wide decodes UTF-16 that begins with two ASCII letters and no mark.
func wide(begin []byte) transform.Transformer {
	if len(begin) == 4 {
		switch zero := [4]bool{begin[0] == 0, begin[1] == 0, begin[2] == 0, begin[3] == 0}; zero {
		case [4]bool{false, true, false, true}:
			return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM).NewDecoder()
		case [4]bool{true, false, true, false}:
			return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewDecoder()
		}
	}
	return transform.Nop
}

// first returns the first line that is not blank, and keeps it for next.
func (rs *records) first() ([]byte, error) {
	for {
		l, err := rs.line()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(l.text)) > 0 || l.long {
			l.text = bytes.Clone(l.text)
			rs.back = []line{l}
			return l.text, nil
		}
	}
}

// delimiter returns which of comma, semicolon, tab and | a header uses most.
func delimiter(header []byte) rune {
	counts := make(map[byte]int)
	quoted := false
	for _, c := range header {
		if c == '"' {
			quoted = !quoted
		}
		if !quoted {
			counts[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t', '|'} {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return rune(best)
}

func (rs *records) reset() {
	rs.csv = csv.NewReader(&rs.text)
	rs.csv.Comma = rs.comma
	rs.csv.FieldsPerRecord = -1
	rs.csv.ReuseRecord = true
	// With tabs it would take an empty cell for a space.
	rs.csv.TrimLeadingSpace = rs.comma != '\t'
}

// next returns the next record that is not blank, or io.EOF.
func (rs *records) next() (record, error) {
	for {
		l, err := rs.line()
		if err != nil {
			return record{}, err
		}
		if l.long {
			return record{line: l.number, why: "is longer than 64 KB"}, nil
		}
		if len(bytes.TrimSpace(l.text)) == 0 {
			continue
		}
		rec, err := rs.record(l)
		if err != nil || rec.why != "" || !blank(rec.cells) {
			return rec, err
		}
	}
}

// record parses what begins with l: one line, or several when a quoted cell
// has line breaks. When that fails, l alone is refused and the lines after it
// are read again.
func (rs *records) record(l line) (record, error) {
	text, ahead := l.text, []line(nil)
	for quotes := bytes.Count(text, []byte{'"'}); quotes%2 == 1; {
		if ahead == nil {
			text = bytes.Clone(text)
			l.text = text
		}
		more, err := rs.line()
		if err != nil && !errors.Is(err, io.EOF) {
			return record{}, err
		}
		if err == nil {
			more.text = bytes.Clone(more.text)
			ahead = append(ahead, more)
		}
		if err != nil || more.long || len(ahead) == maxRecordLines || len(text)+len(more.text) > maxRecordBytes {
			return rs.refuse(l, ahead, `has a quote (") that is not closed`), nil
		}
		text = append(text, more.text...)
		quotes += bytes.Count(more.text, []byte{'"'})
	}
	rs.text.Reset(text)
	cells, err := rs.csv.Read()
	if _, bad := errors.AsType[*csv.ParseError](err); bad {
		// What is left of the record in its buffer goes with the reader.
		rs.reset()
		return rs.refuse(l, ahead, `has a quote (") in the wrong place`), nil
	}
	return record{line: l.number, cells: cells}, err
}

func (rs *records) refuse(l line, ahead []line, why string) record {
	rs.back = append(ahead, rs.back...)
	return record{line: l.number, text: string(l.text), why: why}
}

// line returns the next line; its text is valid until the next call. A line
// that is not UTF-8 is read as Windows-1252, which spreadsheets still write.
func (rs *records) line() (line, error) {
	if len(rs.back) > 0 {
		l := rs.back[0]
		rs.back = rs.back[1:]
		return l, nil
	}
	text, err := rs.in.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(text) > 0 {
		err = nil
	}
	if len(text) > 0 {
		rs.count++
	}
	l := line{number: rs.count, text: text}
	if errors.Is(err, bufio.ErrBufferFull) {
		l.long, l.text = true, nil
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = rs.in.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	if err == nil && !utf8.Valid(l.text) {
		if rs.legacy == 0 {
			rs.legacy = rs.count
		}
		l.text, err = charmap.Windows1252.NewDecoder().Bytes(l.text)
	}
	return l, err
}

// blank tells whether no cell holds anything, as in the rows that a
// spreadsheet leaves under a list.
func blank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return c != "" })
}
