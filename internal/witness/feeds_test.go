package witness

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	newJSON = `{"version":"https://jsonfeed.org/version/1.1","title":"T","next_url":"https://old.example/x/archive/1.json","items":[
		{"id":"g2","url":"https://old.example/x/threads/two/","title":"Two","content_html":"<p>B &amp; c</p>","date_published":"2026-01-02T00:00:00Z"}]}`
	oldJSON = `{"version":"https://jsonfeed.org/version/1.1","title":"T","next_url":"https://old.example/x/archive/1.json","items":[
		{"id":"g2","url":"","title":"Two","content_html":"","date_published":"2026-01-02T00:00:00Z"},
		{"id":"g1","url":"https://old.example/x/threads/one/","title":"One","content_html":"<p>A</p>","date_published":"2026-01-01T00:00:00Z"}]}`
	newAtom = `<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>i</id><link rel="prev-archive" href="/archive/1.atom.xml"/>
		<entry><id>g2</id><title>Two</title><link href="https://x.example/threads/two/"/><published>2026-01-02T00:00:00Z</published><content type="html">&lt;p&gt;B&lt;/p&gt;</content></entry></feed>`
	oldAtom = `<feed xmlns="http://www.w3.org/2005/Atom"><title>T</title><id>i</id>
		<entry><id>g1</id><title>One</title><link rel="alternate" href="https://x.example/threads/one/"/><published>2026-01-01T00:00:00Z</published></entry></feed>`
)

// TestShown follows feeds into their archives, in a folder and at an address,
// whatever address the site had when they were written.
func TestShown(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"json": {"feed.json": newJSON, "archive/1.json": oldJSON},
		"atom": {"atom.xml": newAtom, "archive/1.atom.xml": oldAtom},
	} {
		dir := t.TempDir()
		for name, text := range files {
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		server := httptest.NewServer(http.FileServer(http.Dir(dir)))
		defer server.Close()
		for _, place := range []string{dir, server.URL} {
			list, err := From(place).Shown(t.Context())
			if err != nil || len(list) != 2 || list[0].GUID != "g1" || list[1].GUID != "g2" || list[0].Slug() != "one" || !strings.Contains(list[1].Text, "B") {
				t.Errorf("%s at %s: %+v %v", name, place, list, err)
			}
		}
		if err := os.RemoveAll(filepath.Join(dir, "archive")); err != nil {
			t.Fatal(err)
		}
		if _, err := From(dir).Shown(t.Context()); err == nil {
			t.Errorf("%s: a feed without its archive is whole", name)
		}
	}
	if _, err := From(t.TempDir()).Shown(t.Context()); err == nil {
		t.Error("an empty folder shows something")
	}
}

// FuzzFeed reads what any site may answer.
func FuzzFeed(f *testing.F) {
	for _, text := range []string{newJSON, oldJSON, newAtom, oldAtom} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		for _, read := range []func([]byte) (page, error){readJSON, readAtom} {
			if p, err := read(text); err == nil {
				_ = archived(p.older)
				for _, s := range p.shown {
					_ = s.Slug()
				}
			}
		}
	})
}
