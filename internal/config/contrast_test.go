package config_test

import (
	"math"
	"strconv"
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
