package mail_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// reports are the mails of testdata by their path.
func reports(t testing.TB) map[string][]byte {
	t.Helper()
	list := map[string][]byte{}
	for _, dir := range []string{"dsn", "reports"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.eml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			list[dir+"/"+filepath.Base(file)] = raw
		}
	}
	return list
}

// What is read of the reports of many servers.
func TestReadReport(t *testing.T) {
	t.Parallel()
	list := reports(t)
	var b strings.Builder
	var names []string
	for name := range list {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		r, err := mail.ReadReport(list[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		show(&b, name, r)
		lines := strings.ReplaceAll(string(list[name]), "\r\n", "\n")
		if same, err := mail.ReadReport([]byte(strings.ReplaceAll(lines, "\n", "\r\n"))); err != nil || !cmp.Equal(r, same) {
			t.Errorf("%s with CRLF: %v %s", name, err, cmp.Diff(r, same))
		}
	}
	const golden = "testdata/reports.golden"
	if flag.Lookup("update").Value.String() == "true" { // of the tests within the package
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
}

func show(b *strings.Builder, name string, r mail.Report) {
	kind := r.Kind
	if kind == "" {
		kind = "none"
	}
	fmt.Fprintf(b, "%s: %s\n", name, kind)
	for _, d := range r.Recipients {
		class := "-"
		if d.Failed() {
			class = string(d.Class())
		}
		fmt.Fprintf(b, "\t%s %s %q %s: %q\n", class, d.Action, d.Status, d.Address, d.Diagnostic)
	}
	fmt.Fprintf(b, "\ttokens %q links %q of %q\n", r.Tokens, r.Links, r.MessageIDs)
}

func TestReadReportOfNoMail(t *testing.T) {
	for _, raw := range []string{"", "\n\n", "\x00\x01", strings.Repeat("x", 3<<20)} {
		if r, err := mail.ReadReport([]byte(raw)); !errors.Is(err, mail.ErrNoMail) {
			t.Errorf("%.20q: %+v, %v", raw, r, err)
		}
	}
}

// What a program answers is nobody's word, whether its header says so or not. A
// sign-up is confirmed by an answer.
func TestAutomaticAnswers(t *testing.T) {
	const plain = "From: jo@example.net\nSubject: Re: Please confirm: The Shed\n"
	for text, want := range map[string]newsletter.ReportKind{
		plain: "", "From: jo@example.net\nSubject: AW: Abendblatt: bitte bestätigen\n": "", "From: jo@example.net\nSubject: yes\n": "",
		plain + "X-Loop: help@example.net\n": newsletter.ReportAutomatic, plain + "X-Autoreply-From: jo@example.net\n": newsletter.ReportAutomatic,
		plain + "List-Unsubscribe: <mailto:x@example.net>\n": newsletter.ReportAutomatic,
	} {
		report, err := mail.ReadReport([]byte(text + "\nyes\n"))
		if err != nil || report.Kind != want {
			t.Errorf("%s is %q, %v, want %q", text, report.Kind, err, want)
		}
	}
	for _, subject := range []string{
		"Out of Office: Please confirm", "Automatic reply: The Shed", "Auto-Reply", "Autoreply: x", "Re: Out of the office", "Automatische Antwort: x",
		"Abwesenheitsnotiz", "Réponse automatique : x", "Respuesta automática: x", "Risposta automatica", "Autosvar: x", "Automatisch antwoord: x",
		"=?utf-8?q?R=C3=A9ponse_automatique?=", "[#1234] Please confirm", "[Ticket #AB-12] Re: Please confirm", "Your request has been received", "自動返信",
	} {
		report, err := mail.ReadReport([]byte("From: jo@example.net\nSubject: " + subject + "\n\nHello\n"))
		if err != nil || report.Kind != newsletter.ReportAutomatic {
			t.Errorf("%s is %q, %v", subject, report.Kind, err)
		}
	}
}

// Parts within parts, and very many of them, end.
func TestReadReportBounds(t *testing.T) {
	var deep, wide strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	wide.WriteString("Content-Type: multipart/mixed; boundary=b\n\n")
	for range 20_000 {
		wide.WriteString("--b\nContent-Type: message/delivery-status\n\nA: b\n\nFinal-Recipient: rfc822; jo@example.net\nAction: failed\n\n")
	}
	for _, raw := range []string{deep.String(), wide.String()} {
		r, err := mail.ReadReport([]byte(raw))
		if err != nil || len(r.Recipients) > 50 {
			t.Errorf("%d recipients, %v", len(r.Recipients), err)
		}
	}
}

// mutate changes a mail as a broken server or somebody who means harm would.
func mutate(r *rand.Rand, raw, other []byte) []byte {
	b := slices.Clone(raw)
	for range 1 + r.IntN(8) {
		at := r.IntN(len(b))
		switch r.IntN(6) {
		case 0:
			b[at] = byte(r.Uint32())
		case 1:
			b = b[:at+1]
		case 2:
			b = slices.Delete(b, at, min(len(b), at+1+r.IntN(200)))
		case 3:
			b = slices.Insert(b, at, b[:min(len(b), 1+r.IntN(200))]...)
		case 4:
			from := r.IntN(len(other))
			b = slices.Insert(b, at, other[from:min(len(other), from+1+r.IntN(400))]...)
		case 5:
			b = slices.Insert(b, at, '\n')
		}
		if len(b) == 0 {
			return []byte{'\n'}
		}
	}
	return b
}

// Whatever comes, nobody is named by a token that was not made for them.
func TestReadReportMutated(t *testing.T) {
	t.Parallel()
	const n = 1000
	list := reports(t)
	var names []string
	for name := range list {
		names = append(names, name)
	}
	slices.Sort(names)
	r := rand.New(rand.NewPCG(1, 2))
	tokens := bounceTokens(1)
	for range n {
		raw, other := list[names[r.IntN(len(names))]], list[names[r.IntN(len(names))]]
		report, _ := mail.ReadReport(mutate(r, raw, other)) // that it returns
		for _, token := range report.Tokens {
			if subscriber, issue, err := tokens.VerifyBounce(token); err == nil && tokens.SignBounce(subscriber, issue) != token {
				t.Fatalf("%q is taken for one of %d, %d", token, subscriber, issue)
			}
		}
	}
}

func FuzzReadReport(f *testing.F) {
	for _, raw := range reports(f) {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := mail.ReadReport(raw)
		if err != nil && !errors.Is(err, mail.ErrNoMail) {
			t.Error(err)
		}
		if len(r.Recipients) > 50 || len(r.Tokens) > 20 || len(r.Links) > 20 || len(r.MessageIDs) > 20 {
			t.Errorf("%d recipients, %d tokens, %d links, %d ids", len(r.Recipients), len(r.Tokens), len(r.Links), len(r.MessageIDs))
		}
		for _, d := range r.Recipients {
			if strings.ContainsAny(d.Address+d.Diagnostic, "\r\n") || len(d.Address)+len(d.Diagnostic) > 4000 {
				t.Errorf("%+v", d)
			}
			d.Class()
		}
	})
}
