package config_test

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"threadmill/internal/config"
)

// luminance is the relative luminance of a colour (WCAG 2.2).
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

// contrast is the ratio of WCAG 2.2, 1.4.3 between two colours.
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func TestDefaultAccentCanBeRead(t *testing.T) {
	accent := config.Default().Publication.Accent
	if got := contrast(t, accent, "#fafaf7"); got < 4.5 {
		t.Errorf("contrast of %s on near-white is %.2f, want at least 4.5", accent, got)
	}
}

// Text that cannot be read on its ground is refused with the ratio, at the
// place of the one that was given.
func TestColorsThatCannotBeRead(t *testing.T) {
	for name, test := range map[string]struct{ colors, want string }{
		"ink":         {"{ink: \"#888888\"}", "config.yaml:3:17: publication.colors.ink: ink #888888 on ground #fdfcfa has a contrast of 3.45:1, and text needs 4.5:1"},
		"ground":      {"{ground: \"#333\"}", "config.yaml:3:20: publication.colors.ground: ink #1d1b19 on ground #333333 has a contrast of 1.35:1"},
		"dark":        {"{ground_dark: \"#777777\", ink_dark: \"#ffffff\"}", "publication.colors.ink_dark: ink_dark #ffffff on ground_dark #777777 has a contrast of 4.47:1"},
		"enough":      {"{ground: \"#fff\", ink: \"#767676\"}", ""},
		"no colour":   {"{ink: red}", "is not a colour"},
		"another key": {"{paper: \"#fff\"}", "publication.colors.paper"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.yaml")
			text := "publication:\n  url: https://example.com\n  colors: " + test.colors + "\n"
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := config.Load(path, func(string) (string, bool) { return "", false })
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Load of %s: %v, want %q", test.colors, err, test.want)
			}
		})
	}
}
