package audience

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func TestDelimiter(t *testing.T) {
	tests := []struct {
		header string
		want   rune
	}{
		{"email", ','},
		{"email,name", ','},
		{"email;name", ';'},
		{"email\tname", '\t'},
		{`"a;b;c",name`, ','},
		{"name, first;email;created;tags", ';'},
	}
	for _, tt := range tests {
		if got := delimiter([]byte(tt.header)); got != tt.want {
			t.Errorf("delimiter(%q) = %q, want %q", tt.header, got, tt.want)
		}
	}
}

func TestGuard(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"Ada", "Ada"},
		{"'tis", "'tis"},
		{"'", "'"},
		{"=1+1", "'=1+1"},
		{"+1", "'+1"},
		{"-1", "'-1"},
		{"@x", "'@x"},
		{"'=1", "''=1"},
		{"''=1", "'''=1"},
	}
	for _, tt := range tests {
		if got := guard(tt.in); got != tt.want {
			t.Errorf("guard(%q) = %q, want %q", tt.in, got, tt.want)
		}
		if got := unguard(guard(tt.in)); got != tt.in {
			t.Errorf("%q came back as %q", tt.in, got)
		}
	}
}

// readAll goes the way of Import without a database.
func readAll(tb testing.TB, r io.Reader) (accepted, refused int) {
	rows, err := newRecords(r)
	if err != nil {
		return 0, 0
	}
	im := (&Audience{}).importing(ImportOptions{})
	for line := 0; ; {
		rec, err := rows.next()
		if errors.Is(err, io.EOF) {
			return accepted, refused
		}
		if err != nil {
			tb.Fatal(err)
		}
		if rec.line <= line {
			tb.Fatalf("line %d came after line %d", rec.line, line)
		}
		if line == 0 {
			line = rec.line
			if header, err := im.header(rec, ""); err != nil {
				return 0, 0
			} else if header {
				continue
			}
		}
		line = rec.line
		im.window.reset()
		if err := im.row(rec); err != nil {
			tb.Fatal(err)
		}
		for _, place := range im.window.places {
			accepted++
			sub, _, err := im.window.row(place)
			if err != nil {
				tb.Fatal(err)
			}
			if a, err := ParseAddress(sub.Email); err != nil || a.Key != sub.Key || sub.Status == "" || sub.Name != CleanName(sub.Name) {
				tb.Fatalf("line %d gives %+v (%v)", line, sub, err)
			}
		}
		refused = im.report.RefusedRows
	}
}

func FuzzImport(f *testing.F) {
	for _, s := range []string{
		"email,name\nada@example.org,\"Ada\nL\"\nbob@example.org,B\"ob\n", "a@b.c\n\"\"\"\n\"\n\"\"\"\"\n", "\ufeffE-mail;Name;Status\na@b.c;'=x;cleaned\n",
		"\xff\xfee\x00m\x00a\x00i\x00l\x00\n\x00", "email\tname\n\t\t\n\xe9@b.c\t\xfc\n", "email,status\na@b.c\n", "\"\n\n\"\r\r\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		accepted, refused := readAll(t, strings.NewReader(s))
		if lines := strings.Count(s, "\n") + 1; accepted+refused > lines && !strings.HasPrefix(s, "\xfe\xff") {
			t.Errorf("%d lines gave %d rows", lines, accepted+refused)
		}
	})
}

// lines yields the same line n times, without holding them.
type lines struct {
	line string
	n    int
	rest string
}

func (l *lines) Read(p []byte) (int, error) {
	if l.rest == "" {
		if l.n == 0 {
			return 0, io.EOF
		}
		l.n, l.rest = l.n-1, l.line
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// A file of stray quotes makes the reader look ahead at each line, and must
// not make it slow for that.
func TestStrayQuotes(t *testing.T) {
	const n = 20_000
	in := io.MultiReader(strings.NewReader("email,name\n"), &lines{line: "ada@example.org,5\" pipe\n", n: n})
	if accepted, refused := readAll(t, in); accepted != 0 || refused != n {
		t.Errorf("%d accepted and %d refused of %d", accepted, refused, n)
	}
}

// BenchmarkRead is an import without the database; its memory is that of one
// row after the other.
func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	b.ReportAllocs()
	for b.Loop() {
		in := io.MultiReader(strings.NewReader("email,name,status,tags,created_at\n"),
			&lines{line: "ada.lovelace@example.org,Ada Lovelace,active,\"math,tea\",2024-01-02T03:04:05Z\n", n: rows})
		if accepted, _ := readAll(b, in); accepted != rows {
			b.Fatal(accepted)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
