package mail

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"strings"
	"testing"
)

func TestGreeting(t *testing.T) {
	letter := Letter{Text: "SlotGreeting0A1B\n\nText.\n", Greeting: Greeting{Before: "Hello ", After: ", & welcome", Nameless: "Hello,"}}
	letter.From.Address, letter.HTML = "jo@example.org", "<p>SlotGreeting0A1B</p>"
	composed, err := Compose(letter, Slots{Greeting: "SlotGreeting0A1B"})
	if err != nil {
		t.Fatal(err)
	}
	data, err := composed.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	var tmpl Template // as it is sent after a restart
	if err := tmpl.UnmarshalBinary(data); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, text, html string }{
		{"Ada", "Hello Ada, & welcome", "Hello Ada, &amp; welcome"},
		{"", "Hello,", "Hello,"},
		{" \t\n ", "Hello,", "Hello,"},
		{"Łukasz J.R. Żak", "Hello Łukasz J.R. Żak, & welcome", "Hello Łukasz J.R. Żak, &amp; welcome"},
		{"עדה", "Hello עדה, & welcome", "Hello עדה, &amp; welcome"},
		{"<b>Ada</b>", "Hello,", "Hello,"},
		{`"><i`, `Hello "><i, & welcome`, "Hello &#34;&gt;&lt;i, &amp; welcome"},
		{"Ada\r\nBcc: x", "Hello Ada  Bcc: x, & welcome", "Hello Ada  Bcc: x, &amp; welcome"},
		{strings.Repeat("A", 300), "Hello,", "Hello,"},
		{"Win at casino.example", "Hello,", "Hello,"},
		{"http://evil", "Hello,", "Hello,"},
		{"ada@example.org", "Hello,", "Hello,"},
		{"12345", "Hello,", "Hello,"},
		{"Ada \u202emoc", "Hello,", "Hello,"},
	} {
		message := tmpl.Append(nil, Recipient{Email: "ada@example.org", Name: tt.name})
		_, body, _ := bytes.Cut(message, []byte("\r\n\r\n"))
		read, err := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"\r\n" + tt.text + "\r\n\r\nText.", "<p>" + tt.html + "</p>"} {
			if !strings.Contains(string(read), want) {
				t.Errorf("the mail for %q lacks %q:\n%s", tt.name, want, read)
			}
		}
	}
}

// A mail without a greeting is kept as older programs read it.
func TestSnapshotVersions(t *testing.T) {
	for _, tt := range []struct {
		greeting Greeting
		version  byte
	}{{Greeting{}, 1}, {Greeting{Nameless: "Hello,"}, 2}} {
		data, _ := (&Template{greeting: tt.greeting}).MarshalBinary()
		if data[0] != tt.version {
			t.Errorf("the snapshot with greeting %+v has version %d, want %d", tt.greeting, data[0], tt.version)
		}
	}
}
