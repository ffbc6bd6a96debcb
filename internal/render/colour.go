package render

import (
	"fmt"
	"html/template"
	"math"
	"strconv"

	"threadmill/internal/newsletter"
)

// The grounds that pages and mails stand on, and the accent of a publication
// that names none. The templates repeat the first two.
const (
	paperLight    = "#fdfcfa"
	paperDark     = "#151412"
	defaultAccent = "#b4532a"
)

// contrast is the least ratio of accent to ground: WCAG 2.2, 1.4.3 (AA).
const contrast = 4.5

type rgb [3]float64

// accents returns the accent as it stands on light and on dark ground: moved
// towards black or white only as far as it needs to be legible there.
func accents(hex string) (light, dark template.CSS) {
	c, ok := parseColour(hex)
	if !ok {
		c, _ = parseColour(defaultAccent)
	}
	lightGround, _ := parseColour(paperLight)
	darkGround, _ := parseColour(paperDark)
	return legible(c, lightGround, rgb{}).css(), legible(c, darkGround, rgb{255, 255, 255}).css()
}

// parseColour reads #rgb and #rrggbb.
func parseColour(s string) (rgb, bool) {
	if len(s) == 4 && s[0] == '#' {
		s = string([]byte{'#', s[1], s[1], s[2], s[2], s[3], s[3]})
	}
	if len(s) != 7 || s[0] != '#' {
		return rgb{}, false
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	return rgb{float64(n >> 16), float64(n >> 8 & 0xff), float64(n & 0xff)}, err == nil
}

func (c rgb) css() template.CSS {
	return template.CSS(fmt.Sprintf("#%02x%02x%02x", int(c[0]), int(c[1]), int(c[2])))
}

// legible mixes c with end in steps of 2 % until it stands out from ground.
func legible(c, ground, end rgb) rgb {
	mixed := c
	for step := range 51 {
		for i := range c {
			mixed[i] = math.Round(c[i] + (end[i]-c[i])*float64(step)/50)
		}
		a, b := mixed.luminance(), ground.luminance()
		if (max(a, b)+0.05)/(min(a, b)+0.05) >= contrast {
			break
		}
	}
	return mixed
}

// luminance is the relative luminance of WCAG 2.2.
func (c rgb) luminance() float64 {
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

// Accents are the publication's colour as it stands on light and on dark
// ground, as CSS hex colours of six digits.
func Accents(pub newsletter.Publication) (light, dark string) {
	l, d := accents(pub.Accent)
	return string(l), string(d)
}
