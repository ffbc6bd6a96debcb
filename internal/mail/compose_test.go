package mail

import (
	"bytes"
	"flag"
	"html/template"
	"io"
	"mime"
	"mime/quotedprintable"
	netmail "net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// marks are fixed where the output is compared with a file.
var marks = Slots{Email: "SlotEmail0A1B2C3D4E5F6G7H", Name: "SlotName0A1B2C3D4E5F6G7H", UnsubscribeURL: "SlotUnsubscribe0A1B2C3D4E5F6G7H", Joined: "SlotJoined0A1B2C3D4E5F6G7H"}

func letter(s Slots) Letter {
	return Letter{
		From:    netmail.Address{Name: "Ada's “Letters”", Address: "ada@example.org"},
		ReplyTo: netmail.Address{Address: "reply@example.org"},
		Subject: "Moving a shed — what three neighbours, a rope and forty metres of patience can do",
		Text: "Dear " + s.Name + ",\n\nFirst post — the hook. " + strings.Repeat("Long lines go on. ", 9) + "\n.hidden\n\n" +
			"Since " + s.Joined + ". Unsubscribe " + s.Email + ": " + s.UnsubscribeURL + "\n",
		HTML: "<p>Dear " + s.Name + ",</p>\n<p>First post — the hook.</p>\n" +
			`<p><a href="` + s.UnsubscribeURL + `">Unsubscribe ` + s.Email + "</a> " + s.Joined + "</p>\n",
		ListID:            "Small & quiet repairs <letters.example.org>",
		Archive:           "https://example.org/letters/",
		UnsubscribeMailto: "leave+us@example.org",
		OneClick:          true,
		FeedbackID:        FeedbackID(12, "en-GB", "letters.example.org"),
		Headers:           map[string]string{"X-Mailgun-Track": "no"},
	}
}

var recipient = Recipient{
	Email:            "bo@example.com",
	Name:             `Bo "the <b>" O'Hara & Söhne`,
	MessageID:        "<abc234@example.org>",
	UnsubscribeURL:   "https://example.org/letters/unsubscribe/k1.AAAA?a=1&b=2",
	UnsubscribeToken: "k1.AAAA",
	Joined:           "4 März 2026",
	Date:             time.Date(2026, time.March, 2, 9, 0, 0, 0, time.FixedZone("", 3600)),
}

func compose(t testing.TB, l Letter, s Slots) *Template {
	t.Helper()
	m, err := Compose(l, s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGolden(t *testing.T) {
	textOnly := Letter{From: netmail.Address{Address: "ada@example.org"}, Subject: "Confirm", Text: "Hello " + marks.Email}
	for name, l := range map[string]Letter{"issue.eml": letter(marks), "text.eml": textOnly} {
		got := compose(t, l, marks).Append(nil, recipient)
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The token also ends addresses that are no unsubscribe link, in both parts and
// after a snapshot.
func TestTokenSlot(t *testing.T) {
	s := NewSlots()
	l := letter(s)
	l.Text += "Preferences: https://example.org/preferences/" + s.Token + "\n"
	l.HTML += `<a href="https://example.org/preferences/` + s.Token + `">Preferences</a>` + "\n"
	snapshot, err := compose(t, l, s).MarshalBinary()
	if err != nil || snapshot[0] != 3 {
		t.Fatalf("version %d, %v", snapshot[0], err)
	}
	var m Template
	if err := m.UnmarshalBinary(snapshot); err != nil {
		t.Fatal(err)
	}
	r := recipient
	r.UnsubscribeToken = `k1.AA<"&` + "\r\nAA"
	p := parse(t, m.Append(nil, r))
	const want = "https://example.org/preferences/k1.AAAA"
	if !strings.Contains(p.text, "Preferences: "+want+"\n") || !strings.Contains(p.html, `<a href="`+want+`">Preferences</a>`) {
		t.Errorf("the address lacks the token:\n%s\n%s", p.text, p.html)
	}
	older, err := compose(t, letter(s), s).MarshalBinary()
	if err != nil || older[0] != 2 {
		t.Errorf("without it the version is %d, %v", older[0], err)
	}
}

// parsed is a message as go-message, a reader that is not ours, sees it.
type parsed struct {
	header     *message.Header
	text, html string
}

func parse(t *testing.T, data []byte) parsed {
	t.Helper()
	e, err := message.Read(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("parse: %v\n%s", err, data)
	}
	p := parsed{header: &e.Header}
	err = e.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil || part.MultipartReader() != nil {
			return err
		}
		body, err := io.ReadAll(part.Body)
		if kind, _, _ := part.Header.ContentType(); kind == "text/html" {
			p.html = unfoldedLines(body)
		} else {
			p.text = unfoldedLines(body)
		}
		return err
	})
	if err != nil {
		t.Fatalf("parse the parts: %v\n%s", err, data)
	}
	return p
}

func unfoldedLines(b []byte) string { return strings.ReplaceAll(string(b), "\r\n", "\n") }

func TestAppendRoundTrip(t *testing.T) {
	s := NewSlots()
	l := letter(s)
	data := compose(t, l, s).Append(nil, recipient)
	checkLines(t, data)
	p := parse(t, data)

	fill := func(body string, escape func(string) string) string {
		return strings.NewReplacer(s.Email, escape(recipient.Email), s.Name, escape(recipient.Name),
			s.UnsubscribeURL, escape(recipient.UnsubscribeURL), s.Joined, escape(recipient.Joined)).Replace(body)
	}
	if diff := cmp.Diff(fill(l.Text, func(v string) string { return v }), p.text); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fill(l.HTML, template.HTMLEscapeString), p.html); diff != "" {
		t.Errorf("html (-want +got):\n%s", diff)
	}
	want := map[string]string{
		"Subject":               l.Subject,
		"From":                  "Ada's “Letters” <ada@example.org>",
		"Reply-To":              "reply@example.org",
		"Date":                  "Mon, 02 Mar 2026 09:00:00 +0100",
		"Message-Id":            "<abc234@example.org>",
		"List-Id":               `"Small & quiet repairs" <letters.example.org>`,
		"List-Unsubscribe":      "<https://example.org/letters/unsubscribe/k1.AAAA?a=1&b=2>, <mailto:leave+us@example.org?subject=unsubscribe%20k1.AAAA>",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"List-Archive":          "<https://example.org/letters/>",
		"Feedback-ID":           "12:newsletter:en-gb:" + senderID("letters.example.org"),
		"Precedence":            "bulk",
		"X-Mailgun-Track":       "no",
		"User-Agent":            "",
		"X-Mailer":              "",
	}
	for name, value := range want {
		if got, err := p.header.Text(name); got != value || err != nil {
			t.Errorf("%s = %q, %v, want %q", name, got, err, value)
		}
	}
	if to, err := netmail.ParseAddress(p.header.Get("To")); err != nil || to.Name != recipient.Name || to.Address != recipient.Email {
		t.Errorf("To = %v, %v", to, err)
	}
}

// checkLines holds data against RFC 5322, section 2.1.1, and the lines of
// quoted-printable against RFC 2045.
func checkLines(t *testing.T, data []byte) {
	t.Helper()
	if !bytes.HasSuffix(data, []byte("\r\n")) {
		t.Error("the message does not end with CRLF")
	}
	_, body, _ := bytes.Cut(data, []byte("\r\n\r\n"))
	for line := range bytes.SplitSeq(data, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n") {
			t.Fatalf("line of %d octets, or with a bare line end: %q", len(line), line)
		}
	}
	for line := range bytes.SplitSeq(body, []byte("\r\n")) {
		if len(line) > 76 {
			t.Fatalf("body line of %d octets: %q", len(line), line)
		}
	}
}

// TestMarksAtEveryColumn moves a mark over the places where the encoder breaks
// its lines.
func TestMarksAtEveryColumn(t *testing.T) {
	s := NewSlots()
	for n := range 80 {
		for _, after := range []string{"", "\n", " tail\n", " ü=" + strings.Repeat("y", 90)} {
			before := strings.Repeat("x", n)
			l := Letter{From: netmail.Address{Address: "a@example.org"}, Text: before + s.Name + after}
			data := compose(t, l, s).Append(nil, Recipient{Email: "b@example.org", Name: "Zoë " + strings.Repeat("=", 40)})
			checkLines(t, data)
			want := strings.TrimRight(before+"Zoë "+strings.Repeat("=", 40)+after, "\n") + "\n"
			if got := parse(t, data).text; got != want {
				t.Fatalf("%d columns before, %q after:\n got %q\nwant %q", n, after, got, want)
			}
		}
	}
}

func TestNames(t *testing.T) {
	m := compose(t, letter(marks), marks)
	for name, want := range map[string]string{
		"":                               "",
		"Bo":                             "Bo",
		"  Bo\r\nBcc: x@example.org\x00": "Bo  Bcc: x@example.org",
		"Bo\u2028Bo":                     "Bo Bo",
		`a\b"c`:                          `a\b"c`,
		"=?utf-8?q?x?=":                  "=?utf-8?q?x?=",
		"Zoë":                            "Zoë",
		"a\xffb":                         "a\ufffdb",
		strings.Repeat("a", 300):         strings.Repeat("a", 300),
		strings.Repeat("ab ", 99) + "c":  strings.Repeat("ab ", 99) + "c",
		strings.Repeat("👩‍🔧", 75):        strings.Repeat("👩‍🔧", 75),
		strings.Repeat("é e", 100):       strings.Repeat("é e", 100),
	} {
		r := recipient
		r.Name = name
		data := m.Append(nil, r)
		checkLines(t, data)
		to := parse(t, data).header.Get("To")
		addr, err := netmail.ParseAddress(to)
		if err != nil || addr.Name != want || addr.Address != r.Email {
			t.Errorf("name %q: To = %q, read as %v, %v", name, to, addr, err)
		}
		head, _, _ := bytes.Cut(data, []byte("\r\n\r\n"))
		for line := range bytes.SplitSeq(head, []byte("\r\n")) {
			if len(line) > 78 && !bytes.Contains(line, []byte("List-")) {
				t.Errorf("name %q: header line of %d octets: %q", name, len(line), line)
			}
		}
	}
}

func TestSubjects(t *testing.T) {
	for _, subject := range []string{
		"", "Plain", strings.Repeat("word ", 60) + "end", strings.Repeat("x", 2000), "Ünïcödé", "移动棚子 " + strings.Repeat("绳", 100),
		"مرحبا بالعالم", "=?utf-8?q?no?=", strings.Repeat("🧵", 200),
	} {
		l := letter(marks)
		l.Subject = subject
		m := compose(t, l, marks)
		data := m.Append(nil, recipient)
		checkLines(t, data)
		if got, err := parse(t, data).header.Text("Subject"); got != subject || err != nil || m.Subject() != subject {
			t.Errorf("Subject = %q, %v, want %q", got, err, subject)
		}
		for raw := range strings.FieldsSeq(parse(t, data).header.Get("Subject")) {
			if _, err := new(mime.WordDecoder).Decode(raw); strings.HasPrefix(raw, "=?") && (err != nil || len(raw) > 75) {
				t.Errorf("encoded word %q: %v", raw, err)
			}
		}
	}
}

func TestUnsubscribeForms(t *testing.T) {
	l := letter(marks)
	tests := map[string]struct {
		mailto   string
		oneClick bool
		url      string
		want     string
	}{
		"both":         {"a@example.org", true, "https://x.example/", "<https://x.example/>, <mailto:a@example.org?subject=unsubscribe%20k1.AAAA>"},
		"mailto only":  {"a&b@example.org", false, "https://x.example/", "<mailto:a%26b@example.org?subject=unsubscribe%20k1.AAAA>"},
		"https only":   {"", true, "https://x.example/", "<https://x.example/>"},
		"no link":      {"", true, "", ""},
		"neither form": {"", false, "https://x.example/", ""},
		"broken link":  {"", true, "https://x\r\nBcc: y", "<https://xBcc:y>"},
	}
	for name, tt := range tests {
		l.UnsubscribeMailto, l.OneClick = tt.mailto, tt.oneClick
		r := recipient
		r.UnsubscribeURL = tt.url
		h := parse(t, compose(t, l, marks).Append(nil, r)).header
		if got := h.Get("List-Unsubscribe"); got != tt.want {
			t.Errorf("%s: List-Unsubscribe = %q, want %q", name, got, tt.want)
		}
		if got := h.Has("List-Unsubscribe-Post"); got != strings.Contains(tt.want, "https:") {
			t.Errorf("%s: List-Unsubscribe-Post is there: %v", name, got)
		}
	}
}

func TestComposeRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*Letter){
		"neither HTML nor text":                   func(l *Letter) { l.HTML, l.Text = "", "" },
		`header From: "" is no mail address`:      func(l *Letter) { l.From.Address = "" },
		`header From: "ä@example.org" is no mail`: func(l *Letter) { l.From.Address = "ä@example.org" },
		`header Reply-To: "a b@c" is no`:          func(l *Letter) { l.ReplyTo.Address = "a b@c" },
		"address for unsubscribing":               func(l *Letter) { l.UnsubscribeMailto = "x" },
		`header List-Id: "a b" is no identifier`:  func(l *Letter) { l.ListID = "T <a b>" },
		"List-Archive":                            func(l *Letter) { l.Archive = "https://x/ y" },
		"header Subject: it is written":           func(l *Letter) { l.Headers = map[string]string{"Subject": "x"} },
		"header content-type: it is written":      func(l *Letter) { l.Headers = map[string]string{"content-type": "x"} },
		`header "X Y": a name has`:                func(l *Letter) { l.Headers = map[string]string{"X Y": "x"} },
		"header X-A: its value has a line break":  func(l *Letter) { l.Headers = map[string]string{"X-A": "x\r\nBcc: y"} },
		`header "": a name has up to 70 ASCII`:    func(l *Letter) { l.Headers = map[string]string{"": "x"} },
		`header "X-A:": a name has up to 70 ASCI`: func(l *Letter) { l.Headers = map[string]string{"X-A:": "x"} },
	} {
		l := letter(marks)
		spoil(&l)
		if _, err := Compose(l, marks); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("err = %v, want %q", err, want)
		}
	}
}

func TestComposeIsAFunctionOfItsInput(t *testing.T) {
	a := compose(t, letter(marks), marks).Append(nil, recipient)
	b := compose(t, letter(marks), marks).Append(nil, recipient)
	if !bytes.Equal(a, b) {
		t.Error("two compositions of one letter differ")
	}
}

func TestSlotsAreUnharmedByTemplates(t *testing.T) {
	s := NewSlots()
	var b strings.Builder
	page := template.Must(template.New("").Parse(`<a href="{{.UnsubscribeURL}}" title='{{.Name}}'>{{.Email}}</a>`))
	if err := page.Execute(&b, s); err != nil {
		t.Fatal(err)
	}
	if want := `<a href="` + s.UnsubscribeURL + `" title='` + s.Name + `'>` + s.Email + `</a>`; b.String() != want {
		t.Errorf("got %s\nwant %s", &b, want)
	}
	if s == NewSlots() {
		t.Error("slots can be guessed")
	}
}

func TestSnapshot(t *testing.T) {
	m := compose(t, letter(marks), marks)
	snap, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var again Template
	if err := again.UnmarshalBinary(snap); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, &again, cmp.AllowUnexported(Template{}, cut{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for n := range snap {
		if err := new(Template).UnmarshalBinary(snap[:n]); err == nil {
			t.Fatalf("a snapshot cut to %d of %d octets was taken", n, len(snap))
		}
	}
	if err := new(Template).UnmarshalBinary(append(snap, 0)); err == nil {
		t.Error("a snapshot with a tail was taken")
	}
	snap[0] = 9
	if err := new(Template).UnmarshalBinary(snap); err == nil || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("err = %v, want one about the version", err)
	}
}

// What an older program wrote is read, and what has no newer slot is written so
// that an older program reads it.
func TestSnapshotOfVersion1(t *testing.T) {
	m := compose(t, Letter{From: netmail.Address{Address: "ada@example.org"}, Subject: "S", Text: marks.Email + " " + marks.Name}, marks)
	snap, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	if snap[0] != 1 {
		t.Errorf("the snapshot's version is %d", snap[0])
	}
	var again Template
	if err := again.UnmarshalBinary(snap); err != nil {
		t.Fatal(err)
	}
	if got, want := again.Append(nil, recipient), m.Append(nil, recipient); !bytes.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMessageID(t *testing.T) {
	id := MessageID([]byte("key"), 12, 34, "example.org")
	if again := MessageID([]byte("key"), 12, 34, "example.org"); again != id {
		t.Errorf("%s, then %s", id, again)
	}
	if local, ok := strings.CutSuffix(id, "@example.org>"); !ok || len(local) != 53 || strings.ToLower(local) != local {
		t.Errorf("id = %s", id)
	}
	for _, other := range []string{
		MessageID([]byte("key"), 34, 12, "example.org"),
		MessageID([]byte("yek"), 12, 34, "example.org"),
	} {
		if other == id {
			t.Errorf("another input gave %s too", id)
		}
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	m := compose(t, letter(marks), marks)
	dst := make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(100, func() { dst = m.Append(dst[:0], recipient) }); n > 0 {
		t.Errorf("%v allocations a message", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	l := letter(marks)
	l.HTML += strings.Repeat("<p>Some more text of the issue.</p>\n", 300)
	m := compose(b, l, marks)
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = m.Append(dst[:0], recipient)
	}
	b.SetBytes(int64(len(dst)))
}

func FuzzAppend(f *testing.F) {
	f.Add("Bo", "bo@example.org", "https://example.org/u", "tok", "<id@example.org>")
	f.Add("Bo\r\nBcc: x", "bo@example.org\r\nBcc: y", "https://e/\r\n\r\nbody", "a b", ">\r\n")
	f.Add(strings.Repeat("é", 400), strings.Repeat("a", 2000), strings.Repeat("u", 2000), "\x00", "\xff")
	f.Add("=?utf-8?b?AAAA?=", "a@b, c@d", "&<>\"'=", "--=_threadmill", "=\r\n")
	f.Add(".", "..@example.org", ".", ".", ".")
	f.Add(strings.Repeat(".", 200), strings.Repeat("."+softBreak, 3), ".\r\n.", "", "")
	dotted := letter(marks)
	dotted.Text += "\n.\n..\n" + marks.Name + ".\n." + marks.Name + "\n" + strings.Repeat(".", 300)
	m, err := Compose(dotted, marks)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, name, email, url, token, id string) {
		c := Copy{m, Recipient{Email: email, Name: name, UnsubscribeURL: url, UnsubscribeToken: token, MessageID: id, Date: recipient.Date}}
		data := c.Append(nil, false)
		checkLines(t, data)
		if diff := cmp.Diff(string(Raw(data).Append(nil, true)), string(c.Append(nil, true))); diff != "" {
			t.Errorf("on the wire (-want +got):\n%s", diff)
		}
		p := parse(t, data)
		for _, field := range []string{"To", "Message-Id", "Subject", "From", "Date"} {
			if n := len(p.header.Map()[field]); n != 1 {
				t.Errorf("%d fields %s\n%s", n, field, data)
			}
		}
		if p.header.Has("Bcc") {
			t.Errorf("a field was added:\n%s", data)
		}
		if checkAddress(email) == nil {
			if to, err := netmail.ParseAddress(p.header.Get("To")); err == nil && (to.Address != email || to.Name != clean(name)) {
				t.Errorf("To = %v, want %q <%s>", to, clean(name), email)
			}
		}
		if !strings.Contains(p.text, "Dear "+clean(name)+",") || !strings.Contains(p.html, "Dear "+template.HTMLEscapeString(clean(name))+",") {
			t.Errorf("the name %q is not in the parts:\n%s\n%s", name, p.text, p.html)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	m, err := Compose(letter(marks), marks)
	if err != nil {
		f.Fatal(err)
	}
	snap, _ := m.MarshalBinary()
	f.Add(snap)
	f.Add([]byte{1, 0, 0, 0, 0, 0})
	f.Add([]byte{1, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var m Template
		if m.UnmarshalBinary(b) != nil {
			return
		}
		m.Append(nil, recipient)
		again, _ := m.MarshalBinary()
		var n Template
		if err := n.UnmarshalBinary(again); err != nil {
			t.Errorf("a snapshot of what was read is refused: %v", err)
		}
	})
}

func FuzzQuotedPrintable(f *testing.F) {
	f.Add("Hello ", "Zoë <b> & 'x' = \x01")
	f.Fuzz(func(t *testing.T, before, v string) {
		var b bytes.Buffer
		w := quotedprintable.NewWriter(&b)
		_, _ = w.Write([]byte(before))
		_ = w.Close()
		got, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(appendValue(b.Bytes(), v, false, false))))
		want := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(before) + clean(v)
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	})
}
