package picture

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/image/webp"
)

// The corners of a test picture as it should be seen, from the top left on.
var corners = []color.RGBA{{200, 30, 30, 255}, {30, 180, 30, 255}, {40, 40, 200, 255}, {220, 220, 40, 255}}

// quarters is a picture with a colour in each quarter.
func quarters(width, height int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i, c := range corners {
		x, y := i%2*width/2, i/2*height/2
		draw.Draw(img, image.Rect(x, y, x+width-width/2, y+height-height/2), image.NewUniform(c), image.Point{}, draw.Src)
	}
	return img
}

// stored is what a camera held so would store of a picture.
func stored(seen *image.RGBA, orientation int) *image.RGBA {
	size := seen.Rect.Size()
	if orientation >= 5 {
		size.X, size.Y = size.Y, size.X
	}
	img := image.NewRGBA(image.Rectangle{Max: size})
	for y := range seen.Rect.Dy() {
		for x := range seen.Rect.Dx() {
			sx, sy := source(orientation, x, y, size.X, size.Y)
			img.SetRGBA(sx, sy, seen.RGBAAt(x, y))
		}
	}
	return img
}

// photo is a JPEG with all that a phone puts around it.
func photo(t testing.TB, img image.Image, orientation int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	var tiff []byte
	tiff = append(tiff, "II*\x00\x08\x00\x00\x00\x02\x00"...)
	tiff = append(tiff, "\x0f\x01\x02\x00\x08\x00\x00\x00\x26\x00\x00\x00"...) // make
	tiff = append(tiff, "\x12\x01\x03\x00\x01\x00\x00\x00"...)
	tiff = append(tiff, byte(orientation), 0, 0, 0, 0, 0, 0, 0)
	tiff = append(tiff, "PhoneCo\x00"...)
	out := append([]byte(nil), b.Bytes()[:2]...)
	out = appendSegment(out, markerAPP1, append([]byte(exifMark), tiff...))
	out = appendSegment(out, markerAPP1, []byte("http://ns.adobe.com/xap/1.0/\x00<x:xmpmeta>51.5N</x:xmpmeta>"))
	out = appendSegment(out, markerCOM, []byte("shot at home"))
	out = appendSegment(out, markerAPP2, append([]byte(iccMark+"\x01\x01"), profile("RGB ")...))
	out = append(out, b.Bytes()[2:]...)
	return append(out, "ftypmp42 a film"...)
}

func profile(space string) []byte {
	p := make([]byte, 132)
	copy(p[16:], space)
	copy(p[128:], "tags")
	return p
}

// secrets are what may not be in what readers get.
var secrets = []string{"Exif", "PhoneCo", "xmpmeta", "shot at home", "a film"}

func look(t testing.TB, name string, b []byte) Plan {
	t.Helper()
	sum := sha256.Sum256(b)
	p, err := Look(name, hex.EncodeToString(sum[:]), b, true)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func manufacture(t testing.TB, p Plan, b []byte) map[string][]byte {
	t.Helper()
	made, err := p.Make(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range p.Names() {
		if len(made[name]) == 0 {
			t.Errorf("%s is not made", name)
		}
	}
	if len(made) != len(p.Names()) {
		t.Errorf("%d files made, want %d", len(made), len(p.Names()))
	}
	return made
}

// sizes is a plan's files in short, with the digest left out.
func sizes(p Plan) string {
	var s []string
	for _, f := range p.Files {
		i := strings.LastIndex(f.Name, "-")
		s = append(s, fmt.Sprintf("%s=%dx%d", f.Name[i+1:], f.Width, f.Height))
	}
	return strings.Join(s, " ")
}

func near(a, b color.Color) bool {
	ar, ag, ab, _ := a.RGBA()
	br, bg, bb, _ := b.RGBA()
	for _, d := range []int{int(ar) - int(br), int(ag) - int(bg), int(ab) - int(bb)} {
		if d < -0x1200 || d > 0x1200 {
			return false
		}
	}
	return true
}

func TestOrientations(t *testing.T) {
	for _, size := range []image.Point{{1260, 40}, {620, 210}, {80, 60}} {
		seen := quarters(size.X, size.Y)
		for o := 1; o <= 8; o++ {
			t.Run(fmt.Sprint(size, o), func(t *testing.T) {
				b := photo(t, stored(seen, o), o)
				p := look(t, "a.jpg", b)
				for i, f := range p.Files {
					if i == 0 && f.Width != min(size.X, Wide) || i == 1 && f.Width != Narrow {
						t.Errorf("file %d is %d wide", i, f.Width)
					}
				}
				made := manufacture(t, p, b)
				for _, f := range p.Files {
					img, err := jpeg.Decode(bytes.NewReader(made[f.Name]))
					if err != nil {
						t.Fatal(err)
					}
					if got := img.Bounds().Size(); got != image.Pt(f.Width, f.Height) {
						t.Errorf("%s is %v, the plan says %d × %d", f.Name, got, f.Width, f.Height)
					}
					for i, want := range corners {
						x, y := f.Width/4+i%2*f.Width/2, f.Height/4+i/2*f.Height/2
						if got := img.At(x, y); !near(got, want) {
							t.Errorf("%s has %v in quarter %d, want %v", f.Name, got, i, want)
						}
					}
					for _, s := range secrets {
						if bytes.Contains(made[f.Name], []byte(s)) {
							t.Errorf("%s holds %q", f.Name, s)
						}
					}
					if !bytes.Contains(made[f.Name], []byte(iccMark)) {
						t.Errorf("%s has lost its colours", f.Name)
					}
				}
			})
		}
	}
}

func TestSizes(t *testing.T) {
	for _, tt := range []struct {
		width, height int
		want          string
	}{
		{4000, 3000, "1200w.jpg=1200x900 600w.jpg=600x450"},
		{1201, 10, "1200w.jpg=1200x10 600w.jpg=600x5"},
		{1200, 801, "1200w.jpg=1200x801 600w.jpg=600x401"},
		{601, 1, "601w.jpg=601x1 600w.jpg=600x1"},
		{600, 400, "600w.jpg=600x400"},
		{1, 1, "1w.jpg=1x1"},
		{3000, 1, "1200w.jpg=1200x1 600w.jpg=600x1"},
	} {
		b := photo(t, image.NewGray(image.Rect(0, 0, tt.width, tt.height)), 1)
		p := look(t, "dir/a b.JPG", b)
		if got := sizes(p); got != tt.want {
			t.Errorf("%d × %d becomes %s, want %s", tt.width, tt.height, got, tt.want)
		}
		if !strings.HasPrefix(p.Files[0].Name, "dir/a b-") || p.Lasting != "dir/a b.JPG" {
			t.Errorf("names are %s and %s", p.Files[0].Name, p.Lasting)
		}
		for name, text := range manufacture(t, p, b) {
			h, err := inspect(text)
			if err != nil || !strings.Contains(name, fmt.Sprintf("-%dw.", h.width)) {
				t.Errorf("%s is %d wide: %v", name, h.width, err)
			}
		}
	}
}

// chunk is one of a PNG.
func chunk(name string, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, name...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

func pngOf(t testing.TB, img image.Image, chunks ...[]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return withChunks(b.Bytes(), slices.Concat(chunks...))
}

func TestPNG(t *testing.T) {
	bounds := image.Rect(0, 0, 1300, 20)
	half := image.NewNRGBA(bounds)
	draw.Draw(half, half.Rect, image.NewUniform(color.NRGBA{200, 100, 0, 128}), image.Point{}, draw.Src)
	deep := image.NewNRGBA64(bounds)
	draw.Draw(deep, deep.Rect, image.NewUniform(color.NRGBA64{0xc800, 0x6400, 0, 0x8000}), image.Point{}, draw.Src)
	flat := image.NewPaletted(bounds, color.Palette{color.NRGBA{200, 100, 0, 128}})
	gray := image.NewGray(bounds)
	draw.Draw(gray, gray.Rect, image.NewUniform(color.Gray{77}), image.Point{}, draw.Src)
	gray16 := image.NewGray16(bounds)
	draw.Draw(gray16, gray16.Rect, image.NewUniform(color.Gray16{77 * 0x101}), image.Point{}, draw.Src)
	want := color.NRGBA{200, 100, 0, 128}
	for name, tt := range map[string]struct {
		img  image.Image
		want color.Color
	}{
		"half": {half, want}, "deep": {deep, want}, "flat": {flat, want},
		"gray": {gray, color.Gray{77}}, "gray16": {gray16, color.Gray{77}},
	} {
		b := pngOf(t, tt.img, chunk("gAMA", []byte{0, 0, 0xb1, 0x8f}), chunk("tEXt", []byte("Author\x00PhoneCo")), chunk("tIME", make([]byte, 7)))
		p := look(t, "a.png", b)
		if got := sizes(p); got != "1200w.png=1200x18 600w.png=600x9" {
			t.Errorf("%s becomes %s", name, got)
		}
		for file, text := range manufacture(t, p, b) {
			img, err := png.Decode(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := img.At(300, 4); !near(got, tt.want) {
				t.Errorf("%s has %v, want %v", file, got, tt.want)
			}
			if bytes.Contains(text, []byte("PhoneCo")) || bytes.Contains(text, []byte("tIME")) || !bytes.Contains(text, []byte("gAMA")) {
				t.Errorf("%s: %s holds what it should not, or lacks what it should hold", name, file)
			}
		}
	}
	small := pngOf(t, image.NewGray(image.Rect(0, 0, 9, 9)), chunk("tEXt", []byte("Author\x00PhoneCo")))
	p := look(t, "a.png", small)
	if made := manufacture(t, p, small); bytes.Contains(made[p.Files[0].Name], []byte("PhoneCo")) {
		t.Error("a small picture keeps its metadata")
	}
}

func gifOf(t testing.TB, width, frames int) []byte {
	t.Helper()
	g := &gif.GIF{LoopCount: 3}
	for range frames {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, width, 5), color.Palette{color.Black, color.White}))
		g.Delay = append(g.Delay, 7)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	out := b.Bytes()
	comment := "\x21\xfe\x07PhoneCo\x00"
	start, rest, err := gifStart(out)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Concat(start, []byte(comment), rest, []byte("a film"))
}

func TestGIF(t *testing.T) {
	moving := gifOf(t, 1500, 3)
	p := look(t, "a.gif", moving)
	if got := sizes(p); got != "1500w.gif=1500x5" {
		t.Errorf("an animation becomes %s", got)
	}
	made := manufacture(t, p, moving)[p.Files[0].Name]
	g, err := gif.DecodeAll(bytes.NewReader(made))
	if err != nil || len(g.Image) != 3 || g.LoopCount != 3 || bytes.Contains(made, []byte("PhoneCo")) || bytes.Contains(made, []byte("film")) {
		t.Errorf("animation is %v, %v", g, err)
	}
	still := gifOf(t, 1500, 1)
	p = look(t, "a.gif", still)
	if got := sizes(p); got != "1200w.png=1200x4 600w.png=600x2" || p.Lasting != "a.gif.png" || p.Type != "image/png" {
		t.Errorf("a wide picture becomes %s, %s", got, p.Lasting)
	}
	if diff := cmp.Diff([]Link{{"a.gif", p.Original}, {"a.gif.png", p.Files[0].Name}}, p.Links); diff != "" {
		t.Error(diff)
	}
	manufacture(t, p, still)
	if got := sizes(look(t, "a.gif", gifOf(t, 1200, 1))); got != "1200w.gif=1200x5" {
		t.Errorf("a narrow picture becomes %s", got)
	}
}

// lossless is a WebP of one colour, half of it glass.
func lossless(width, height int, chunks ...[]byte) []byte {
	// Each of the five codes holds one symbol and takes no bit in the pixels.
	bits, n := uint64(0), 0
	var body []byte
	put := func(v uint64, count int) {
		bits |= v << n
		for n += count; n >= 8; n -= 8 {
			body = append(body, byte(bits))
			bits >>= 8
		}
	}
	put(0x2f, 8)
	put(uint64(width-1), 14)
	put(uint64(height-1), 14)
	put(1, 1) // has alpha
	put(0, 3)
	put(0, 3) // no transform, no colour cache, one set of codes
	for _, symbol := range []uint64{100, 200, 0, 128} {
		put(1, 1) // simple
		put(0, 1) // one symbol
		put(1, 1) // of eight bits
		put(symbol, 8)
	}
	put(1, 1)
	put(0, 1)
	put(0, 1)
	put(0, 1)
	put(0, 8)
	riff := func(name string, b []byte) []byte {
		out := binary.LittleEndian.AppendUint32([]byte(name), uint32(len(b)))
		out = append(out, b...)
		return append(out, make([]byte, len(b)&1)...)
	}
	flags := []byte{webpAlpha | webpEXIF | webpXMP | 0x20, 0, 0, 0}
	w, h := uint32(width-1), uint32(height-1)
	flags = append(flags, byte(w), byte(w>>8), byte(w>>16), byte(h), byte(h>>8), byte(h>>16))
	all := slices.Concat(riff("VP8X", flags), riff("ICCP", profile("RGB ")), riff("VP8L", body),
		riff("EXIF", orientationOnly(6)), riff("XMP ", []byte("PhoneCo")), slices.Concat(chunks...))
	return slices.Concat(riff("RIFF", append([]byte("WEBP"), all...)), []byte("a film"))
}

func TestWebP(t *testing.T) {
	b := lossless(20, 1300)
	p := look(t, "a.webp", b)
	if got := sizes(p); got != "1200w.png=1200x18 600w.png=600x9" {
		t.Errorf("becomes %s", got)
	}
	made := manufacture(t, p, b)
	img, err := png.Decode(bytes.NewReader(made[p.Files[0].Name]))
	if err != nil {
		t.Fatal(err)
	}
	if got := img.At(5, 5); !near(got, color.NRGBA{200, 100, 0, 128}) {
		t.Errorf("has %v", got)
	}
	if !bytes.Contains(made[p.Files[0].Name], []byte("iCCP")) {
		t.Error("the colours are lost")
	}
	original := made[p.Original]
	if _, err := webp.Decode(bytes.NewReader(original)); err != nil || bytes.Contains(original, []byte("PhoneCo")) || bytes.Contains(original, []byte("EXIF")) || bytes.Contains(original, []byte("film")) {
		t.Errorf("the original of %d bytes: %v", len(original), err)
	}
	if got := sizes(look(t, "a.webp", lossless(20, 30))); got != "30w.png=30x20" {
		t.Errorf("a small one on its side becomes %s", got)
	}
}

// A small file that swells, and one that ends too early, are shown as they
// are, and say why.
func TestFaults(t *testing.T) {
	bomb := append([]byte(pngMagic), chunk("IHDR", []byte{0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50, 8, 6, 0, 0, 0})...)
	bomb = append(append(bomb, chunk("IDAT", []byte("x"))...), chunk("IEND", nil)...)
	p := look(t, "a.png", bomb)
	if p.Cost != 0 || p.Fault == nil || !strings.Contains(p.Fault.Error(), "too many pixels") || sizes(p) != "50000w.png=50000x50000" {
		t.Errorf("a bomb is planned as %+v", p)
	}
	manufacture(t, p, bomb)

	whole := photo(t, quarters(1300, 90), 6)
	short := whole[:len(whole)/2]
	p = look(t, "a.jpg", short)
	made, err := p.Make(short)
	if err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("half a photograph: %v", err)
	}
	for _, name := range p.Names() {
		if !bytes.Equal(made[name], short) {
			t.Errorf("%s is not as it was", name)
		}
	}

	spoilt := bytes.Clone(whole) // its data, not its parts
	at := bytes.LastIndex(spoilt, []byte{0xff, markerSOS})
	copy(spoilt[at+40:], bytes.Repeat([]byte{0x55, 0xff, 0x00, 0x12}, 400))
	p = look(t, "a.jpg", spoilt)
	if made, err = p.Make(spoilt); err != nil {
		for _, name := range p.Names() {
			if bytes.Contains(made[name], []byte("PhoneCo")) {
				t.Errorf("%s keeps its metadata", name)
			}
			if h, err := inspect(made[name]); err != nil || h.orientation != 6 {
				t.Errorf("%s has lost its orientation: %v", name, err)
			}
		}
	}

	for name, fault := range map[string]bool{"a.svg": false, "a.avif": true, "a.jpg": true, "a": true} {
		p := look(t, name, []byte("<svg/>"))
		if (p.Fault != nil) != fault || sizes(p) == "" || p.Cost != 0 {
			t.Errorf("%s is planned as %+v", name, p)
		}
		manufacture(t, p, []byte("<svg/>"))
	}
}

// The beginning of a file tells as much as the whole, or says that it does not.
func TestVerify(t *testing.T) {
	whole := photo(t, quarters(1300, 90), 6)
	for _, tt := range []struct {
		name  string
		b     []byte
		whole bool
		fault string
	}{
		{"a.jpg", whole, true, ""},
		{"a.jpg", whole[:len(whole)/2], false, ""}, // it may go on well
		{"a.jpg", whole[:len(whole)/2], true, "cannot be read"},
		{"a.jpg", whole[:10], false, ""},
		{"a.jpg", whole[:10], true, "ends too early"},
		{"a.jpg", nil, true, "of no kind"},
		{"a.png", []byte("<svg/>"), true, "of no kind"},
		{"a.svg", []byte("<svg/>"), true, ""},
		{"a.avif", []byte("ftyp"), true, ""},
	} {
		err := Verify(tt.name, tt.b, tt.whole)
		if (err != nil) != (tt.fault != "") || err != nil && !strings.Contains(err.Error(), tt.fault) {
			t.Errorf("%s of %d bytes: %v, want %q", tt.name, len(tt.b), err, tt.fault)
		}
	}
}

func TestLookEarly(t *testing.T) {
	for name, b := range map[string][]byte{
		"a.jpg": photo(t, quarters(700, 100), 6), "a.png": pngOf(t, quarters(700, 100)),
		"a.gif": gifOf(t, 1300, 2), "a.webp": lossless(20, 1300),
	} {
		want := look(t, name, b)
		sum := sha256.Sum256(b)
		early := 0
		for n := range len(b) {
			p, err := Look(name, hex.EncodeToString(sum[:]), b[:n], false)
			if err != nil || n < 12 {
				continue
			}
			early++
			if diff := cmp.Diff(want.Picture, p.Picture); diff != "" {
				t.Fatalf("%s by %d bytes of %d: %s", name, n, len(b), diff)
			}
		}
		if early == 0 {
			t.Errorf("%s is never judged early", name)
		}
	}
}

// The arithmetic gives these bytes on every processor.
func TestSameBytes(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 997, 503))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i >> 3)
	}
	h := sha256.New()
	for _, size := range []image.Point{{331, 167}, {997, 503}, {100, 3}} {
		h.Write(resize(img, size.X, size.Y).(*image.RGBA).Pix)
	}
	yuv := image.NewYCbCr(img.Rect, image.YCbCrSubsampleRatio422)
	for i := range yuv.Y {
		yuv.Y[i] = byte(i * 7)
	}
	small := resize(yuv, 333, 101).(*image.YCbCr)
	h.Write(small.Y)
	h.Write(small.Cb)
	const want = "7b5ca0fd3d2ff121"
	if got := hex.EncodeToString(h.Sum(nil)[:8]); got != want {
		t.Errorf("digest is %s, want %s; change settings along with it", got, want)
	}
}

// What is of one colour stays so, and what is not scaled is not changed.
func TestResizeIsFaithful(t *testing.T) {
	img := quarters(64, 32)
	if same := resize(img, 64, 32).(*image.RGBA); !bytes.Equal(same.Pix, img.Pix) {
		t.Error("the same size gives other pixels")
	}
	draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{250, 3, 77, 255}), image.Point{}, draw.Src)
	for i, v := range resize(img, 17, 5).(*image.RGBA).Pix {
		if want := []byte{250, 3, 77, 255}[i%4]; v != want {
			t.Fatalf("value %d is %d, want %d", i, v, want)
		}
	}
	part := img.SubImage(image.Rect(8, 8, 40, 24)).(*image.RGBA)
	if got := resize(part, 4, 4).Bounds(); got != image.Rect(0, 0, 4, 4) {
		t.Errorf("a part becomes %v", got)
	}
}

func FuzzPicture(f *testing.F) {
	f.Add(photo(f, quarters(40, 20), 6))
	f.Add(photo(f, quarters(700, 2), 1))
	f.Add(pngOf(f, quarters(640, 3)))
	f.Add(gifOf(f, 1300, 1))
	f.Add(gifOf(f, 9, 2))
	f.Add(lossless(2, 1300))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Look("a.png", "d", b, false); err != nil && err != ErrShort { //nolint:errorlint // it alone
			t.Fatal(err)
		}
		p, err := Look("a.png", "d", b, true)
		if err != nil || len(p.Files) == 0 {
			t.Fatal(err)
		}
		if p.Cost > 24<<20 {
			t.Skip("large")
		}
		made, err := p.Make(b)
		for _, name := range p.Names() {
			if _, ok := made[name]; !ok {
				t.Errorf("%s is not made", name)
			}
		}
		if err != nil || p.Fault != nil {
			return
		}
		for _, f := range p.Files {
			if h, err := inspect(made[f.Name]); err == nil && (h.width != f.Width || h.height != f.Height) {
				t.Errorf("%s is %d × %d, the plan says %d × %d", f.Name, h.width, h.height, f.Width, f.Height)
			}
		}
	})
}

func FuzzOrientation(f *testing.F) {
	f.Add(orientationOnly(6)[len(exifMark):])
	f.Add([]byte("II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if o := orientation(b); o < 1 || o > 8 {
			t.Errorf("orientation is %d", o)
		}
	})
}

func BenchmarkPhoto12MP(b *testing.B) {
	img := image.NewRGBA(image.Rect(0, 0, 4000, 3000))
	seed := uint32(1)
	for i := range img.Pix {
		seed = seed*1664525 + 1013904223
		img.Pix[i] = byte(i>>8) + byte(seed>>28)
	}
	text := photo(b, img, 6)
	p := look(b, "a.jpg", text)
	b.ReportAllocs()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := p.Make(text); err != nil {
			b.Fatal(err)
		}
	}
}
