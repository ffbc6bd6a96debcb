package thread

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A reader that remembers reads the same as one that does not.
func TestMemory(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	write := func(name, text string, at time.Time) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	r := Reader{Dir: dir, Label: "threads", Memory: NewMemory()}
	compare := func(step string) {
		t.Helper()
		got, err := r.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want, err := Reader{Dir: dir, Label: "threads"}.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-without memory +with):\n%s", step, diff)
		}
	}
	write("a.md", "First.\n\n![A shed](a.png)\n", old)
	write("b.md", "---\ndate: never\n---\n\nSecond.\n", old)
	compare("first sight, a picture missing")
	write("a.png", "png", old)
	compare("the picture is there")
	write("a.md", "Fourth.\n\n![A shed](a.png)\n", old.Add(time.Second))
	compare("edited")
	write("a.md", "Fifth!.\n\n![A shed](a.png)\n", time.Now())
	compare("just edited")
	write("a.md", "Sixth!.\n\n![A shed](a.png)\n", time.Now())
	compare("edited at once again")
	if err := os.Remove(filepath.Join(dir, "b.md")); err != nil {
		t.Fatal(err)
	}
	compare("gone")

	write("a.md", "First!!\n", old)
	compare("long ago")
	write("a.md", "Second!\n", old) // what cannot be seen from outside is not read
	if got, err := r.Read(t.Context()); err != nil || got.Threads[0].Title != "First!" && got.Threads[0].Title != "First!!" {
		t.Errorf("read %v, %v; want what is remembered", got.Threads, err)
	}
}
