package site

import (
	"bytes"
	_ "embed" // the stylesheet
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strconv"
	"strings"

	"threadmill/internal/feed"
	"threadmill/internal/render"
)

//go:embed feed.css
var feedStyle string

// The sizes of the icons, in pixels: JSON Feed asks for 512 and at least 64.
const (
	iconSize    = 512
	faviconSize = 128
)

// feedLooks are what a feed needs besides its text: the stylesheet for people
// who open it in a browser, and the icons.
func (s *Site) feedLooks() []document {
	return []document{
		{name: feed.StylePath, make: func() ([]byte, error) {
			intro, err := s.opt.Templates.Sentence(s.opt.Publication, "feed_intro")
			if err != nil {
				return nil, err
			}
			how, err := s.opt.Templates.Sentence(s.opt.Publication, "feed_how")
			c := render.PaletteOf(s.opt.Publication)
			return []byte(strings.NewReplacer( // the first that fits counts
				"$ground-dark", string(c.GroundDark), "$ink-dark", string(c.InkDark), "$quiet-dark", string(c.QuietDark),
				"$hair-dark", string(c.HairDark), "$accent-dark", string(c.AccentDark),
				"$ground", string(c.Ground), "$ink", string(c.Ink), "$quiet", string(c.Quiet), "$hair", string(c.Hair), "$accent", string(c.Accent),
				"$intro", cssText(intro), "$how", cssText(how),
			).Replace(feedStyle)), err
		}},
		{name: feed.IconPath, make: func() ([]byte, error) {
			drawn, err := s.icons()
			return drawn.large, err
		}},
		{name: feed.FaviconPath, make: func() ([]byte, error) {
			drawn, err := s.icons()
			return drawn.small, err
		}},
	}
}

// logo is the file of that of the publication, where the site holds it.
func (s *Site) logo(content) []document {
	l := s.opt.Publication.Logo
	if !l.Hosted() || len(s.opt.Logo) == 0 {
		return nil
	}
	return []document{{name: l.Name, make: func() ([]byte, error) { return s.opt.Logo, nil }}}
}

// cssText escapes a text for a string in quotes (CSS Syntax 3, section 4.3.5).
func cssText(s string) string {
	return strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s) // words have no line breaks
}

// icons are the pictures that stand for the publication.
type icons struct{ large, small []byte }

func (s *Site) drawIcons() (icons, error) {
	c := render.PaletteOf(s.opt.Publication)
	ground, ink := string(c.Accent), string(c.Ground)
	large, err := icon(ground, ink, iconSize)
	if err != nil {
		return icons{}, err
	}
	small, err := icon(ground, ink, faviconSize)
	return icons{large, small}, err
}

// icon is the ornament of pages and mails, in their ground on one of the accent: a
// line with the dots of three posts.
func icon(ground, ink string, size int) ([]byte, error) {
	back, err := parseHex(ground)
	if err != nil {
		return nil, err
	}
	front, err := parseHex(ink)
	if err != nil {
		return nil, err
	}
	img := image.NewPaletted(image.Rect(0, 0, size, size), shades(back, front))
	for y := range size {
		for x := range size {
			ink := max(ornament((float64(x)+0.5)/float64(size), (float64(y)+0.5)/float64(size), float64(size)), 0)
			img.SetColorIndex(x, y, uint8(math.Round(min(ink, 1)*float64(len(img.Palette)-1))))
		}
	}
	var b bytes.Buffer
	err = png.Encode(&b, img)
	return b.Bytes(), err
}

// ornament tells how much ink there is at a point of the unit square; the edge
// is as soft as one pixel of the given number.
func ornament(x, y, pixels float64) float64 {
	line := max(math.Abs(x-0.5)-0.018, 0.2-y, y-0.8)
	ink := -line*pixels + 0.5
	for _, centre := range []float64{0.24, 0.5, 0.76} {
		ink = max(ink, (0.075-math.Hypot(x-0.5, y-centre))*pixels+0.5)
	}
	return ink
}

// shades are the steps from the ground to the ink.
func shades(back, front color.RGBA) color.Palette {
	const steps = 32
	list := make(color.Palette, steps)
	mix := func(b, f uint8, i int) uint8 { return uint8(int(b) + (int(f)-int(b))*i/(steps-1)) }
	for i := range list {
		list[i] = color.RGBA{mix(back.R, front.R, i), mix(back.G, front.G, i), mix(back.B, front.B, i), 255}
	}
	return list
}

func parseHex(s string) (color.RGBA, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32)
	if err != nil {
		return color.RGBA{}, fmt.Errorf("read the colour of the icon: %w", err)
	}
	return color.RGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255}, nil
}
