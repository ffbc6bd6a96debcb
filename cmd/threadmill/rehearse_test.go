package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"threadmill/templates"
)

// plantedThreads hold one fault of each kind, and three sound threads, of which
// one waits.
func plantedThreads() map[string]string {
	const sound = "---\ntitle: %s\ndate: %s\n%s---\nThe %s of it.\n\n---\n\nAnd then.\n"
	thread := func(title, date, more, opening string) string {
		return fmt.Sprintf(sound, title, date, more, opening)
	}
	var long strings.Builder
	long.WriteString("---\ntitle: Long\ndate: 1999-01-02\n---\n")
	for i := range 60 {
		fmt.Fprintf(&long, "Post %d. %s\n\n---\n\n", i, strings.Repeat("Word after word. ", 200))
	}
	return map[string]string{
		"first.md":   thread("First", "1999-01-01", "", "first thing to say, and quite a lot of it,"),
		"second.md":  thread("First again", "1999-01-03", "", "first thing to say, and quite a lot of it,"),
		"long.md":    long.String() + "The end.\n",
		"end.md":     thread("Too late", "1999-01-04", "expiryDate: 2000-01-05\n", "day has an end"),
		"over.md":    thread("Over", "1999-01-04", "expiryDate: 1999-12-24\n", "day is over"),
		"broken.md":  thread("Broken", "yesterday", "", "date of it cannot be read"),
		"picture.md": thread("Picture", "1999-01-05", "", "picture is gone: ![a shed](gone.png), the rest"),
		"waits.md":   thread("Waits", "1999-01-06", "publishDate: 2000-02-14\n", "wait is long"),
		"draft.md":   thread("Draft", "1999-01-07", "draft: true\n", "draft"),
	}
}

// A rehearsal names every fault that was planted, with its place, and leaves
// every file of the publication as it was.
func TestRehearse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { // the time is midnight of 1 January 2000
		command := func(want int, args ...string) string {
			t.Helper()
			var out, errs bytes.Buffer
			w := world{strings.NewReader(""), &out, &errs, func(string) (string, bool) { return "", false }}
			if got := execute(t.Context(), append([]string{"--config", filepath.Join(dir, "config.yaml")}, args...), w); got != want {
				t.Fatalf("%v ended with %d, want %d\n%s%s", args, got, want, out.String(), errs.String())
			}
			return out.String() + errs.String()
		}
		write := func(name, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("config.yaml", "publication:\n  title: Played\n  url: https://example.com\n  address: 1 Lane\n"+
			"schedule:\n  cron: \"0 9 * * MON\"\nmail:\n  from: editor@example.com\n  smtp: {host: relay.example.com, port: 25}\n")
		if err := os.Mkdir(filepath.Join(dir, "threads"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range plantedThreads() {
			write(filepath.Join("threads", name), text)
		}
		command(0, "subscribers", "add", "ada@example.org")
		before := filesOf(t, dir)
		got := command(1, "rehearse", "--weeks", "8")
		if diff := cmp.Diff(before, filesOf(t, dir)); diff != "" {
			t.Errorf("the publication changed (-before +after):\n%s", diff)
		}
		wantGolden(t, "rehearse.txt", strings.ReplaceAll(got, dir, "DIR"))
	})
}

// A slot that cannot be played ends the rehearsal, which tells the calendar so
// far and why; the hooks of the config are none of its business.
func TestRehearseBreaksOff(t *testing.T) {
	t.Parallel()
	p := place{t: t, dir: t.TempDir()}
	p.write("config.yaml", "publication: {title: Played, url: \"https://example.com\", address: 1 Lane}\ntemplates: templates\n"+
		"schedule: {cron: \"0 9 * * MON\"}\nmail: {from: editor@example.com, transport: folder}\n"+
		"hooks: {before_slot: touch hooked, after_site: touch hooked, after_issue: touch hooked}\noperator: {command: touch told}\n")
	text, err := templates.FS.ReadFile("mail.txt")
	if err != nil {
		t.Fatal(err)
	}
	p.write("templates/mail.txt", `{{if eq .Title "Part 1"}}{{slice "" 5}}{{end}}`+string(text))
	for i := range 3 {
		p.thread(i)
	}
	before := filesOf(t, p.dir)
	synctest.Test(t, func(t *testing.T) { // the time is midnight of 1 January 2000
		var out, errs bytes.Buffer
		w := world{strings.NewReader(""), &out, &errs, func(string) (string, bool) { return "", false }}
		if got := execute(t.Context(), []string{"--config", filepath.Join(p.dir, "config.yaml"), "rehearse", "--weeks", "8", "--json"}, w); got != statusFailed {
			t.Errorf("ended with %d\n%s", got, errs.String())
		}
		var r rehearsalReport
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%v in\n%s%s", err, out.String(), errs.String())
		}
		if len(r.Calendar) != 1 || r.Calendar[0].Title != "Part 0" || r.Issues != 1 || r.Left != 2 {
			t.Errorf("calendar: %+v", r)
		}
		if last := r.Problems[len(r.Problems)-1]; !strings.Contains(last, "the slot of Monday 10 January 2000 09:00 UTC: ") || !strings.HasSuffix(last, "; the rehearsal ends there") {
			t.Errorf("problems: %q", r.Problems)
		}
	})
	if diff := cmp.Diff(before, filesOf(t, p.dir)); diff != "" {
		t.Errorf("the publication changed (-before +after):\n%s", diff)
	}
}

// filesOf are the digests of all files below dir.
func filesOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = fmt.Sprintf("%x", sha256.Sum256(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
