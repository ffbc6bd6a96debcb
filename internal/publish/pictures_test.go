package publish_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"strings"
	"testing"
)

// The mail shows a picture by the name that lasts, in the width of its column;
// what it points to is on the site before it leaves, and no wider than 1200.
func TestMailShowsPictures(t *testing.T) {
	d := newDesk(t, settings{})
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 2000, 100)), nil); err != nil {
		t.Fatal(err)
	}
	d.write("threads/2023-01-01-pictured/index.md", pictured(1, "a%20b.jpg"))
	d.write("threads/2023-01-01-pictured/a b.jpg", photo.String())
	if _, err := d.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := d.Preview(t.Context(), "2023-01-01-pictured", "reader@example.org", "")
	if err != nil {
		t.Fatal(err)
	}
	const want = `<img src="https://example.com/threads/pictured/a%20b.jpg" alt="A picture" width="552" height="27" style=`
	if !strings.Contains(v.Mail.HTML, want) {
		t.Errorf("the mail lacks %s:\n%s", want, v.Mail.HTML)
	}
	if strings.Contains(v.Mail.HTML, "srcset") || strings.Contains(v.Mail.HTML, "loading=") {
		t.Error("the mail holds what is for browsers")
	}
	d.subscribers(1)
	if got := d.now(); got != "2023-01-01-pictured" {
		t.Fatalf("published %q", got)
	}
	d.writeSite()
	shown, err := jpeg.DecodeConfig(strings.NewReader(d.read("public/threads/pictured/a b.jpg")))
	if err != nil || shown.Width != 1200 || shown.Height != 60 {
		t.Errorf("the picture is %d × %d: %v", shown.Width, shown.Height, err)
	}
}
