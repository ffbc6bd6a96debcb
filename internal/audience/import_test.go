package audience_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
)

func TestImport(t *testing.T) {
	tests := []struct {
		name, csv string
		want      []string // email|name|status|tags
		refused   []string // line: text: why
	}{
		{
			name: "own columns",
			csv: "email,name,status,tags,created_at\n" +
				"ada@example.org,Ada,active,\"math,tea\",2024-01-02T03:04:05Z\n" +
				"bob@example.org,,unsubscribed,,\n" +
				"cyd@example.org,,pending,,\n",
			want: []string{"ada@example.org|Ada|active|math,tea", "bob@example.org||unsubscribed|", "cyd@example.org||pending|"},
		},
		{
			name: "no header",
			csv:  "ada@example.org\nBob <bob@example.org>\ncyd@example.org,Cyd\n\"dan@example.org\",\"Dan, the man\",more,and more\n",
			want: []string{"ada@example.org||active|", "bob@example.org|Bob|active|", "cyd@example.org|Cyd|active|", "dan@example.org|Dan, the man|active|"},
		},
		{
			name: "semicolons",
			csv:  "E-mail;First Name;Last Name\nada@example.org;Ada;Lovelace, Countess\n",
			want: []string{"ada@example.org|Ada Lovelace, Countess|active|"},
		},
		{
			name: "tabs with an empty first cell",
			csv:  "Name\tEmail Address\n\tada@example.org\nBob\tbob@example.org\n",
			want: []string{"ada@example.org||active|", "bob@example.org|Bob|active|"},
		},
		{
			name: "carriage returns, blank lines, blank rows, no last line break",
			csv:  "\r\n\r\nemail,name\r\n\r\nada@example.org,Ada\r\n,\r\n  \r\nbob@example.org,Bob",
			want: []string{"ada@example.org|Ada|active|", "bob@example.org|Bob|active|"},
		},
		{
			name: "byte order mark",
			csv:  "\ufeffemail,name\nada@example.org,Zoë\n",
			want: []string{"ada@example.org|Zoë|active|"},
		},
		{
			name: "UTF-16",
			csv:  utf16le("\ufeffemail\tname\r\nada@example.org\tZoë 👩‍🚀\r\n"),
			want: []string{"ada@example.org|Zoë 👩‍🚀|active|"},
		},
		{
			name: "UTF-16 without a mark",
			csv:  utf16le("email;name\r\nada@example.org;Zoë\r\n"),
			want: []string{"ada@example.org|Zoë|active|"},
		},
		{
			name: "what Excel says of the cells",
			csv:  "sep=|\r\nemail|name\r\nada@example.org|Ada, of course; yes\r\n",
			want: []string{"ada@example.org|Ada, of course; yes|active|"},
		},
		{
			name: "a state that is a place",
			csv:  "email,city,state\nada@example.org,Reno,NV\n",
			want: []string{"ada@example.org||active|"},
		},
		{
			name: "Windows-1252",
			csv:  "email,name\nada@example.org,Zo\xeb \x96 M\xfcller\n",
			want: []string{"ada@example.org|Zoë – Müller|active|"},
		},
		{
			name: "space around cells",
			csv:  "email, name, tags\n ada@example.org , \"Ada, of course\", \" a , b \"\n",
			want: []string{"ada@example.org|Ada, of course|active|a,b"},
		},
		{
			name: "line breaks and controls in a cell",
			csv:  "email,name,notes\nada@example.org,\"Ada\r\nBcc: eve@example.org\x1b\",\"two\nlines\"\nbob@example.org,Bob,\n",
			want: []string{"ada@example.org|Ada Bcc: eve@example.org|active|", "bob@example.org|Bob|active|"},
		},
		{
			name:    "line break in an address",
			csv:     "email\n\"ada@example.org\nbcc\"\nbob@example.org\n",
			want:    []string{"bob@example.org||active|"},
			refused: []string{"2: ada@example.org bcc: the address has a line break or control character"},
		},
		{
			name: "bad lines among good ones",
			csv: "email,name\nada@example.org,Ada\nno address,x\nbob@example.org,5\" pipe\n,nobody\n" +
				"cyd@example.org,Cyd,extra\ndan@localhost,\neve@example.org,Eve\n",
			want: []string{"ada@example.org|Ada|active|", "eve@example.org|Eve|active|"},
			refused: []string{
				"3: no address: the address has no @",
				`4: bob@example.org,5" pipe: has a quote (") that is not closed`,
				"5: : the address is empty",
				"6: cyd@example.org: has 3 cells where the header has 2",
				"7: dan@localhost: the address needs a domain with a dot, such as example.org",
			},
		},
		{
			name: "a quote that is never closed costs its line alone",
			csv: "email,name\nada@example.org,\"Ada\n" + strings.Repeat("x@example.org,X\n", 300) +
				"bob@example.org,\"B \"o\" b\"\ncyd@example.org,Cyd\n",
			want: []string{"x@example.org|X|active|", "cyd@example.org|Cyd|active|"},
			refused: []string{
				`2: ada@example.org,"Ada: has a quote (") that is not closed`,
				`303: bob@example.org,"B "o" b": has a quote (") in the wrong place`,
			},
		},
		{
			name: "two stray quotes look like a cell of three lines",
			csv:  "email,name\nada@example.org,A\"\nbob@example.org,Bob\ncyd@example.org,C\"\ndan@example.org,Dan\n",
			want: []string{"bob@example.org|Bob|active|", "dan@example.org|Dan|active|"},
			refused: []string{
				`2: ada@example.org,A": has a quote (") in the wrong place`,
				`4: cyd@example.org,C": has a quote (") that is not closed`,
			},
		},
		{
			name:    "an endless line",
			csv:     "email,name\nada@example.org," + strings.Repeat("x", 200_000) + "\nbob@example.org,Bob\n" + strings.Repeat("y", 70_000),
			want:    []string{"bob@example.org|Bob|active|"},
			refused: []string{"2: : is longer than 64 KB", "4: : is longer than 64 KB"},
		},
		{
			name: "the same mailbox twice",
			csv:  "email\nada@example.org\nADA@example.org\nada@EXAMPLE.org\n",
			want: []string{"ada@example.org||active|"},
		},
		{
			name: "a row that ends before its status",
			csv:  "email,name,status\nada@example.org,Ada\nbob@example.org,Bob,active\ncyd@example.org,Cyd,\n",
			want: []string{"bob@example.org|Bob|active|", "cyd@example.org|Cyd|active|"},
			refused: []string{
				"2: ada@example.org: ends before its status",
			},
		},
		{
			name: "an unknown status",
			csv:  "email,status\nada@example.org,on holiday\n",
			refused: []string{
				`2: ada@example.org: has an unknown status "on holiday"; known are active, pending, unsubscribed, bounced, complained, suppressed`,
			},
		},
		{
			name: "header only",
			csv:  "email,name\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, db := open(t)
			report, err := a.Import(t.Context(), strings.NewReader(tt.csv), audience.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, list(t, db)); diff != "" {
				t.Errorf("the list (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(tt.refused, refused(report)); diff != "" {
				t.Errorf("refused (-want +got)\n%s", diff)
			}
			checkSum(t, report)
		})
	}
}

// A list that tells no status has that which is given; where it has a column,
// that counts.
func TestImportStatus(t *testing.T) {
	a, db := open(t)
	for _, file := range []struct{ name, csv, warning string }{
		{"a.csv", "a@example.org\n", ""},
		{"b.csv", "email,status\nb@example.org,active\nc@example.org,\n", `has a column of statuses, "status"; the status that was given is only for rows where it is empty`},
		{"cleaned_x.csv", "email\nd@example.org\nZo\xeb <e@example.org>\n", "line 3 is not UTF-8; such lines were read as Windows-1252, look at their names"},
	} {
		report, err := a.Import(t.Context(), strings.NewReader(file.csv), audience.ImportOptions{Status: newsletter.SubscriberPending, File: file.name})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(report.Warnings, "\n"); got != file.warning {
			t.Errorf("%s warns %q, want %q", file.name, got, file.warning)
		}
	}
	want := []string{"a@example.org||pending|", "b@example.org||active|", "c@example.org||pending|", "d@example.org||bounced|", "e@example.org|Zoë|bounced|"}
	if diff := cmp.Diff(want, list(t, db)); diff != "" {
		t.Errorf("the list (-want +got)\n%s", diff)
	}
}

// A list longer than a window is written in the order of the addresses, and the
// first of a mailbox stays the first.
func TestImportSorted(t *testing.T) {
	a, db := open(t)
	var file strings.Builder
	file.WriteString("email,name\n")
	const n = 5000
	for i := range n {
		fmt.Fprintf(&file, "reader%d@example.org,first\n", (i*7919)%n)
	}
	file.WriteString("reader7@example.org,second\n")
	report, err := a.Import(t.Context(), strings.NewReader(file.String()), audience.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if report.Added != n || report.Unchanged != 1 {
		t.Errorf("got %+v", report)
	}
	last := ""
	for _, sub := range everybody(t, db) {
		if sub.Key <= last || sub.Name != "first" {
			t.Fatalf("%s, %s comes after %s", sub.Key, sub.Name, last)
		}
		last = sub.Key
	}
}

func refused(report audience.ImportReport) []string {
	var lines []string
	for _, r := range report.Refused {
		lines = append(lines, fmt.Sprintf("%d: %s: %s", r.Line, r.Text, r.Why))
	}
	return lines
}

func checkSum(tb testing.TB, r audience.ImportReport) {
	tb.Helper()
	if sum := r.Added + r.Completed + r.Unchanged + r.Kept + r.RefusedRows; sum != r.Rows {
		tb.Errorf("the parts of %+v make %d", r, sum)
	}
}

func utf16le(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))
		b.WriteByte(byte(u >> 8))
	}
	return b.String()
}

// The files in testdata have the columns of the services they are named after.
func TestImportServices(t *testing.T) {
	tests := []struct {
		file string
		want []string
	}{
		{"mailchimp-subscribed.csv", []string{"ada@example.org|Ada Lovelace|active|math,early bird", "bob@example.org|Bob|active|"}},
		{"mailchimp-unsubscribed.csv", []string{"cyd@example.org|Cyd|unsubscribed|"}},
		{"mailchimp-cleaned.csv", []string{"dan@example.org||bounced|"}},
		{"substack.csv", []string{"ada@example.org|Ada|active|", "bob@example.org||unsubscribed|"}},
		{"buttondown.csv", []string{
			"ada@example.org||active|math,tea", "bob@example.org||active|", "cyd@example.org||unsubscribed|",
			"dan@example.org||pending|", "eve@example.org||bounced|", "fay@example.org||complained|",
		}},
		{"ghost.csv", []string{"ada@example.org|Ada|active|math,tea", "bob@example.org|Bob|unsubscribed|"}},
		{"kit.csv", []string{"ada@example.org|Ada|active|math", "bob@example.org|Bob|unsubscribed|", "cyd@example.org|Cyd|bounced|"}},
		{"listmonk.csv", []string{"ada@example.org|Ada|active|", "bob@example.org|Bob|suppressed|", "cyd@example.org|Cyd|unsubscribed|"}},
		{"beehiiv.csv", []string{
			"ada@example.org|Ada Lovelace|active|", "bob@example.org|Bob|unsubscribed|", "cyd@example.org||pending|",
			"dan@example.org||pending|", "eve@example.org||bounced|", "fay@example.org||unsubscribed|",
		}},
		{"kit-state.csv", []string{
			"ada@example.org|Ada|active|math,tea", "bob@example.org|Bob|unsubscribed|",
			"cyd@example.org|Cyd|complained|", "dan@example.org|Dan|unsubscribed|",
		}},
		{"buttondown-type.csv", []string{
			"ada@example.org||active|math,tea", "bob@example.org||active|", "cyd@example.org||unsubscribed|",
			"dan@example.org||unsubscribed|", "eve@example.org||bounced|", "fay@example.org||suppressed|",
		}},
		{"substack-details.csv", []string{"ada@example.org|Ada|active|", "bob@example.org|Bob|unsubscribed|"}},
		{"substack-digest.csv", []string{"ada@example.org||active|", "bob@example.org||unsubscribed|"}},
		{"ghost-tiers.csv", []string{"ada@example.org|Ada|active|math,tea", "bob@example.org|Bob|unsubscribed|", "cyd@example.org|Cyd|unsubscribed|"}},
		{"brevo.csv", []string{"ada@example.org|Ada Lovelace|active|", "bob@example.org|Bob B|unsubscribed|"}},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			t.Parallel()
			f, err := os.Open(filepath.Join("testdata", tt.file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			a, db := open(t)
			report, err := a.Import(t.Context(), f, audience.ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, list(t, db)); diff != "" {
				t.Errorf("the list (-want +got)\n%s", diff)
			}
			if report.RefusedRows > 0 {
				t.Errorf("refused %q", refused(report))
			}
		})
	}
}

func TestImportRepeated(t *testing.T) {
	a, db := open(t)
	const file = "email,name,tags\nada@example.org,Ada,math\nbob@example.org,,\n"
	steps := []struct {
		csv  string
		want audience.ImportReport
	}{
		{file, audience.ImportReport{Rows: 2, Added: 2, Became: map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 2}}},
		{file, audience.ImportReport{Rows: 2, Unchanged: 2}},
		{"email,name\nbob@example.org,Bob\nada@example.org,Augusta\n", audience.ImportReport{Rows: 2, Completed: 1, Unchanged: 1}},
	}
	for _, step := range steps {
		report, err := a.Import(t.Context(), strings.NewReader(step.csv), audience.ImportOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, report); diff != "" {
			t.Errorf("report (-want +got)\n%s", diff)
		}
	}
	want := []string{"ada@example.org|Ada|active|math", "bob@example.org|Bob|active|"}
	if diff := cmp.Diff(want, list(t, db)); diff != "" {
		t.Errorf("the list (-want +got)\n%s", diff)
	}
}

func TestImportRaisesNobody(t *testing.T) {
	a, db := open(t)
	var file, want []string
	for i, status := range gone() {
		address := fmt.Sprintf("%d@example.org", i)
		add(t, a, db, address, status)
		file = append(file, address+",active,")
		want = append(want, address+"||"+string(status)+"|")
	}
	report, err := a.Import(t.Context(), strings.NewReader("email,status,name\n"+strings.Join(file, "\n")), audience.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(audience.ImportReport{Rows: 4, Kept: 4}, report); diff != "" {
		t.Errorf("report (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(want, list(t, db)); diff != "" {
		t.Errorf("the list (-want +got)\n%s", diff)
	}
}

// The second file of a service names those who left: they are lowered.
func TestImportLowers(t *testing.T) {
	a, db := open(t)
	add(t, a, db, "ada@example.org", newsletter.SubscriberActive)
	_, err := a.Import(t.Context(), strings.NewReader("email,UNSUB_TIME\nada@example.org,2024-01-02\n"), audience.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"ada@example.org||unsubscribed|"}, list(t, db)); diff != "" {
		t.Errorf("the list (-want +got)\n%s", diff)
	}
}

func TestImportDates(t *testing.T) {
	want := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	day := want.Truncate(24 * time.Hour)
	tests := []struct {
		in   string
		want time.Time // zero for the time of the import
	}{
		{"2024-01-02T03:04:05Z", want},
		{"2024-01-02T04:04:05.000+01:00", want},
		{"2024-01-02 03:04:05", want},
		{"2024-01-02 03:04:05 UTC", want},
		{"2024-01-02 03:04:05+00:00", want},
		{"2024-01-01 22:04:05 -0500", want},
		{"2024-01-02", day},
		{"", time.Time{}},
		{"01/02/2024", time.Time{}},
		{"0001-01-01T00:00:00Z", time.Time{}},
		{"9999-01-01", time.Time{}},
	}
	a, db := open(t)
	var file strings.Builder
	file.WriteString("email,created_at\n")
	for i, tt := range tests {
		fmt.Fprintf(&file, "%d@example.org,%s\n", i, tt.in)
	}
	before := time.Now().Truncate(time.Millisecond)
	if _, err := a.Import(t.Context(), strings.NewReader(file.String()), audience.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	for i, sub := range everybody(t, db) {
		in, want := tests[i].in, tests[i].want
		if want.IsZero() && sub.CreatedAt.Before(before) || !want.IsZero() && !sub.CreatedAt.Equal(want) {
			t.Errorf("%q gives %v, want %v", in, sub.CreatedAt, want)
		}
	}
}

func TestImportNoSubscribers(t *testing.T) {
	tests := []struct{ name, csv, want string }{
		{"empty", "", "import subscribers: the file is empty"},
		{"blank", "\n\n  \n", "import subscribers: the file is empty"},
		{"no address column", "Name,Town\nAda,London\n", `line 1: no column holds the addresses; call one of them email (the columns are "Name", "Town")`},
		{"a picture", "\x89PNG\r\n\x1a\n\x00\x00", "no column holds the addresses"},
		{"first line too long", strings.Repeat("x", 70_000), "the first line is longer than 64 KB"},
		{"first line not closed", "email,\"name\nada@example.org,Ada\n", "the first line has a quote"},
		{"many columns", strings.Repeat("x,", 5000), "no column holds the addresses"},
	}
	a, _ := open(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := a.Import(t.Context(), strings.NewReader(tt.csv), audience.ImportOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 500 {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestImportReadFails(t *testing.T) {
	a, db := open(t)
	r := io.MultiReader(strings.NewReader("email\nada@example.org\n"), iotest.ErrReader(errors.New("input/output error")))
	_, err := a.Import(t.Context(), r, audience.ImportOptions{})
	if err == nil || !strings.Contains(err.Error(), "after line 2: input/output error") {
		t.Errorf("got %v", err)
	}
	if all := list(t, db); len(all) > 0 {
		t.Errorf("half a chunk was written: %q", all)
	}
}

func TestImportChunks(t *testing.T) {
	a, db := open(t)
	var file strings.Builder
	file.WriteString("email,name\n")
	for i := range 1201 {
		fmt.Fprintf(&file, "reader%d@example.org,Reader %d\n", i, i)
	}
	var seen []int64
	report, err := a.Import(t.Context(), strings.NewReader(file.String()), audience.ImportOptions{
		Progress: func(n int64) { seen = append(seen, n) },
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(audience.ImportReport{Rows: 1201, Added: 1201, Became: map[newsletter.SubscriberStatus]int{newsletter.SubscriberActive: 1201}}, report); diff != "" {
		t.Errorf("report (-want +got)\n%s", diff)
	}
	if seen[len(seen)-1] != int64(file.Len()) {
		t.Errorf("progress was %v of %d bytes", seen, file.Len())
	}
	if all := list(t, db); len(all) != 1201 || all[1200] != "reader1200@example.org|Reader 1200|active|" {
		t.Errorf("the list has %d", len(all))
	}
}

func TestImportInterrupted(t *testing.T) {
	a, db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	var file strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&file, "reader%d@example.org\n", i)
	}
	report, err := a.Import(ctx, strings.NewReader(file.String()), audience.ImportOptions{Progress: func(int64) { cancel() }})
	if !errors.Is(err, context.Canceled) || report.Added != 500 || len(list(t, db)) != 500 {
		t.Errorf("got %v with %d added and %d on the list, want a whole chunk", err, report.Added, len(list(t, db)))
	}
}

func TestImportBoundsReport(t *testing.T) {
	a, _ := open(t)
	report, err := a.Import(t.Context(), strings.NewReader("email\n"+strings.Repeat("x\x1b[31m\n", 5000)), audience.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if report.RefusedRows != 5000 || len(report.Refused) != 1000 {
		t.Errorf("%d rows refused, %d shown", report.RefusedRows, len(report.Refused))
	}
	if got := report.Refused[0]; got != (audience.RefusedLine{Line: 2, Text: "x [31m", Why: "the address has a line break or control character"}) {
		t.Errorf("got %+v", got)
	}
	checkSum(t, report)
}

// BenchmarkImport is the whole way of 100,000 rows into a database.
func BenchmarkImport(b *testing.B) {
	const rows = 100_000
	var file strings.Builder
	file.WriteString("Email Address,First Name,Last Name,OPTIN_TIME,TAGS\n")
	for i := range rows {
		fmt.Fprintf(&file, "reader%d@example.org,Ada,Lovelace %d,2023-04-05 06:07:08,\"\"\"math\"\",\"\"tea\"\"\"\n", i, i)
	}
	for b.Loop() {
		b.StopTimer()
		a, _ := open(b)
		b.StartTimer()
		report, err := a.Import(b.Context(), strings.NewReader(file.String()), audience.ImportOptions{})
		if err != nil || report.Added != rows {
			b.Fatal(report, err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
