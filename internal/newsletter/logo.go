package newsletter

import "strings"

// How large a logo is shown at most, in CSS pixels.
const (
	logoHeight = 40
	logoWidth  = 320
)

// Logo is the picture that stands for the title above pages and mails.
type Logo struct {
	// Name is its address, or its file below the output folder, which stays the
	// same when the picture changes, so that old mails show the new one. It is
	// empty for none.
	Name string
	// Width and Height are what it is shown in, in CSS pixels; the width is 0
	// where it is not known.
	Width, Height int
}

// NewLogo is the logo of a picture of so many pixels, shown no larger than fits
// above a text; both are 0 where they are not known.
func NewLogo(name string, width, height int) Logo {
	if width <= 0 || height <= 0 {
		return Logo{Name: name, Height: logoHeight}
	}
	l := Logo{Name: name, Width: width, Height: height}
	if l.Height > logoHeight {
		l.Width, l.Height = max(1, width*logoHeight/height), logoHeight
	}
	if l.Width > logoWidth {
		l.Width, l.Height = logoWidth, max(1, l.Height*logoWidth/l.Width)
	}
	return l
}

// Hosted tells whether the logo is a file of the site.
func (l Logo) Hosted() bool { return l.Name != "" && !strings.Contains(l.Name, "://") }

// At is its address for a page from which root leads to the top of the site.
func (l Logo) At(root string) string {
	if l.Hosted() {
		return root + l.Name
	}
	return l.Name
}
