package mail

import (
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// TestTransports holds every transport to what Transport and Conn promise.
func TestTransports(t *testing.T) {
	t.Run("smtp", func(t *testing.T) {
		r := startRelay(t, TLSNone)
		conform(t, NewSMTP(r.options), func() (all []string) {
			for _, m := range r.received() {
				all = append(all, string(m.Data))
			}
			return all
		})
	})
	t.Run("folder", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "new", "mail")
		conform(t, NewFolder(dir), func() []string { return slices.Collect(files(t, dir)) })
	})
}

// files yields the mails in dir.
func files(t *testing.T, dir string) iter.Seq[string] {
	return func(yield func(string) bool) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil || !strings.HasSuffix(e.Name(), ".eml") {
				t.Fatalf("%s: %v", e.Name(), err)
			}
			if !yield(string(data)) {
				return
			}
		}
	}
}

// hard are contents that a transport may spoil.
func hard() [][]byte {
	var all [][]byte
	for i, body := range []string{
		"plain\r\n",
		".\r\n..\r\n.dot\r\n\r\n.\r\n",
		strings.Repeat("x", 998) + "\r\n",
		"8-bit ü \xff and a lone = sign=\r\n",
		strings.Repeat("line\r\n.\r\n", 3000),
	} {
		id := MessageID([]byte("key"), 1, int64(i), "example.org")
		all = append(all, []byte("From: a@example.org\r\nMessage-ID: "+id+"\r\n\r\n"+body))
	}
	return all
}

func conform(t *testing.T, tr Transport, received func() []string) {
	c := dial(t, tr)
	var want []string
	for _, data := range hard() {
		if err := Deliver(t.Context(), c, Message{From: "a@example.org", To: "b@example.org", Data: data}); err != nil {
			t.Fatalf("send %.60q: %v", data, err)
		}
		if !c.Usable() {
			t.Fatal("not usable after a message was accepted")
		}
		want = append(want, string(data))
	}
	got := received()
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("content (-want +got):\n%s", diff)
	}

	ended, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the daemon stops")
	cancel(cause)
	err := Deliver(ended, c, Message{From: "a@example.org", To: "b@example.org", Data: hard()[0]})
	if f, ok := errors.AsType[*Fault](err); !ok || f.InDoubt() || !errors.Is(err, cause) {
		t.Errorf("after the context's end: %v", err)
	}
	if len(received()) != len(want) {
		t.Error("a message was taken after the context's end")
	}
	if _, err := tr.Dial(ended); !errors.Is(err, cause) {
		t.Errorf("dial after the context's end: %v", err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func dial(t *testing.T, tr Transport) Conn {
	t.Helper()
	c, err := tr.Dial(t.Context())
	if err != nil {
		t.Fatalf("dial %s: %v", tr, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestFolderNames(t *testing.T) {
	long := strings.Repeat("a", 400)
	names := map[string]bool{}
	for id, prefix := range map[string]string{
		"<abc@example.org>":       "abc@example.org.eml",
		"<../../etc/passwd>":      "_.._etc_passwd-",
		"<a/b@c>":                 "a_b@c-",
		"<a_b@c>":                 "a_b@c.eml",
		"<" + long + "1>":         long[:150] + "-",
		"<" + long + "2>":         long[:150] + "-",
		"":                        "-",
		"<.hidden>":               "hidden-",
		"<zoë@example.org>\r\n x": "zo_@example.org-",
	} {
		name := fileName([]byte("message-id: " + id + "\r\n\r\nMessage-ID: <body@example.org>\r\n"))
		if !strings.HasPrefix(name, prefix) || !strings.HasSuffix(name, ".eml") || len(name) > 200 || filepath.Base(name) != name || names[name] {
			t.Errorf("%.40q is kept as %q, want a name of its own like %q", id, name, prefix)
		}
		names[name] = true
	}
}

func TestFolderKeepsOneCopy(t *testing.T) {
	dir := t.TempDir()
	c := dial(t, NewFolder(dir))
	for _, body := range []string{"first", "second"} {
		m := Message{Data: []byte("Message-ID: <same@example.org>\r\n\r\n" + body + "\r\n")}
		if err := Deliver(t.Context(), c, m); err != nil {
			t.Fatal(err)
		}
	}
	all := slices.Collect(files(t, dir))
	if len(all) != 1 || !strings.HasSuffix(all[0], "second\r\n") {
		t.Errorf("files = %q", all)
	}
}

func TestFolderFaults(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := NewFolder(filepath.Join(file, "mail")).Dial(t.Context())
	if f, ok := errors.AsType[*Fault](err); !ok || f.Stage != StageConnect || !strings.Contains(err.Error(), "make the mail folder") {
		t.Errorf("dial below a file: %v", err)
	}
	gone := filepath.Join(dir, "gone")
	c := dial(t, NewFolder(gone))
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	err = Deliver(t.Context(), c, Message{Data: hard()[0]})
	if f, ok := errors.AsType[*Fault](err); !ok || f.InDoubt() || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("send into a folder that is gone: %v", err)
	}
}

func TestRefusal(t *testing.T) {
	for text, want := range map[string]Refusal{
		"5.1.1 no such user": {Enhanced: "5.1.1", Text: "no such user"},
		"no such user":       {Text: "no such user"},
		"5.7.1 blocked\n5.7.1 see\thttps://x.e\x1b": {Enhanced: "5.7.1", Text: "blocked see https://x.e"},
		"5.7 blocked":      {Text: "5.7 blocked"},
		"10.0.0.1 blocked": {Text: "10.0.0.1 blocked"},
		"":                 {},
	} {
		want.Stage, want.Code = StageRcpt, 550
		if diff := cmp.Diff(want, *newRefusal(StageRcpt, 550, text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	long := newRefusal(StageRcpt, 451, strings.Repeat("ü", 1000))
	if len(long.Text) > 500 || !strings.HasSuffix(long.Text, "ü…") || !long.Temporary() {
		t.Errorf("a long text became %q", long.Text)
	}
	if got := (&Refusal{StageRcpt, 550, "5.1.1", "no such user"}).Error(); got != "refused at rcpt: 550 5.1.1 no such user" {
		t.Errorf("Error() = %q", got)
	}
}

func FuzzRefusal(f *testing.F) {
	f.Add("5.1.1 no such user\n5.1.1 at all")
	f.Add("4.\x00.\xff\r\n\u2028")
	f.Fuzz(func(t *testing.T, text string) {
		r := newRefusal(StageRcpt, 550, text)
		if len(r.Text) > 500 || len(r.Enhanced) > 9 || r.Text != oneLine(r.Text) || !utf8.ValidString(r.Error()) {
			t.Errorf("%q became %+v", text, r)
		}
	})
}
