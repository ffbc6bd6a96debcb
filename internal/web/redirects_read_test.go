package web

import (
	"os"
	"path/filepath"
	"testing"

	"threadmill/internal/newsletter"
	"threadmill/internal/site"
)

// A long list takes a while to read: only one request waits for it.
func TestRedirectsWhileRead(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	r := redirects{pub: newsletter.Publication{URL: "https://example.org"}}
	leads := func(lines, want string) {
		t.Helper()
		if lines != "" {
			if err := os.WriteFile(filepath.Join(dir, "new"), []byte(lines), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, site.RedirectsFile)); err != nil {
				t.Fatal(err)
			}
		}
		if to, _ := r.current(root).page("/old", ""); to != want {
			t.Errorf("/old leads to %q, want %q", to, want)
		}
	}
	leads("/old /first/ 301\n/older /first/ 301\n", "first/")
	r.reading.Lock()
	leads("/old /second/ 301\n", "first/")
	if !r.asked(dir, "/") {
		t.Error("a list that is not read yet counts for nothing")
	}
	r.reading.Unlock()
	leads("", "second/")
}
