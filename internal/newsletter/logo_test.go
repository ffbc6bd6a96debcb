package newsletter_test

import (
	"testing"

	"threadmill/internal/newsletter"
)

func TestNewLogo(t *testing.T) {
	for _, test := range []struct{ width, height, wantWidth, wantHeight int }{
		{20, 10, 20, 10},
		{200, 80, 100, 40},
		{4000, 100, 320, 8},
		{1, 4000, 1, 40},
		{0, 0, 0, 40},
	} {
		l := newsletter.NewLogo("logo.png", test.width, test.height)
		if l.Width != test.wantWidth || l.Height != test.wantHeight {
			t.Errorf("a logo of %d × %d is shown in %d × %d, want %d × %d", test.width, test.height, l.Width, l.Height, test.wantWidth, test.wantHeight)
		}
	}
	if got := newsletter.NewLogo("logo.png", 1, 1).At("../../"); got != "../../logo.png" {
		t.Errorf("a logo of the site is at %s", got)
	}
	if got := newsletter.NewLogo("https://example.org/l.png", 0, 0).At("../"); got != "https://example.org/l.png" {
		t.Errorf("a logo elsewhere is at %s", got)
	}
}
