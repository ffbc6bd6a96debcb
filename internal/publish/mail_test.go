package publish_test

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	netmail "net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/emersion/go-message"
	"github.com/google/go-cmp/cmp"

	"threadmill/internal/publish"
	"threadmill/threads"
)

// samples previews every sample thread, and what is harder.
func samples(t *testing.T) map[string]publish.Preview {
	t.Helper()
	d := newDesk(t, settings{})
	if err := os.CopyFS(filepath.Join(d.dir, "threads"), threads.FS); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"rtl":     "---\ntitle: השער הישן\nlang: he\n---\nלאט לאט, אמרה השכנה.\n\n---\n\n- שמן\n- `code`\n",
		"cjk":     "---\ntitle: 小屋を動かすには、まず地面をよく見ること\nlang: ja\n---\n" + strings.Repeat("急がず、力を入れすぎず、転がる丸太の声を聞くこと。", 20),
		"many":    "---\ntitle: Two hundred\n---\n" + strings.TrimSuffix(strings.Repeat("A post of the two hundred, = and . and süß.\n\n---\n\n", 200), "\n\n---\n\n"),
		"dots":    ".\n\n..\n\n.hidden\n\nFrom here on =3D =\n\n---\n\nTrailing  \nspaces\n",
		"letters": "---\ntitle: " + strings.Repeat("Long ", 60) + "\n---\n😀 “quotes” & <b>tags</b> \u00a0 \u200d end\n",
	} {
		d.write("threads/"+name+".md", text)
	}
	c, err := d.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	list := map[string]publish.Preview{}
	for _, th := range c.Threads {
		v, err := d.Preview(t.Context(), th.ID, "ada@example.org", "")
		if err != nil {
			t.Fatal(err)
		}
		list[th.ID] = v
	}
	if entries, _ := fs.Glob(threads.FS, "20*"); len(list) != len(entries)+5 {
		t.Fatalf("%d mails of %d samples", len(list), len(entries)+5)
	}
	return list
}

// Another program's reader of mail finds in each part what was put into it.
func TestMailReadsBack(t *testing.T) {
	for id, v := range samples(t) {
		e, err := message.Read(bytes.NewReader(v.Message.Data))
		if err != nil {
			t.Fatal(err)
		}
		if subject, err := e.Header.Text("Subject"); err != nil || subject != v.Mail.Subject {
			t.Errorf("%s: subject %q (%v), want %q", id, subject, err, v.Mail.Subject)
		}
		got := map[string]string{}
		err = e.Walk(func(_ []int, part *message.Entity, err error) error {
			kind, _, _ := part.Header.ContentType()
			if err != nil || strings.HasPrefix(kind, "multipart/") {
				return err
			}
			text, err := io.ReadAll(part.Body)
			got[kind] = strings.ReplaceAll(string(text), "\r\n", "\n")
			return err
		})
		want := map[string]string{"text/plain": v.Mail.Text, "text/html": v.Mail.HTML}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", id, err, diff)
		}
	}
}

// With embedded pictures the HTML shows parts of the mail, beside which they
// stand, each once; the text still says where they are on the web.
func TestEmbeddedPictures(t *testing.T) {
	d := newDesk(t, settings{embed: true})
	if err := os.CopyFS(filepath.Join(d.dir, "threads"), threads.FS); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	const id = "2025-04-14-round-things-that-are-no-circles"
	v, err := d.Preview(t.Context(), id, "ada@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	e, err := message.Read(bytes.NewReader(v.Message.Data))
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	var html, picture []byte
	var contentID string
	err = e.Walk(func(_ []int, part *message.Entity, err error) error {
		kind, _, _ := part.Header.ContentType()
		if kinds = append(kinds, kind); err != nil {
			return err
		}
		switch kind {
		case "text/html":
			html, err = io.ReadAll(part.Body)
		case "image/png":
			contentID = strings.Trim(part.Header.Get("Content-Id"), "<>")
			picture, err = io.ReadAll(part.Body)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"}, kinds); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	if contentID == "" || !bytes.Contains(html, []byte(`src="cid:`+contentID+`"`)) || bytes.Contains(html, []byte("reuleaux.png")) {
		t.Errorf("the HTML shows another picture than %q", contentID)
	}
	if kind := http.DetectContentType(picture); kind != "image/png" || !strings.Contains(v.Mail.Text, "reuleaux.png") {
		t.Errorf("the picture is %s of %d bytes", kind, len(picture))
	}
}

// clipped is the length from which Gmail shows no more of a mail's HTML, in bytes.
const clipped = 102 << 10

// A long mail ends before services cut it off, whoever gets it; check says so.
func TestLongMailIsWhole(t *testing.T) {
	d := newDesk(t, settings{})
	d.write("threads/many.md", "---\ntitle: Two hundred\n---\n"+strings.TrimSuffix(strings.Repeat("A post of the two hundred, = and . and süß.\n\n---\n\n", 200), "\n\n---\n\n"))
	d.write("threads/near.md", "---\ntitle: Near\n---\n"+strings.Repeat(strings.Repeat("Long lines of words that go on and on. ", 50)+"\n\n", 42))
	d.write("threads/short.md", "Short.")
	c, err := d.Sync(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	faults, warnings := d.Check(t.Context(), c)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	var got []string
	for _, w := range warnings {
		got = append(got, numbers.ReplaceAllString(w.String(), "N"))
	}
	want := []string{
		"many.md:N: warning: its mail would be N KB long, and is cut off from N KB on; it carries the first N of N posts and a link to the others",
		"near.md: warning: its mail is N KB long; from N KB on services cut it off, and it would carry the first posts and a link to the others",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
	v, err := d.Preview(t.Context(), "many", strings.Repeat("a", 64)+"@"+strings.Repeat("b.", 90)+"example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	_, html, _ := bytes.Cut(v.Message.Data, []byte("Content-Type: text/html"))
	if len(html) > clipped || len(html) < clipped*8/10 || !bytes.Contains(html, []byte("</html>")) || !strings.Contains(v.Mail.HTML, ">Unsubscribe</a>") {
		t.Errorf("the HTML takes %d bytes on the wire", len(html))
	}
	t.Logf("%d of 200 posts, %d bytes on the wire, whole %d", 200-v.Mail.Left, len(html), v.Mail.Size)
}

var numbers = regexp.MustCompile(`\d+`)

// maxSpam is the most points a sample may have; the usual limit is 5.
const maxSpam = 0.5

// points is what SpamAssassin makes of a mail, with its reasons after it.
var points = regexp.MustCompile(`(?s)Content analysis details:\s+\((-?[0-9.]+) points.*`)

// SpamAssassin, with its own rules and without the network, has nothing against
// the samples. It looks at them as they arrive, with a line of the first relay.
func TestSpamAssassin(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	program, err := exec.LookPath("spamassassin")
	if err != nil {
		t.Skip("no spamassassin; on Debian: apt-get install spamassassin")
	}
	home := t.TempDir()
	for id, v := range samples(t) {
		t.Run(id, func(t *testing.T) {
			if _, err := netmail.ReadMessage(bytes.NewReader(v.Message.Data)); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), program, "-L", "-t")
			cmd.Env = append(os.Environ(), "HOME="+home, "LC_ALL=C")
			cmd.Stdin = bytes.NewReader(v.Message.Data)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			found := points.FindSubmatch(out)
			if found == nil {
				t.Fatalf("no points in %q", out)
			}
			if n, err := strconv.ParseFloat(string(found[1]), 64); err != nil || n > maxSpam {
				t.Errorf("%s", found[0])
			} else {
				t.Logf("%.1f points", n)
			}
		})
	}
}
