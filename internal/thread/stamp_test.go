package thread

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseKept(t *testing.T) {
	r := folder(t, map[string]string{"2026-01-05-a.md": "---\ndate: 2026-01-06\n---\nText."})
	r.Zone = time.FixedZone("", 3600)
	want := read(t, r).Threads[0]
	if diff := cmp.Diff(want, r.Parse(want.File, want.Source)); diff != "" {
		t.Errorf("the kept text gives another thread (-file +kept):\n%s", diff)
	}
}

func TestStamp(t *testing.T) {
	r := folder(t, map[string]string{"a.md": "a", "b/index.md": "b", "b/x.png": "x"})
	stamp := func() string {
		t.Helper()
		s, err := r.Stamp()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	path := func(name string) string { return filepath.Join(r.Dir, name) }
	last := stamp()
	if again := stamp(); again != last {
		t.Error("the stamp changes by itself")
	}
	for _, c := range []struct {
		what   string
		change func() error
	}{
		{"write", func() error { return os.WriteFile(path("a.md"), []byte("longer"), 0o644) }},
		{"touch", func() error { return os.Chtimes(path("b/index.md"), time.Time{}, time.Unix(1, 0)) }},
		{"add", func() error { return os.WriteFile(path("c.md"), []byte("c"), 0o644) }},
		{"rename", func() error { return os.Rename(path("b/index.md"), path("b/other.md")) }},
		{"remove", func() error { return os.Remove(path("b/x.png")) }},
	} {
		if err := c.change(); err != nil {
			t.Fatal(err)
		}
		next := stamp()
		if next == last {
			t.Errorf("%s: the stamp stays", c.what)
		}
		last = next
	}
	r.Dir = path("gone")
	if _, err := r.Stamp(); err == nil {
		t.Error("a stamp of a folder that is not there")
	}
}
