package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// refused calls the program, which has to fail and say something.
func (p place) refused(want string, args ...string) {
	p.t.Helper()
	out, err := p.command(args...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), want) {
		p.t.Errorf("threadmill %s: %v, and does not say %q:\n%s", strings.Join(args, " "), err, want, out)
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
	r := newRelay(t)
	public := &publicSite{}
	server := httptest.NewServer(public)
	defer server.Close()
	old := newPlace(t, r, 5, 2, "")
	public.of(old)
	old.edit("https://news.example.com", server.URL)
	old.run("publish", "--now")
	archive := filepath.Join(t.TempDir(), "b.tar.zst")
	old.run("backup", archive)
	old.run("publish", "--now")
	old.run("publish", "--now")
	r.once(t, 3, 2)

	fresh := place{t: t, dir: filepath.Join(t.TempDir(), "news")}
	old.run("restore", archive, "--to", fresh.dir)
	old.refused("there is a database already", "restore", archive, "--to", fresh.dir)
	fresh.refused("held", "publish", "--now")
	fresh.refused("shows issue 3, and this one knows 1", "resume")
	fresh.refused("shows issue 3, and this one knows 1", "resume", "--take-over")
	if out := fresh.run("recover", "--from", server.URL); !strings.Contains(out, "shows 3 threads; 2 of them were not") {
		t.Errorf("recover tells %s", out)
	}
	fresh.run("resume")
	fresh.run("publish", "--now")
	r.once(t, 4, 2)

	public.of(fresh)
	old.refused("shows issue 4, and this one knows 3", "publish", "--now")
	twin := place{t: t, dir: t.TempDir()}
	if err := os.CopyFS(twin.dir, os.DirFS(fresh.dir)); err != nil {
		t.Fatal(err)
	}
	fresh.run("publish", "--now")
	twin.refused("shows issue 5, and this one knows 4", "publish", "--now")
	r.once(t, 5, 2)
}

// TestOnlyTheSiteIsLeft deletes the database: nothing goes out that the public
// folder shows, and numbers and ids go on.
func TestOnlyTheSiteIsLeft(t *testing.T) {
	r := newRelay(t)
	p := newPlace(t, r, 2, 2, "")
	p.run("publish", "--now")
	p.run("publish", "--now")
	guids := func() string { return fmt.Sprint(strings.Count(p.read("public/feed.json"), `"id": "tag:`)) }
	before := p.read("public/.well-known/threadmill.json")
	for _, name := range []string{"threadmill.db", "threadmill.db.lock"} {
		p.remove(name)
	}
	_, _ = os.Remove(filepath.Join(p.dir, "threadmill.db-wal")), os.Remove(filepath.Join(p.dir, "threadmill.db-shm"))
	p.run("subscribers", "import", "list.csv")
	p.refused("shows issue 2, and this one knows 0", "publish", "--now")
	p.refused("shows issue 2, and this one knows 0", "build")
	if now := p.read("public/.well-known/threadmill.json"); now != before {
		t.Errorf("the mark was changed to %s", now)
	}
	p.run("recover", "--from", "public")
	p.thread(2)
	if out := p.run("publish", "--now"); !strings.Contains(out, "Issue 3, “Part 2”") {
		t.Errorf("publish tells %s", out)
	}
	r.once(t, 3, 2)
	if n := guids(); n != "3" {
		t.Errorf("the feed shows %s threads", n)
	}
	p.run("resume", "--take-over")
}
