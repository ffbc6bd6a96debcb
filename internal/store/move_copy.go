package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
)

// copyTable copies the rows of a table and returns the checksum of what it sent.
func (m *mover) copyTable(ctx context.Context, from *sql.Tx, to pgx.Tx, t moveTable) (sum string, err error) {
	rows, err := from.QueryContext(ctx, `SELECT `+t.names()+` FROM `+quoted(t.name)+` ORDER BY `+t.key())
	if err != nil {
		return "", err
	}
	defer rows.Close()
	lines := newCopyLines(m, t, rows)
	tag, err := to.Conn().PgConn().CopyFrom(ctx, lines, `COPY `+quoted(t.name)+` (`+t.names()+`) FROM STDIN WITH (FREEZE)`)
	if err := cmp.Or(lines.close(), err); err != nil {
		return "", err
	}
	if n := tag.RowsAffected(); n != t.rows {
		return "", fmt.Errorf("%d of %d rows arrived", n, t.rows)
	}
	for _, c := range t.columns {
		if !c.identity {
			continue
		}
		// Whoever was forgotten may have had a number above all that are left, which
		// their links still hold.
		var last int64
		err := from.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = $1`, t.name).Scan(&last)
		if err == nil {
			_, err = to.Exec(ctx, `SELECT setval(pg_get_serial_sequence($1, $2), greatest(coalesce(max(`+quoted(c.name)+`), 0), $3) + 1, false)
				FROM `+quoted(t.name), quoted(t.name), c.name, last)
		}
		if err != nil {
			return "", fmt.Errorf("number further rows: %w", err)
		}
	}
	return hex.EncodeToString(lines.sum.Sum(nil)), nil
}

// compare reads a table back and compares it with what was sent.
func (m *mover) compare(ctx context.Context, to pgx.Tx, t moveTable, want string) error {
	back := &counted{sum: sha256.New(), mover: m}
	_, err := to.Conn().PgConn().CopyTo(ctx, back, `COPY (SELECT `+t.names()+` FROM `+quoted(t.name)+` ORDER BY `+t.key()+`) TO STDOUT`)
	if err != nil {
		return err
	}
	if back.rows != t.rows {
		return fmt.Errorf("%d rows became %d", t.rows, back.rows)
	}
	if sum := hex.EncodeToString(back.sum.Sum(nil)); sum != want {
		return fmt.Errorf("the %d rows have the checksum %s, and %s in the old database", back.rows, sum, want)
	}
	return nil
}

// counted takes the rows that are read back.
type counted struct {
	sum   hash.Hash
	rows  int64
	mover *mover
}

func (c *counted) Write(p []byte) (int, error) {
	n := int64(bytes.Count(p, []byte{'\n'}))
	c.rows += n
	c.mover.told(n)
	return c.sum.Write(p)
}

func (m *mover) told(n int64) {
	m.progress.Done += n
	m.tell(m.progress)
}

// copyLines reads rows as lines of the text format of COPY, which is also what
// PostgreSQL writes of them: the same rows are the same bytes.
type copyLines struct {
	mu     sync.Mutex // a broken connection does not wait for its last Read
	mover  *mover
	table  moveTable
	rows   *sql.Rows
	values []any
	into   []any // pointers to values
	sum    hash.Hash
	buf    []byte
	rest   []byte // of buf
	err    error  // why there are no more
}

// copyChunk is how many bytes are made at a time.
const copyChunk = 64 << 10

func newCopyLines(m *mover, t moveTable, rows *sql.Rows) *copyLines {
	l := &copyLines{mover: m, table: t, rows: rows, sum: sha256.New()}
	l.values, l.into = make([]any, len(t.columns)), make([]any, len(t.columns))
	for i := range l.values {
		l.into[i] = &l.values[i]
	}
	return l
}

// close ends reading, and returns what was wrong with the rows.
func (l *copyLines) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.err
	l.err, l.rest = io.ErrClosedPipe, nil
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (l *copyLines) Read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) == 0 && l.err == nil {
		l.fill()
	}
	if len(l.rest) == 0 {
		return 0, l.err
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (l *copyLines) fill() {
	l.buf = l.buf[:0]
	n := int64(0)
	for len(l.buf) < copyChunk && l.err == nil {
		if !l.rows.Next() {
			l.err = l.rows.Err()
			if l.err == nil {
				l.err = io.EOF
			}
			break
		}
		if l.err = l.rows.Scan(l.into...); l.err == nil {
			l.err = l.line()
			n++
		}
	}
	l.rest = l.buf
	_, _ = l.sum.Write(l.buf) // never fails
	l.mover.told(n)
}

// line appends a row.
func (l *copyLines) line() error {
	for i, c := range l.table.columns {
		if i > 0 {
			l.buf = append(l.buf, '\t')
		}
		v := l.values[i]
		if v == nil {
			l.buf = append(l.buf, `\N`...)
			continue
		}
		if b, ok := v.([]byte); ok && c.kind != "bytea" {
			v = string(b)
		}
		if text, ok := v.(string); ok && c.kind == "text" {
			v = l.plain(text, c)
		}
		var ok bool
		if l.buf, ok = appendValue(l.buf, c.kind, v); !ok {
			return fmt.Errorf("%s is %T %v, where %s belongs", l.place(c), v, v, c.kind)
		}
	}
	l.buf = append(l.buf, '\n')
	return nil
}

// replacedNamed is how many replaced texts a report names.
const replacedNamed = 100

// plain is [plain] for a text of the present row, which it notes where it
// changes.
func (l *copyLines) plain(text string, c moveColumn) string {
	became := plain(text)
	if became != text {
		r := &l.mover.moved
		r.ReplacedTexts++
		if len(r.Replaced) < replacedNamed {
			r.Replaced = append(r.Replaced, l.place(c))
		}
	}
	return became
}

// place names a value of the present row.
func (l *copyLines) place(c moveColumn) string {
	var place strings.Builder
	place.WriteString(l.table.name + "." + c.name + " of")
	for i, k := range l.table.columns {
		if k.key > 0 {
			fmt.Fprintf(&place, " %s %q", k.name, fmt.Sprint(l.values[i]))
		}
	}
	return place.String()
}

// appendValue appends a value as COPY writes one of the given kind.
func appendValue(b []byte, kind string, v any) ([]byte, bool) {
	switch v := v.(type) {
	case int64:
		if kind == "boolean" {
			return appendBool(b, v != 0), v == 0 || v == 1
		}
		return strconv.AppendInt(b, v, 10), kind == "bigint" || kind == "integer" || kind == "text"
	case bool:
		return appendBool(b, v), kind == "boolean"
	case string:
		if kind == "bytea" {
			return hex.AppendEncode(append(b, `\\x`...), []byte(v)), true
		}
		return appendText(b, v), kind == "text"
	case []byte:
		return hex.AppendEncode(append(b, `\\x`...), v), kind == "bytea"
	}
	return b, false
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 't')
	}
	return append(b, 'f')
}

// appendText escapes what has a meaning between the values of COPY.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		switch c := text[i]; c {
		case '\\':
			b = append(b, `\\`...)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		case '\v':
			b = append(b, `\v`...)
		default:
			b = append(b, c)
		}
	}
	return b
}
