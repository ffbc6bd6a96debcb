package site

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"threadmill/internal/newsletter"
)

func jpegOf(t testing.TB, width, height int, c color.Color) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	// As a phone writes it: EXIF comes first.
	const exif = "\xff\xe1\x00\x16Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00home"
	return string(b.Bytes()[:2]) + exif + string(b.Bytes()[2:])
}

// files are the names in a folder that end so.
func files(tree map[string]string, dir, end string) []string {
	var list []string
	for name := range tree {
		if strings.HasPrefix(name, dir) && strings.HasSuffix(name, end) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func TestPhotograph(t *testing.T) {
	f := newFolder(t)
	f.pictures["a.png"] = jpegOf(t, 1600, 800, color.White) // by its name it would be a PNG
	in := entries(1)
	in[0].Posts = append(in[0].Posts, newsletter.Post{Text: "![Again](./a.png) ![Elsewhere](https://example.com/a.png)"})
	in[0].Images = []string{"a.png"}
	f.write(t, in)
	tree := f.tree(t)
	const dir = "threads/thread-1/"
	made := files(tree, dir, "w.jpg")
	if len(made) != 2 || !strings.HasSuffix(made[0], "-1200w.jpg") || !strings.HasSuffix(made[1], "-600w.jpg") {
		t.Fatalf("made %v", made)
	}
	for _, name := range made {
		if !newsletter.Immutable(name) {
			t.Errorf("%s may change", name)
		}
	}
	for name, text := range tree {
		if strings.Contains(text, "Exif") || strings.Contains(text, "home") && strings.HasPrefix(name, dir+"a") {
			t.Errorf("%s tells where it was taken", name)
		}
	}
	if tree[dir+"a.png"] != tree[made[0]] {
		t.Error("the plain name shows another picture")
	}
	big, small := strings.TrimPrefix(made[0], dir), strings.TrimPrefix(made[1], dir)
	set := fmt.Sprintf(`srcset="%s 1200w, %s 600w" sizes="(min-width: 42rem) 38rem, calc(100vw - 4rem)"`, big, small)
	page := tree[dir+"index.html"]
	for _, want := range []string{
		fmt.Sprintf(`<img src="%s" alt="Picture" width="1200" height="600" %s>`, big, set),
		fmt.Sprintf(`<img src="%s" alt="Again" width="1200" height="600" %s loading="lazy" decoding="async">`, big, set),
		`<img src="https://example.com/a.png" alt="Elsewhere" loading="lazy" decoding="async">`,
		`<meta property="og:image" content="https://example.org/news/threads/thread-1/a.png"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s:\n%s", want, page[strings.Index(page, "<body"):])
		}
	}
	const lasting = `<img src="https://example.org/news/threads/thread-1/a.png" alt="Picture" width="1200" height="600">`
	if !strings.Contains(tree["feed.json"], strings.ReplaceAll(lasting, `"`, `\"`)) {
		t.Errorf("the feed lacks %s", lasting)
	}
}

// What is made once is found again by its name, by another site, too, that
// remembers nothing; only the sources' beginnings are read then.
func TestPicturesAreMadeOnce(t *testing.T) {
	f := newFolder(t)
	f.pictures["a.png"] = jpegOf(t, 1300, 30, color.Black)
	f.write(t, entries(3))
	before := stats(t, f)
	var read atomic.Int64
	open := f.opt.OpenAsset
	opt := f.opt
	opt.Plans = nil
	opt.OpenAsset = func(ctx context.Context, t newsletter.Thread, name string) (io.ReadCloser, string, error) {
		r, digest, err := open(ctx, t, name)
		return counted{r, &read}, digest, err
	}
	f.Site = New(opt)
	for range 2 {
		if report := f.write(t, entries(3)); report.Written != 0 {
			t.Errorf("wrote %+v", report)
		}
	}
	if got, most := read.Load(), int64(len(f.pictures["a.png"])); got > most { // one thread's: the others have the same
		t.Errorf("read %d bytes, want no more than %d", got, most)
	}
	after := stats(t, f)
	for name, info := range before {
		if !os.SameFile(info, after[name]) || !info.ModTime().Equal(after[name].ModTime()) {
			t.Errorf("%s was written again", name)
		}
	}
	// A copy does as well as another name, on a disk that has no such names.
	plain := filepath.Join(f.dir, "threads", "thread-1", "a.png")
	text, err := os.ReadFile(plain)
	if err == nil {
		err = os.Remove(plain)
	}
	if err == nil {
		err = os.WriteFile(plain, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if report := f.write(t, entries(3)); report.Written != 0 {
		t.Errorf("wrote %+v beside a copy", report)
	}
	// One that is gone is made again, and alone.
	gone := files(f.tree(t), "threads/thread-2/", "-600w.jpg")
	if err := os.Remove(filepath.Join(f.dir, filepath.FromSlash(gone[0]))); err != nil {
		t.Fatal(err)
	}
	if report := f.write(t, entries(3)); report.Written != 1 {
		t.Errorf("wrote %+v, want the one that is gone", report)
	}
}

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func stats(t *testing.T, f *folder) map[string]fs.FileInfo {
	t.Helper()
	list := make(map[string]fs.FileInfo)
	for name := range f.tree(t) {
		info, err := os.Stat(filepath.Join(f.dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		list[name] = info
	}
	return list
}

// A picture that changes has other files, and its lasting name shows the new
// one; the old files stay for those who have their addresses.
func TestPictureChanges(t *testing.T) {
	f := newFolder(t)
	f.pictures["a.png"] = jpegOf(t, 700, 30, color.Black)
	f.write(t, entries(1))
	before := f.tree(t)
	f.pictures["a.png"] = jpegOf(t, 700, 30, color.White)
	f.write(t, entries(1))
	after := f.tree(t)
	for _, name := range files(before, "threads/thread-1/", "w.jpg") {
		if before[name] != after[name] {
			t.Errorf("%s has changed", name)
		}
	}
	if made := files(after, "threads/thread-1/", "w.jpg"); len(made) != 4 || before["threads/thread-1/a.png"] == after["threads/thread-1/a.png"] {
		t.Errorf("made %v", made)
	}
	if before["threads/thread-1/index.html"] == after["threads/thread-1/index.html"] {
		t.Error("the page shows the old picture")
	}
}

// Names of every kind, in folders below the thread's, give addresses that lead
// to the files; two pictures that want one name keep apart.
func TestPictureNames(t *testing.T) {
	f := newFolder(t)
	in := entries(1)
	var wide bytes.Buffer
	if err := png.Encode(&wide, image.NewGray(image.Rect(0, 0, 1300, 2))); err != nil {
		t.Fatal(err)
	}
	in[0].Assets = []string{"deep/50% a&b, c:d;#1?.jpg", "a.jpg", "a.png", strings.Repeat("ä", 100) + ".png"}
	f.pictures[in[0].Assets[0]] = jpegOf(t, 700, 7, color.White)
	f.pictures["a.jpg"], f.pictures["a.png"] = jpegOf(t, 700, 7, color.White), wide.String()
	f.pictures[in[0].Assets[3]] = wide.String()
	in[0].Posts = []newsletter.Post{{Text: "![x](<deep/50%25%20a&b, c:d;%231%3F.jpg>)\n\n![x](a.jpg)\n\n![](a.png)"}}
	f.write(t, in)
	tree := f.tree(t)
	page := tree["threads/thread-1/index.html"]
	if strings.Count(page, "srcset") != 3 || !strings.Contains(page, ` alt="" `) {
		t.Errorf("the page shows %s", page[strings.Index(page, "<main"):])
	}
	const want = `src="deep/50%25%20a%26b%2C%20c%3Ad%3B%231%3F-`
	if !strings.Contains(page, want) {
		t.Errorf("the page lacks %s:\n%s", want, page[strings.Index(page, "<main"):])
	}
	for _, name := range in[0].Assets {
		if tree["threads/thread-1/"+name] == "" {
			t.Errorf("%s is not there", name)
		}
	}
}
