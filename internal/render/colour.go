package render

import (
	"html/template"

	"threadmill/internal/colour"
	"threadmill/internal/newsletter"
)

// defaultAccent is that of a publication that names none.
const defaultAccent = "#b4532a"

// Palette are the colours of pages, feeds and mails as CSS hex colours of six
// digits, on light and on dark ground: text and what is quiet in it, hairlines,
// and the publication's own colour moved only as far as it needs to be legible.
type Palette struct {
	Ground, Ink, Quiet, Hair, Accent                     template.CSS
	GroundDark, InkDark, QuietDark, HairDark, AccentDark template.CSS
}

// shade is one half of a Palette.
type shade struct{ ground, ink, quiet, hair colour.RGB }

// The colours of a publication that names none.
var (
	lightShade = shade{known("#fdfcfa"), known("#1d1b19"), known("#6b665f"), known("#e4dfd8")}
	darkShade  = shade{known("#151412"), known("#e8e5e0"), known("#9d978e"), known("#322f2b")}
)

func known(s string) colour.RGB {
	c, _ := colour.Parse(s)
	return c
}

// PaletteOf are the colours of a publication.
func PaletteOf(pub newsletter.Publication) Palette {
	accent, ok := colour.Parse(pub.Accent)
	if !ok {
		accent = known(defaultAccent)
	}
	c := pub.Colors
	light, dark := lightShade.with(c.Ground, c.Ink), darkShade.with(c.GroundDark, c.InkDark)
	css := func(c colour.RGB) template.CSS { return template.CSS(c.String()) } //nolint:gosec // six digits
	on := func(s shade) template.CSS { return css(accent.Toward(s.ground.Opposite(), s.ground)) }
	return Palette{
		Ground: css(light.ground), Ink: css(light.ink), Quiet: css(light.quiet), Hair: css(light.hair), Accent: on(light),
		GroundDark: css(dark.ground), InkDark: css(dark.ink), QuietDark: css(dark.quiet), HairDark: css(dark.hair), AccentDark: on(dark),
	}
}

// with is the shade of other colours, each kept where it is none. What is quiet
// lies between ink and ground, and can be read wherever the ink can.
func (s shade) with(ground, ink string) shade {
	own := shade{ground: parsed(ground, s.ground), ink: parsed(ink, s.ink)}
	if own.ground == s.ground && own.ink == s.ink {
		return s
	}
	own.quiet = own.ink.Mix(own.ground, 1.0/3).Toward(own.ink, own.ground)
	own.hair = own.ground.Mix(own.ink, 1.0/8)
	return own
}

// parsed is the colour of a text, or another where that is none.
func parsed(text string, other colour.RGB) colour.RGB {
	if c, ok := colour.Parse(text); ok {
		return c
	}
	return other
}
