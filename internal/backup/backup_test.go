package backup_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"threadmill/internal/backup"
)

// packed is an archive of two files.
func packed(t testing.TB, name string) []byte {
	t.Helper()
	dir := t.TempDir()
	var files []backup.File
	for name, text := range map[string]string{"a": "first", "b/c": "second"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, backup.File{Name: name, Path: path, Mode: 0o644})
	}
	var b bytes.Buffer
	list := backup.List{CreatedAt: time.Unix(1_800_000_000, 0).UTC(), Program: "test", Secrets: true}
	if err := backup.Write(&b, name, list, files); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// room is that of a disk with plenty, and cramped of one with less.
func room(string) (uint64, bool)    { return 1 << 40, true }
func cramped(string) (uint64, bool) { return 20 << 20, true }

// TestArchive packs and unpacks, in both forms.
func TestArchive(t *testing.T) {
	for _, name := range []string{"x.tar.gz", "x.tar.zst"} {
		dir := t.TempDir()
		list, err := backup.Extract(t.Context(), bytes.NewReader(packed(t, name)), dir, room)
		if err != nil || len(list.Files) != 2 || !list.Secrets || list.Program != "test" || list.CreatedAt.Unix() != 1_800_000_000 {
			t.Errorf("%s: %+v %v", name, list, err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, "b", "c")); string(text) != "second" {
			t.Errorf("%s: b/c holds %q: %v", name, text, err)
		}
	}
	if err := backup.Write(&bytes.Buffer{}, "x.zip", backup.List{}, nil); err == nil {
		t.Error("a zip was written")
	}
}

// TestDamaged cuts an archive at every place: it is told each time.
func TestDamaged(t *testing.T) {
	whole := packed(t, "x.tar.gz")
	for n := 0; n < len(whole)-20; n += 7 { // the last bytes are those of gzip, behind the list
		if _, err := backup.Extract(t.Context(), bytes.NewReader(whole[:n]), t.TempDir(), room); err == nil {
			t.Fatalf("an archive of %d of %d bytes is whole", n, len(whole))
		}
	}
	if _, err := backup.Extract(t.Context(), bytes.NewReader(whole[:len(whole)/2]), t.TempDir(), room); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("half an archive: %v", err)
	}
}

// FuzzExtract holds that nothing is written outside of the folder.
func FuzzExtract(f *testing.F) {
	f.Add(packed(f, "x.tar.gz"))
	f.Add(packed(f, "x.tar.zst"))
	f.Fuzz(func(t *testing.T, text []byte) {
		above := t.TempDir()
		dir := filepath.Join(above, "in")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		_, _ = backup.Extract(t.Context(), bytes.NewReader(text), dir, room)
		if entries, err := os.ReadDir(above); err != nil || len(entries) != 1 {
			t.Errorf("%v lies outside: %v", entries, err)
		}
	})
}

// TestCruelArchives takes archives apart that only somebody who means harm would
// pack.
func TestCruelArchives(t *testing.T) {
	for name, c := range map[string]struct {
		headers []tar.Header
		want    string
	}{
		"up":       {[]tar.Header{{Name: "../x", Typeflag: tar.TypeReg}}, "no file that may"},
		"absolute": {[]tar.Header{{Name: "/etc/x", Typeflag: tar.TypeReg}}, "no file that may"},
		"odd":      {[]tar.Header{{Name: "a/./b", Typeflag: tar.TypeReg}}, "no file that may"},
		"link":     {[]tar.Header{{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc"}, {Name: "a/x", Typeflag: tar.TypeReg}}, "no file that may"},
		"hard":     {[]tar.Header{{Name: "a", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}, "no file that may"},
		"device":   {[]tar.Header{{Name: "a", Typeflag: tar.TypeChar}}, "no file that may"},
		"twice":    {[]tar.Header{{Name: "a", Typeflag: tar.TypeReg}, {Name: "a", Typeflag: tar.TypeReg}}, "a"},
		"bomb":     {[]tar.Header{{Name: "a", Typeflag: tar.TypeReg, Size: 30 << 20}}, "no room"},
	} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		w := tar.NewWriter(z)
		for _, h := range c.headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(make([]byte, h.Size)); err != nil {
				t.Fatal(err)
			}
		}
		_, _ = w.Close(), z.Close()
		dir := t.TempDir()
		if _, err := backup.Extract(t.Context(), &b, dir, cramped); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Lstat(filepath.Join(dir, "a")); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
			t.Errorf("%s: a is %v", name, info.Mode())
		}
	}
	whole := packed(t, "x.tar.gz")
	plain, err := gzip.NewReader(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	var forged bytes.Buffer
	z := gzip.NewWriter(&forged)
	_, _ = z.Write(bytes.Replace(text, []byte("second"), []byte("forged"), 1))
	_ = z.Close()
	if _, err := backup.Extract(t.Context(), &forged, t.TempDir(), room); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("a file that was changed: %v", err)
	}
}
