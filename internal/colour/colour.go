// Package colour reads CSS hex colours and tells whether text of one can be read
// on another, by WCAG 2.2. It imports nothing of ours.
package colour

import (
	"fmt"
	"math"
	"strconv"
)

// Enough is the least contrast of text to its ground (WCAG 2.2, 1.4.3, level AA).
const Enough = 4.5

// Black and White are the ends to which a colour moves to stand out.
var (
	Black = RGB{}
	White = RGB{255, 255, 255}
)

// RGB is an sRGB colour, each part from 0 to 255.
type RGB [3]float64

// Parse reads #rgb and #rrggbb.
func Parse(s string) (RGB, bool) {
	if len(s) == 4 && s[0] == '#' {
		s = string([]byte{'#', s[1], s[1], s[2], s[2], s[3], s[3]})
	}
	if len(s) != 7 || s[0] != '#' {
		return RGB{}, false
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	return RGB{float64(n >> 16), float64(n >> 8 & 0xff), float64(n & 0xff)}, err == nil
}

// String is the colour as #rrggbb.
func (c RGB) String() string {
	return fmt.Sprintf("#%02x%02x%02x", int(c[0]), int(c[1]), int(c[2]))
}

// Mix is the colour on the way from c to end, at 0 c and at 1 end.
func (c RGB) Mix(end RGB, share float64) RGB {
	for i := range c {
		c[i] = math.Round(c[i] + (end[i]-c[i])*share)
	}
	return c
}

// Contrast is the ratio of the lighter to the darker of two colours, from 1 to 21.
func Contrast(a, b RGB) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// Toward mixes c with end in steps of 2 % until it can be read on the ground.
func (c RGB) Toward(end, ground RGB) RGB {
	mixed := c
	for step := range 51 {
		if mixed = c.Mix(end, float64(step)/50); Contrast(mixed, ground) >= Enough {
			break
		}
	}
	return mixed
}

// Opposite is black or white, whichever stands out more from c.
func (c RGB) Opposite() RGB {
	if Contrast(c, Black) >= Contrast(c, White) {
		return Black
	}
	return White
}

// luminance is the relative luminance of WCAG 2.2.
func (c RGB) luminance() float64 {
	var l [3]float64
	for i, v := range c {
		v /= 255
		if v <= 0.04045 {
			l[i] = v / 12.92
		} else {
			l[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*l[0] + 0.7152*l[1] + 0.0722*l[2]
}
