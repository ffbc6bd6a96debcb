package witness_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/witness"
)

const someMark = `{"publication":"abc","instance":"def","issue":3,"published_at":"2026-12-07T09:00:00Z"}`

// TestMark reads a mark from a folder and from the server of that folder.
func TestMark(t *testing.T) {
	dir := t.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	none, err := witness.InDir(dir)
	if at, aerr := witness.At(t.Context(), server.URL); err != nil || aerr != nil || none != at || at != (newsletter.Mark{}) {
		t.Errorf("no mark: %+v %v, %+v %v", none, err, at, aerr)
	}
	file := filepath.Join(dir, newsletter.MarkPath)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	want := newsletter.Mark{Publication: "abc", Instance: "def", Issue: 3, PublishedAt: time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)}
	for text, want := range map[string]newsletter.Mark{someMark: want, `{"publication":"<a>"}`: {}} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := witness.InDir(dir)
		at, aerr := witness.At(t.Context(), server.URL+"/")
		if in != want || at != want || (err == nil) != (want.Issue > 0) || (aerr == nil) != (want.Issue > 0) {
			t.Errorf("%s: %+v %v, %+v %v", text, in, err, at, aerr)
		}
	}
	server.Close()
	if _, err := witness.At(t.Context(), server.URL); err == nil {
		t.Error("a server that is gone tells a mark")
	}
}

// FuzzParseMark holds that nothing is taken for a mark that could not be kept.
func FuzzParseMark(f *testing.F) {
	f.Add([]byte(someMark))
	f.Add([]byte(`{"publication":"a","instance":"b","issue":-1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := witness.ParseMark(text)
		if err == nil && (m.Publication == "" || m.Instance == "" || len(m.Publication) > 100 || m.Issue < 0) {
			t.Errorf("%q became %+v", text, m)
		}
	})
}
