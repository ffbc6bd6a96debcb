package mailcheck

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzRecords has foreign records judged: whatever they hold, the finding is
// one line of valid text.
func FuzzRecords(f *testing.F) {
	for _, seed := range []string{
		"v=DKIM1; k=rsa; p=MIIB", "v=DMARC1; p=none; rua=mailto:a@b.c!10m", "v=spf1 include:a.example ~all redirect=b",
		"", ";", "p=;p=", "v=DKIM1; p=\x00\n\x1b[31m", "v=DMARC1; p=reject; pct=1e9", "\u202e=\xff",
	} {
		f.Add(seed)
	}
	key := edwards("b")
	want := dkimText(key)
	c := &checker{from: "example.org", envelope: "example.org"}
	f.Fuzz(func(t *testing.T, record string) {
		list := []Finding{judgeDKIM(Finding{Check: "dkim", Subject: "x"}, record, want, key)}
		if found, err := tags(record); err == nil {
			list = append(list, c.judgeDMARC(Finding{Check: "dmarc", Subject: "x"}, record, found, false), c.alignment(found))
		}
		for _, f := range list {
			line := f.String()
			if !utf8.ValidString(line) || strings.ContainsAny(line, "\n\r\x00\x1b") {
				t.Errorf("%q", line)
			}
		}
		withMechanisms(withoutAll(record), []string{"ip4:192.0.2.1"})
		merged([]string{"v=spf1 " + record, "v=spf1 " + record}, nil)
	})
}

// FuzzShown has foreign text made fit for a terminal.
func FuzzShown(f *testing.F) {
	f.Add("a\u2028b\x9b\xffc")
	f.Add(strings.Repeat("ä", 300))
	f.Fuzz(func(t *testing.T, s string) {
		got := shown(s)
		if !utf8.ValidString(got) || len(got) > maxShown+len("…") || strings.ContainsAny(got, "\n\r\x00\x1b\u2028\u202e") {
			t.Errorf("%q", got)
		}
	})
}
