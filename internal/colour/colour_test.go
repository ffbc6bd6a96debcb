package colour_test

import (
	"testing"

	"threadmill/internal/colour"
)

func parse(t *testing.T, s string) colour.RGB {
	t.Helper()
	c, ok := colour.Parse(s)
	if !ok {
		t.Fatalf("Parse(%q) reads nothing", s)
	}
	return c
}

func TestParse(t *testing.T) {
	for in, want := range map[string]string{"#abc": "#aabbcc", "#B4532A": "#b4532a", "#000000": "#000000"} {
		if got := parse(t, in).String(); got != want {
			t.Errorf("Parse(%q) = %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"", "red", "#ab", "#zzzzzz", "b4532a", "#1234567", "#+12345"} {
		if c, ok := colour.Parse(in); ok {
			t.Errorf("Parse(%q) = %s, want nothing", in, c)
		}
	}
}

// The ratios are those of the W3C's own examples and of its checkers.
func TestContrast(t *testing.T) {
	for _, test := range []struct {
		a, b      string
		low, high float64
	}{
		{"#000000", "#ffffff", 21, 21},
		{"#777777", "#ffffff", 4.47, 4.48},
		{"#767676", "#ffffff", 4.54, 4.55},
		{"#123456", "#123456", 1, 1},
	} {
		if got := colour.Contrast(parse(t, test.a), parse(t, test.b)); got < test.low || got > test.high+1e-9 {
			t.Errorf("Contrast(%s, %s) = %.4f, want %v to %v", test.a, test.b, got, test.low, test.high)
		}
	}
}

// Every colour can be made legible on every ground.
func TestToward(t *testing.T) {
	list := []string{"#000", "#fff", "#777", "#767676", "#808080", "#b4532a", "#ff0", "#00f", "#0f0"}
	for _, g := range list {
		ground := parse(t, g)
		for _, c := range list {
			if got := parse(t, c).Toward(ground.Opposite(), ground); colour.Contrast(got, ground) < colour.Enough {
				t.Errorf("%s on %s becomes %s, of %.2f:1", c, g, got, colour.Contrast(got, ground))
			}
		}
	}
}
