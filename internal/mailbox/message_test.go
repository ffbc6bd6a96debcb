package mailbox

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestReadLetter(t *testing.T) {
	for _, tt := range []struct {
		name, raw string
		want      letter
	}{
		{
			"plain text without a type",
			"Subject: =?utf-8?q?caf=C3=A9?=\r\nTo: a@example.org\r\n\r\nhello\r\n",
			letter{Subject: "café", To: "a@example.org", Text: "hello\r\n"},
		},
		{
			"nested alternatives, an attachment before the text",
			"Subject: x\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n" +
				"--o\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nattached\r\n" +
				"--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n" +
				"--i\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=E2=82=AC\r\n" +
				"--i\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+aGk8L2I+\r\n" +
				"--i--\r\n--o--\r\n",
			letter{Subject: "x", Text: "€", HTML: "<b>hi</b>"},
		},
		{
			"a charset and a header nobody can decode",
			"Subject: =?klingon?q?x?=\r\nContent-Type: text/plain; charset=klingon\r\n\r\nab\xffc",
			letter{Subject: "=?klingon?q?x?=", Text: "ab\uFFFDc"},
		},
		{
			"an encoding nobody can decode",
			"Subject: x\r\nContent-Transfer-Encoding: rot13\r\n\r\nuryyb",
			letter{Subject: "x", Text: "uryyb"},
		},
		{
			"no text at all",
			"Subject: x\r\nContent-Type: image/png\r\n\r\nxyz",
			letter{Subject: "x"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readLetter(strings.NewReader(tt.raw))
			if err != nil {
				t.Fatal(err)
			}
			got.Fields = nil
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadLetterKeepsTheOrderOfTheHeader(t *testing.T) {
	got, err := readLetter(strings.NewReader("Received: 2\r\nReceived: 1\r\nSubject: a\r\n folded\r\nX-B: =?utf-8?q?=C3=A9?=\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []field{{"Received", "2"}, {"Received", "1"}, {"Subject", "a folded"}, {"X-B", "é"}}
	if diff := cmp.Diff(want, got.Fields); diff != "" {
		t.Error(diff)
	}
}

func TestABrokenMailIsShownAsFarAsItGoes(t *testing.T) {
	raw := "Subject: x\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n--b\r\nno header here"
	got, err := readLetter(strings.NewReader(raw))
	if err == nil {
		t.Error("no error")
	}
	if got.Text != "first" {
		t.Errorf("Text = %q", got.Text)
	}
	if _, err := readLetter(strings.NewReader("no header\r\n\r\n")); err == nil {
		t.Error("a mail without a header gave no error")
	}
}

func TestReadLetterIsBounded(t *testing.T) {
	t.Run("depth", func(t *testing.T) {
		var b strings.Builder
		b.WriteString("Subject: deep\r\n")
		for i := range 5000 {
			fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
		}
		b.WriteString("Content-Type: text/plain\r\n\r\nhidden\r\n")
		got, err := readLetter(strings.NewReader(b.String()))
		if err != nil || got.Text != "" || got.Subject != "deep" {
			t.Errorf("got %q, %q, %v", got.Subject, got.Text, err)
		}
	})
	t.Run("parts", func(t *testing.T) {
		raw := "Content-Type: multipart/mixed; boundary=b\r\n\r\n" +
			strings.Repeat("--b\r\nContent-Type: image/png\r\n\r\nx\r\n", maxParts) +
			"--b\r\nContent-Type: text/plain\r\n\r\nhidden\r\n--b--\r\n"
		got, err := readLetter(strings.NewReader(raw))
		if err != nil || got.Text != "" {
			t.Errorf("got %q, %v", got.Text, err)
		}
	})
	t.Run("fields", func(t *testing.T) {
		got, err := readLetter(strings.NewReader(strings.Repeat("X: y\r\n", 2*maxFields) + "\r\n"))
		if err != nil || len(got.Fields) != maxFields {
			t.Errorf("got %d fields, %v", len(got.Fields), err)
		}
	})
	t.Run("text", func(t *testing.T) {
		got, err := readLetter(strings.NewReader("X: y\r\n\r\n" + strings.Repeat("x", 2*maxText)))
		if err != nil || len(got.Text) != maxText {
			t.Errorf("got %d bytes, %v", len(got.Text), err)
		}
	})
}

// FuzzReadLetter holds that no mail breaks the page: no panic, and only valid
// text within the bounds.
func FuzzReadLetter(f *testing.F) {
	f.Add("Subject: =?utf-8?q?caf=C3=A9?=\r\nTo: a@example.org\r\n\r\nhello\r\n")
	f.Add("Content-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\r\n--o--\r\n")
	f.Add("Content-Type: multipart/mixed\r\n\r\n--\r\n\r\n----\r\n")
	f.Add("Content-Type: text/plain; charset=\"\r\n\r\n\xff")
	f.Fuzz(func(t *testing.T, raw string) {
		l, _ := readLetter(strings.NewReader(raw))
		if all := fmt.Sprint(l); !utf8.ValidString(all) {
			t.Errorf("not UTF-8: %q", all)
		}
		if len(l.Fields) > maxFields {
			t.Errorf("%d fields", len(l.Fields))
		}
	})
}
