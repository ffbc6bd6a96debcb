package mail

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/go-cmp/cmp"
)

// generated is an RSA key for all tests, because making one takes long.
var generated = sync.OnceValues(GenerateRSA)

func rsaKey(t testing.TB) Key {
	t.Helper()
	text, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return Key{Domain: "example.org", Selector: "tm202611", Signer: signer}
}

// ed25519Key is the same at each run, for golden files.
func ed25519Key(testing.TB) Key {
	return Key{Domain: "example.org", Selector: "tm202611-ed25519", Signer: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}
}

func newSigner(t testing.TB, keys ...Key) *Signer {
	t.Helper()
	s, err := NewSigner(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signed(t testing.TB, s *Signer, message []byte) []byte {
	t.Helper()
	fields, err := s.Sign(message)
	if err != nil {
		t.Fatal(err)
	}
	return append(fields, message...)
}

// verify returns what is wrong with the signatures of a message by keys, each
// of which should have signed it.
func verify(t testing.TB, message []byte, keys ...Key) error {
	t.Helper()
	lookup := func(name string) ([]string, error) {
		for _, k := range keys {
			if at, value := k.Record(); at == name {
				return []string{value}, nil
			}
		}
		return nil, fmt.Errorf("no record %s", name)
	}
	list, err := dkim.VerifyWithOptions(bytes.NewReader(message), &dkim.VerifyOptions{LookupTXT: lookup})
	if err == nil && len(list) != len(keys) {
		err = fmt.Errorf("%d signatures, want %d", len(list), len(keys))
	}
	for _, v := range list {
		err = errors.Join(err, v.Err)
	}
	return err
}

// signedHeaders are all that a message of ours may have and that matter.
var signedHeaders = []string{
	"From", "To", "Subject", "Date", "Message-ID", "Reply-To", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Archive",
	"Feedback-ID", "Auto-Submitted", "MIME-Version", "Content-Type", "Content-Transfer-Encoding",
}

// fullLetter has every header of signedHeaders but one that only a message of
// one part has.
func fullLetter() Letter {
	l := letter(marks)
	l.FeedbackID = "7:issue:mail:threadmill"
	l.Headers = map[string]string{"Auto-Submitted": "auto-generated", "X-Campaign": "weekly"}
	return l
}

func TestSignedHeaders(t *testing.T) {
	keys := []Key{rsaKey(t), ed25519Key(t)}
	s := newSigner(t, keys...)
	both := compose(t, fullLetter(), marks).Append(nil, recipient)
	plain := fullLetter()
	plain.HTML = ""
	one := compose(t, plain, marks).Append(nil, recipient)
	seen := map[string]bool{}
	for _, message := range [][]byte{both, one} {
		data := signed(t, s, message)
		if err := verify(t, data, keys...); err != nil {
			t.Error(err)
		}
		header := parse(t, data).header
		for _, value := range header.Map()["Dkim-Signature"] {
			names := tagged(value, "h")
			for _, name := range signedHeaders {
				times := strings.Count(":"+names+":", ":"+name+":")
				want := len(header.Map()[textproto.CanonicalMIMEHeaderKey(name)])
				seen[name] = seen[name] || want > 0
				if slices.Contains(mustSign[:], name) {
					want++
				}
				if times != want {
					t.Errorf("%s is signed %d times, want %d: h=%s", name, times, want, names)
				}
			}
			if strings.Contains(names, "X-Campaign") {
				t.Errorf("a relay may take X-Campaign for itself, but it is signed: h=%s", names)
			}
			if c := tagged(value, "c"); c != "relaxed/relaxed" {
				t.Errorf("c=%s", c)
			}
		}
	}
	for _, name := range signedHeaders {
		if !seen[name] {
			t.Errorf("no message of the test has %s", name)
		}
	}
}

// tagged is the value of a tag of a signature, without its spaces.
func tagged(signature, tag string) string {
	for part := range strings.SplitSeq(strings.Join(strings.Fields(signature), ""), ";") {
		if name, value, _ := strings.Cut(part, "="); name == tag {
			return value
		}
	}
	return ""
}

// changes make another message of one. No signature may stand that.
var changes = []struct {
	name string
	with func(message string) string
}{
	{"body", func(s string) string { return strings.Replace(s, "the hook", "the book", 1) }},
	{"end of the body", func(s string) string { return s + "x\r\n" }},
	{"Subject", func(s string) string { return strings.Replace(s, "Subject: =?utf-8?q?M", "Subject: =?utf-8?q?L", 1) }},
	{"List-Unsubscribe", func(s string) string { return strings.Replace(s, "?a=1", "?a=2", 1) }},
	{"List-Unsubscribe-Post left out", func(s string) string {
		return strings.Replace(s, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", "", 1)
	}},
	{"a second From", func(s string) string { return "From: eve@example.org\r\n" + s }},
	{"a second To", func(s string) string { return "To: eve@example.org\r\n" + s }},
	{"a second Subject", func(s string) string { return "Subject: Money\r\n" + s }},
}

func TestChangedMessages(t *testing.T) {
	for _, key := range []Key{rsaKey(t), ed25519Key(t)} {
		data := signed(t, newSigner(t, key), compose(t, fullLetter(), marks).Append(nil, recipient))
		for _, c := range changes {
			changed := c.with(string(data))
			if changed == string(data) {
				t.Fatalf("%s: nothing changed in\n%s", c.name, data)
			}
			if verify(t, []byte(changed), key) == nil {
				t.Errorf("%s: the signature of the %s key still holds", c.name, key.Algorithm())
			}
		}
		refolded := strings.Replace(string(data), "List-Unsubscribe: <", "List-Unsubscribe:\r\n  <", 1)
		if err := verify(t, []byte(refolded), key); err != nil || refolded == string(data) {
			t.Errorf("a field that was folded anew: %v", err)
		}
	}
}

// TestSignedTransports signs all that leaves, and what a relay gets is what was
// signed, dots and all.
func TestSignedTransports(t *testing.T) {
	keys := []Key{rsaKey(t), ed25519Key(t)}
	s := newSigner(t, keys...)
	dotted := fullLetter()
	dotted.Text += "\n.\n..\n.end\n"
	m := compose(t, dotted, marks)
	second := recipient
	second.MessageID, second.Name = "<second@example.org>", "..."
	copies := []Content{&Copy{m, recipient}, &Copy{m, second}, Raw(m.Append(nil, Recipient{Email: "c@example.com", MessageID: "<third@example.org>"}))}
	r, dir := startRelay(t, TLSNone), t.TempDir()
	for _, tr := range []Transport{NewSMTP(r.options), NewFolder(dir)} {
		tr = Signed(tr, s)
		c := dial(t, tr)
		e := Envelope{"ada@example.org", "bo@example.com"}
		if err := c.Begin(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		for i, content := range copies {
			if p := c.(Preparer); i > 0 {
				p.Prepare(copies[0].(*Copy)) // is not sent after all
				if ahead, ok := content.(*Copy); ok {
					p.Prepare(ahead)
				}
			}
			next := &e
			if i == len(copies)-1 {
				next = nil
			}
			sent, begun := c.Send(t.Context(), content, next)
			if errors.Is(begun, ErrNotBegun) && next != nil {
				begun = c.Begin(t.Context(), e)
			}
			if sent != nil || begun != nil && next != nil {
				t.Fatal(sent, begun)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	got := slices.Collect(files(t, dir))
	for _, m := range r.received() {
		got = append(got, string(m.Data))
	}
	if len(got) != 2*len(copies) {
		t.Fatalf("%d messages", len(got))
	}
	for _, data := range got {
		if err := verify(t, []byte(data), keys...); err != nil {
			t.Errorf("%v\n%s", err, data)
		}
	}
}

func TestUnsignable(t *testing.T) {
	r := startRelay(t, TLSNone)
	c := dial(t, Signed(NewSMTP(r.options), newSigner(t, rsaKey(t))))
	err := Deliver(t.Context(), c, Message{"ada@example.org", "bo@example.com", []byte("Subject: from nobody\r\n\r\nHello\r\n")})
	if f, ok := errors.AsType[*Fault](err); !ok || f.InDoubt() || !strings.Contains(err.Error(), "no From") {
		t.Errorf("error %v", err)
	}
	if c.Usable() {
		t.Error("the connection takes another message as the content of this one")
	}
	if err := c.Close(); err != nil || len(r.received()) > 0 {
		t.Errorf("%v, and the relay has %q", err, r.received())
	}
}

func TestSignerUse(t *testing.T) {
	message := compose(t, fullLetter(), marks).Append(nil, recipient)
	s := newSigner(t)
	if fields, err := s.Sign(message); len(fields) > 0 || err != nil {
		t.Errorf("without a key: %q, %v", fields, err)
	}
	key := ed25519Key(t)
	if err := s.Use(key); err != nil {
		t.Fatal(err)
	}
	if err := s.Use(Key{Domain: "example.org", Signer: key.Signer}); err == nil {
		t.Error("a key without selector is used")
	}
	if err := verify(t, signed(t, s, message), key); err != nil {
		t.Errorf("after a wrong key: %v", err)
	}
}

func TestKeys(t *testing.T) {
	rsaText, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]func() ([]byte, error){
		"RSA, 2048 bits": func() ([]byte, error) { return rsaText, nil },
		"Ed25519":        GenerateEd25519,
	} {
		b, err := text()
		if err != nil {
			t.Fatal(err)
		}
		signer, err := ParseKey(b)
		if err != nil {
			t.Fatal(err)
		}
		if k := (Key{Signer: signer}); k.Algorithm() != name {
			t.Errorf("a key of %s, want %s", k.Algorithm(), name)
		}
	}
	old := rsaKey(t).Signer.(*rsa.PrivateKey)
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(old)})
	if signer, err := ParseKey(pkcs1); err != nil || !old.Equal(signer) {
		t.Errorf("PKCS #1: %v", err)
	}
}

func TestKeysRefused(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := encodeKey(curve)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"":                             "no private key in PEM",
		"secret":                       "no private key in PEM",
		block("PRIVATE KEY"):           "damaged",
		block("RSA PRIVATE KEY"):       "damaged",
		block("ENCRYPTED PRIVATE KEY"): "passphrase",
		block("PUBLIC KEY"):            "the public key, for DNS",
		block("CERTIFICATE"):           `holds "CERTIFICATE"`,
		string(other):                  "use RSA or Ed25519",
	} {
		if _, err := ParseKey([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func block(kind string) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: []byte("secret")}))
}

func TestRecord(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join("testdata", "dkim.zone")
	got := key.ZoneRecord() + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	// An RSA key takes more than one string, which make up the value again.
	long := rsaKey(t)
	name, value := long.Record()
	quoted := strings.Split(long.ZoneRecord(), `"`)
	var joined strings.Builder
	for i := 1; i < len(quoted); i += 2 {
		if len(quoted[i]) > maxString {
			t.Errorf("a string of %d octets", len(quoted[i]))
		}
		joined.WriteString(quoted[i])
	}
	if len(quoted) < 5 || joined.String() != value || !strings.HasPrefix(quoted[0], name+". IN TXT (") {
		t.Errorf("%s\n%s", long.ZoneRecord(), value)
	}
}

// FuzzSign signs whatever stands in a recipient's values.
func FuzzSign(f *testing.F) {
	f.Add("Bo", "bo@example.org", "https://example.org/u", "tok", "<id@example.org>")
	f.Add("Bo\r\nFrom: x", "bo@example.org\r\nBcc: y", "https://e/\r\n\r\nbody", "a b", ">\r\n")
	f.Add(strings.Repeat("é", 400), strings.Repeat("a", 2000), strings.Repeat("u", 2000), "\x00", "\xff")
	f.Add(" ", "\t", ".", " .", "")
	m, err := Compose(fullLetter(), marks)
	if err != nil {
		f.Fatal(err)
	}
	key := ed25519Key(f)
	s := newSigner(f, key)
	f.Fuzz(func(t *testing.T, name, email, url, token, id string) {
		data := signed(t, s, m.Append(nil, Recipient{Email: email, Name: name, UnsubscribeURL: url, UnsubscribeToken: token, MessageID: id, Date: recipient.Date}))
		if err := verify(t, data, key); err != nil {
			t.Errorf("%v\n%s", err, data)
		}
	})
}

// FuzzParseKey reads files that somebody named as a key.
func FuzzParseKey(f *testing.F) {
	text, err := GenerateEd25519()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(block("RSA PRIVATE KEY")))
	f.Add([]byte("-----BEGIN \r\nX-----\n-----END \r\nX-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		signer, err := ParseKey(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") {
				t.Errorf("an error of more than one line: %q", err)
			}
			return
		}
		if name, value := (Key{Domain: "example.org", Selector: "a", Signer: signer}).Record(); name == "" || strings.HasSuffix(value, "p=") {
			t.Errorf("record %q %q", name, value)
		}
	})
}

// BenchmarkSign signs a message of 16 KB by each kind of key, by both, and for
// comparison only fills it in.
func BenchmarkSign(b *testing.B) {
	l := fullLetter()
	l.HTML += strings.Repeat("<p>Some more text of the issue.</p>\n", 300)
	m := compose(b, l, marks)
	rsa, ed := rsaKey(b), ed25519Key(b)
	for _, by := range []struct {
		name string
		keys []Key
	}{{"nobody", nil}, {"RSA", []Key{rsa}}, {"Ed25519", []Key{ed}}, {"both", []Key{rsa, ed}}} {
		b.Run("by="+by.name, func(b *testing.B) {
			s := newSigner(b, by.keys...)
			var message []byte
			b.ReportAllocs()
			for b.Loop() {
				message = m.Append(message[:0], recipient)
				if _, err := s.Sign(message); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(int64(len(message)))
		})
	}
}
