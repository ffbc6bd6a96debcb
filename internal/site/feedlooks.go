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
	light, dark := render.Accents(s.opt.Publication)
	return []document{
		{name: feed.StylePath, make: func() ([]byte, error) {
			intro, err := s.opt.Templates.Sentence(s.opt.Publication, "feed_intro")
			if err != nil {
				return nil, err
			}
			how, err := s.opt.Templates.Sentence(s.opt.Publication, "feed_how")
			return []byte(strings.NewReplacer("$light", light, "$dark", dark, "$intro", cssText(intro), "$how", cssText(how)).Replace(feedStyle)), err
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

// cssText escapes a text for a string in quotes (CSS Syntax 3, section 4.3.5).
func cssText(s string) string {
	return strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s) // words have no line breaks
}

// icons are the pictures that stand for the publication.
type icons struct{ large, small []byte }

func (s *Site) drawIcons() (icons, error) {
	ground, _ := render.Accents(s.opt.Publication)
	large, err := icon(ground, iconSize)
	if err != nil {
		return icons{}, err
	}
	small, err := icon(ground, faviconSize)
	return icons{large, small}, err
}

// icon is the ornament of pages and mails, white on a ground of the accent: a
// line with the dots of three posts.
func icon(ground string, size int) ([]byte, error) {
	back, err := parseHex(ground)
	if err != nil {
		return nil, err
	}
	img := image.NewPaletted(image.Rect(0, 0, size, size), shades(back))
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

// shades are the steps from the ground to white.
func shades(back color.RGBA) color.Palette {
	const steps = 32
	list := make(color.Palette, steps)
	mix := func(c uint8, i int) uint8 { return uint8(int(c) + (255-int(c))*i/(steps-1)) }
	for i := range list {
		list[i] = color.RGBA{mix(back.R, i), mix(back.G, i), mix(back.B, i), 255}
	}
	return list
}

func parseHex(s string) (color.RGBA, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32)
	if err != nil {
		return color.RGBA{}, fmt.Errorf("read the accent colour: %w", err)
	}
	return color.RGBA{uint8(n >> 16), uint8(n >> 8), uint8(n), 255}, nil
}
