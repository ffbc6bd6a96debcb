package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// call calls the program within this process and returns what it says.
func (p place) call(args ...string) (out string, status int) {
	p.t.Helper()
	var b strings.Builder
	w := world{strings.NewReader(""), &b, &b, os.LookupEnv}
	status = execute(p.t.Context(), append([]string{"--config", filepath.Join(p.dir, "config.yaml")}, args...), w)
	return b.String(), status
}

// does is call, and a failure ends the test.
func (p place) does(args ...string) string {
	p.t.Helper()
	out, status := p.call(args...)
	if status != 0 {
		p.t.Fatalf("threadmill %s ends with %d:\n%s", strings.Join(args, " "), status, out)
	}
	return out
}

// refused is call, which has to fail and say something.
func (p place) refused(want string, args ...string) {
	p.t.Helper()
	if out, status := p.call(args...); status != 1 || !strings.Contains(out, want) {
		p.t.Errorf("threadmill %s: %v, and does not say %q:\n%s", strings.Join(args, " "), status, want, out)
	}
}

// publicSite serves the output folder of one place after the other.
type publicSite struct{ dir atomic.Value }

func (s *publicSite) of(p place) { s.dir.Store(filepath.Join(p.dir, "public")) }

func (s *publicSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	http.FileServer(http.Dir(s.dir.Load().(string))).ServeHTTP(w, r)
}

// once fails where a message went to somebody twice, or to fewer than all.
func (r *relay) once(t *testing.T, issues, readers int) {
	t.Helper()
	seen := map[string]bool{}
	for _, c := range r.accepted() {
		if key := c.to + " " + c.subject; seen[key] {
			t.Errorf("%s went out twice", key)
		} else {
			seen[key] = true
		}
	}
	if len(seen) != issues*readers {
		t.Errorf("%d messages, not %d", len(seen), issues*readers)
	}
}

// TestTwoTruths has a backup restored after two more issues: the public site
// keeps it from sending those again, until it recovered what the site shows. Then
// the old server is refused, and so is a copy of the new one.
func TestTwoTruths(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	public := &publicSite{}
	server := httptest.NewServer(public)
	defer server.Close()
	old := newPlace(t, r, 5, 2, "")
	public.of(old)
	old.edit("https://news.example.com", server.URL)
	old.does("publish", "--now")
	archive := filepath.Join(t.TempDir(), "b.tar.zst")
	old.does("backup", archive)
	old.does("publish", "--now")
	old.does("publish", "--now")
	r.once(t, 3, 2)

	fresh := place{t: t, dir: filepath.Join(t.TempDir(), "news")}
	old.does("restore", archive, "--to", fresh.dir)
	old.refused("there is a database already", "restore", archive, "--to", fresh.dir)
	fresh.refused("held", "publish", "--now")
	fresh.refused("shows issue 3, and this one knows 1", "resume")
	fresh.refused("shows issue 3, and this one knows 1", "resume", "--take-over")
	if out := fresh.does("recover", "--from", server.URL); !strings.Contains(out, "shows 3 threads; 2 of them were not") {
		t.Errorf("recover tells %s", out)
	}
	fresh.does("build")
	fresh.does("resume", "--take-over") // which leaves to recover what it accepted
	fresh.does("publish", "--now")
	r.once(t, 4, 2)

	public.of(fresh)
	old.refused("shows issue 4, and this one knows 3", "publish", "--now")
	twin := place{t: t, dir: t.TempDir()}
	if err := os.CopyFS(twin.dir, os.DirFS(fresh.dir)); err != nil {
		t.Fatal(err)
	}
	fresh.does("publish", "--now")
	twin.refused("shows issue 5, and this one knows 4", "publish", "--now")
	r.once(t, 5, 2)
}

// TestOnlyTheSiteIsLeft deletes the database: nothing goes out again that the
// public folder shows, or that was withdrawn from it, and numbers and ids go on.
func TestOnlyTheSiteIsLeft(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := newPlace(t, r, 6, 2, "schedule: {threads_per_issue: 3}")
	p.write("threads/by-mail.md", "---\ntitle: By mail\ndate: 2026-02-01\nparams: {channels: [mail]}\n---\n\nFor those who read mail.\n")
	p.does("publish", "--now")
	p.does("publish", "--now", "--thread", "2026-01-04-part-3")
	p.does("issues", "withdraw", "2")
	p.does("publish", "--now", "--thread", "by-mail")
	before := p.read("public/.well-known/threadmill.json")
	p.loseFiles("threadmill.db", "threadmill.db.lock", "threadmill.db-wal", "threadmill.db-shm")
	p.does("subscribers", "import", filepath.Join(p.dir, "list.csv"))
	p.refused("shows issue 3, and this one knows 0", "publish", "--now")
	p.refused("shows issue 3, and this one knows 0", "build")
	if now := p.read("public/.well-known/threadmill.json"); now != before {
		t.Errorf("the mark was changed to %s", now)
	}
	p.loseFiles("threadmill.db", "threadmill.db-wal", "threadmill.db-shm") // which the refused knew threads by
	p.write("threads/2026-01-02-part-1.md", strings.Replace(p.read("threads/2026-01-02-part-1.md"), "And how", "And then, how", 1))
	p.remove("threads/2026-01-03-part-2.md")
	p.does("subscribers", "import", filepath.Join(p.dir, "list.csv"))
	out := p.does("recover", "--from", filepath.Join(p.dir, "public"))
	for _, want := range []string{"shows 4 threads; 3 of them were not", "no thread here is “Part 2”", "“By mail” goes out by mail alone"} {
		if !strings.Contains(out, want) {
			t.Errorf("recover does not tell %q:\n%s", want, out)
		}
	}
	p.does("archive", "by-mail")
	if out := p.does("publish", "--now"); !strings.Contains(out, "Issue 4, “Part 4") {
		t.Errorf("publish tells %s", out)
	}
	r.once(t, 4, 2)
	if text := p.read("public/feed.json"); strings.Contains(text, "part-3") || strings.Count(text, `"id": "tag:`) != 4 || !strings.Contains(text, "And then, how") {
		t.Errorf("the feed shows\n%s", text)
	}
	p.does("resume", "--take-over")
}

func (p place) loseFiles(names ...string) {
	for _, name := range names {
		_ = os.Remove(filepath.Join(p.dir, name))
	}
}

// TestSnapshot puts a copy of the database back that was made while mail was to
// leave: it leaves no second time.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := newPlace(t, r, 3, 2, "")
	p.does("pause", "--sending")
	p.does("publish", "--now", "--wait", "0s")
	snapshot := p.read("threadmill.db")
	p.does("resume")
	p.does("publish", "--now")
	r.once(t, 2, 2)
	p.loseFiles("threadmill.db-wal", "threadmill.db-shm")
	p.write("threadmill.db", snapshot)
	p.refused("shows issue 2, and this one knows 1", "resume")
	if out := p.does("recover", "--from", filepath.Join(p.dir, "public")); !strings.Contains(out, "older copy") || !strings.Contains(out, "messages=2") {
		t.Errorf("recover tells %s", out)
	}
	p.does("resume")
	p.does("publish", "--now")
	r.once(t, 3, 2)
}

// TestSameSlot has two servers that were restored from one backup publish at once,
// to one static host: the one whose pages come later sends nothing.
func TestSameSlot(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	host := t.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(host)))
	defer server.Close()
	old := newPlace(t, r, 3, 2, "hooks: {after_site: 'true'}")
	old.edit("https://news.example.com", server.URL)
	archive := filepath.Join(t.TempDir(), "b.tar.gz")
	old.does("backup", archive)
	var twins [2]place
	for i := range twins {
		twins[i] = place{t: t, dir: filepath.Join(t.TempDir(), "news")}
		old.does("restore", archive, "--to", twins[i].dir)
		twins[i].does("resume")
	}
	first, second := twins[0], twins[1]
	first.does("publish", "--now")
	second.edit("'true'", "cp -r "+filepath.Join(first.dir, "public")+"/. "+host) // what the first uploads arrives
	out, status := second.call("publish", "--now")
	if status != 1 || !strings.Contains(out, "the mail of issue 1 waits: "+server.URL+" was written by another database") {
		t.Errorf("the second ends with %d and tells %s", status, out)
	}
	second.refused("the mail of issue 1 waits", "publish")
	second.does("issues", "stop", "1")
	r.once(t, 1, 2)
}
