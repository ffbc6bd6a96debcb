package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"threadmill/internal/newsletter"
)

// Each place shows the files that suit it; what is not the thread's own, or
// is not to be had, is shown as it is written.
func TestPictureMarkup(t *testing.T) {
	thread := newsletter.Thread{
		Slug: "x",
		Pictures: map[string]newsletter.Picture{
			"a.webp": {Lasting: "a.webp.jpg", Files: []newsletter.PictureFile{{Name: "a-1200w.jpg", Width: 1200, Height: 800}, {Name: "a-600w.jpg", Width: 600, Height: 400}}},
			"b.png":  {Lasting: "b.png", Files: []newsletter.PictureFile{{Name: "b-20w.png", Width: 20, Height: 10}}},
			"c.svg":  {Lasting: "c.svg", Files: []newsletter.PictureFile{{Name: "c-asis.svg"}}},
			"a:b'\"<&amp;>.jpg": {
				Lasting: "a:b'\"<&amp;>.jpg",
				Files:   []newsletter.PictureFile{{Name: "a:b'\"<&amp;>-9w.jpg", Width: 9, Height: 9}},
			},
		},
		Posts: []newsletter.Post{
			{Text: "![A](./deep/../a.webp?v=2#x)"},
			{Text: "![](b.png)\n![C](c.svg)\n![D](d.png)\n![E](//example.com/a.webp)\n![F](https://example.com/a.webp)\n" +
				"![G](./a:b'\"%3C&amp;amp%3B%3E.jpg)"},
		},
	}
	base, err := threadBase(publication(), thread)
	if err != nil {
		t.Fatal(err)
	}
	const at = "https://bench.example.org/news/threads/x/"
	const lazy = ` loading="lazy" decoding="async"`
	const sizes = ` sizes="(min-width: 42rem) 38rem, calc(100vw - 4rem)"`
	const elsewhere = `<br>
<img src="https://example.com/a.webp" alt="F"`
	tests := []struct {
		name string
		form form
		want []string
	}{
		{"page", form{page: true}, []string{
			`<p><img src="a-1200w.jpg" alt="A" width="1200" height="800" srcset="a-1200w.jpg 1200w, a-600w.jpg 600w"` + sizes + `></p>`,
			`<p><img src="b-20w.png" alt="" width="20" height="10"` + lazy + "><br>\n" + `<img src="c-asis.svg" alt="C"` + lazy + "><br>\n" +
				`<img src="d.png" alt="D"` + lazy + "><br>\n" + `<img src="//example.com/a.webp" alt="E"` + lazy + ">" + elsewhere + lazy + "><br>\n" +
				`<img src="a%3Ab%27%22%3C%26amp%3B%3E-9w.jpg" alt="G" width="9" height="9"` + lazy + `></p>`,
		}},
		{"list", form{page: true, base: base}, []string{
			`<p><img src="` + at + `a-1200w.jpg" alt="A" width="1200" height="800" srcset="` + at + `a-1200w.jpg 1200w, ` + at + `a-600w.jpg 600w"` + sizes + lazy + `></p>`,
		}},
		{"feed", form{base: base}, []string{
			`<p><img src="` + at + `a.webp.jpg" alt="A" width="1200" height="800"></p>`,
			`<p><img src="` + at + `b.png" alt="" width="20" height="10">` + "<br>\n" + `<img src="` + at + `c.svg" alt="C">` + "<br>\n" +
				`<img src="` + at + `d.png" alt="D">` + "<br>\n" + `<img src="https://example.com/a.webp" alt="E">` + elsewhere + "><br>\n" +
				`<img src="` + at + `a%3Ab%27%22%3C%26amp%3B%3E.jpg" alt="G" width="9" height="9"></p>`,
		}},
		{"mail", form{base: base, style: map[string]string{"img": "x:y"}}, []string{
			`<p><img src="` + at + `a.webp.jpg" alt="A" width="552" height="368" style="x:y"></p>`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			posts, err := tt.form.posts(thread)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, posts[:len(tt.want)]); diff != "" {
				t.Errorf("posts (-want +got):\n%s", diff)
			}
		})
	}
}

// A tall picture is as wide as lets it be seen at once.
func TestTallPictures(t *testing.T) {
	for _, tt := range []struct {
		width, height int
		want          string
	}{
		{800, 2400, `style="max-width:min(100%,16.0rem)"`},
		{800, 1010, ""},
		{800, 1020, `style="max-width:min(100%,37.6rem)"`},
		{10, 5000, `style="max-width:min(100%,1.0rem)"`},
	} {
		e := gate()
		e.Posts = []newsletter.Post{{Text: "![A](a.png)"}}
		e.Pictures = map[string]newsletter.Picture{"a.png": {Files: []newsletter.PictureFile{{Name: "a-1w.png", Width: tt.width, Height: tt.height}}, Lasting: "a.png"}}
		page, err := builtin(t).ThreadPage(publication(), e, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(page), "style=\"max-width"); got != (tt.want != "") || !strings.Contains(string(page), tt.want) {
			t.Errorf("%d × %d: styled %v, want %q", tt.width, tt.height, got, tt.want)
		}
	}
}

// A title that is the first sentence is for those who hear the page; who reads
// it has it in the first post.
func TestUntitled(t *testing.T) {
	e := gate()
	for titled, want := range map[bool]string{true: `<h1 class="p-name" dir="auto">`, false: `<h1 class="p-name unseen" dir="auto">`} {
		e.Titled = titled
		page, err := builtin(t).ThreadPage(publication(), e, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), want) {
			t.Errorf("titled %v: no %s", titled, want)
		}
	}
}
