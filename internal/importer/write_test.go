package importer

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func file(name, id, text string) File {
	return File{Name: name, Content: []byte("---\ntitle: t\nparams:\n  id: " + id + "\n---\n" + text + "\n")}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "threads")
	first := Result{Files: []File{file("a.md", "x:a", "A"), file("b.md", "x:b", "B"), file("c.md", "x:c", "C"), file("d.md", "x:d", "D")}}
	got, err := Write(dir, first)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Report{Written: []string{"a.md", "b.md", "c.md", "d.md"}}, got); diff != "" {
		t.Errorf("first (-want +got):\n%s", diff)
	}

	edited := []byte("mine")
	if err := os.WriteFile(filepath.Join(dir, "b.md"), edited, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "c.md"), filepath.Join(dir, "renamed.markdown")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "bundle"), 0o755), os.Rename(filepath.Join(dir, "d.md"), filepath.Join(dir, "bundle", "index.md"))); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Files = append(slices.Clone(first.Files), file("e.md", "x:e", "E"), file("f.md", "x:e", "the same id twice"))
	got, err = Write(dir, second)
	if err != nil {
		t.Fatal(err)
	}
	want := Report{Written: []string{"e.md"}, Unchanged: []string{"a.md"}, Kept: []string{"b.md", "c.md", "d.md", "f.md"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("second (-want +got):\n%s", diff)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "b.md")); err != nil || !bytes.Equal(text, edited) {
		t.Errorf("the edited file now reads %q, %v", text, err)
	}
	left, err := fs.Glob(os.DirFS(dir), ".import-*")
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	info, err := os.Stat(filepath.Join(dir, "e.md"))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestWriteRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"../x.md", "/x.md", "a/b.md", "", "..", "."} {
		if r, err := Write(dir, Result{Files: []File{file(name, "x", "X")}}); err == nil {
			t.Errorf("%q: %+v", name, r)
		}
	}
	blocked := filepath.Join(dir, "file")
	if err := os.WriteFile(blocked, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(filepath.Join(blocked, "threads"), Result{}); err == nil {
		t.Error("wrote below a file")
	}
	if err := create(blocked, []byte("new")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create over a file: %v", err)
	}
}

func TestMatterID(t *testing.T) {
	for source, want := range map[string]string{
		"---\nparams:\n  id: a:b\n---\n":              "a:b",
		"\ufeff---\r\nparams: {id: \"a\"}\r\n---\r\n": "a",
		"---\nparams:\n  id: 12\n---":                 "12",
		"---\nparams: text\n---\n":                    "",
		"---\n: [\n---\n":                             "",
		"---\nparams:\n  id: a\n":                     "",
		"text":                                        "", "": "",
	} {
		if got := matterID([]byte(source)); got != want {
			t.Errorf("matterID(%q) = %q, want %q", source, got, want)
		}
	}
}
