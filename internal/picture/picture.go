package picture

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/image/webp"

	"threadmill/internal/newsletter"
)

// How wide files are at most, in pixels: one for wide and dense screens, one
// for phones.
const (
	Wide   = 1200
	Narrow = 600
)

// quality is that of JPEG files, up to 100.
const quality = 82

// settings stand in the names of files: whoever changes what a source becomes
// gives them another value.
const settings = "1"

// MaxDecoded bounds how many bytes a picture may take while it is resized. A
// photograph of 80 megapixels has room; a small file that swells does not.
const MaxDecoded = 320 << 20

// Plan tells what becomes of a picture, before anything is done.
type Plan struct {
	newsletter.Picture
	// Original is the file that holds the source in its own format where Files
	// are of another; empty where there is none.
	Original string
	// Links are the names that lead to files and that do not tell what is in
	// them.
	Links []Link
	// Cost is about how many bytes making the files takes; 0 for a source that
	// is only copied.
	Cost int64
	// Fault says why the picture is shown as it is; nil where that is right.
	Fault error

	stem string
	head header
}

// Link is a name for a file.
type Link struct{ Name, File string }

// Names are the files of the plan.
func (p Plan) Names() []string {
	var names []string
	for _, f := range p.Files {
		names = append(names, f.Name)
	}
	if p.Original != "" {
		names = append(names, p.Original)
	}
	return names
}

// Look plans for a source by its name below the thread's folder, the SHA-256
// of its bytes and the first of them, or all. It returns ErrShort when more of
// them are needed, which it never does when it has all.
func Look(name, digest string, b []byte, all bool) (Plan, error) {
	h, err := inspect(b)
	if errors.Is(err, ErrShort) && !all {
		return Plan{}, err
	}
	sum := sha256.Sum256([]byte(settings + "\n" + digest))
	dir, file := path.Split(name)
	p := Plan{stem: dir + cut(strings.TrimSuffix(file, path.Ext(file))) + "-" + hex.EncodeToString(sum[:8]), head: h}
	if err != nil {
		p.unknown(name, err)
		return p, nil
	}
	p.known(name)
	return p, nil
}

// Verify tells why a source cannot be shown as it should be; nil for one that
// can, and for a kind that browsers know and this package does not. b is all of
// it, or at least its beginning where whole is not set: then only that is looked
// at, which may miss what is broken behind it.
func Verify(name string, b []byte, whole bool) error {
	p, err := Look(name, "", b, whole)
	switch ext := strings.ToLower(path.Ext(name)); {
	case errors.Is(err, ErrShort): // it may be well
		return nil
	case errors.Is(p.Fault, errUnknown) && ext == ".avif":
		return nil
	case p.Fault != nil || err != nil:
		return cmp.Or(p.Fault, err)
	case !whole || p.head.kind == "":
		return nil
	}
	if _, err := p.head.decode(b); err != nil {
		return fmt.Errorf("it cannot be read: %w", err)
	}
	return nil
}

// maxStem bounds a file's name, in bytes, so that there is room for its end.
const maxStem = 120

func cut(stem string) string {
	for len(stem) > maxStem {
		_, n := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-n]
	}
	return stem
}

// unknown plans for a source that cannot be read: it is shown as it is.
func (p *Plan) unknown(name string, err error) {
	ext := strings.ToLower(path.Ext(name))
	p.Type = types(ext)
	p.head = header{}
	p.Files = []newsletter.PictureFile{{Name: p.stem + "-asis" + safe(ext)}}
	if ext != ".svg" {
		p.Fault = fmt.Errorf("it is %w", err)
	}
	p.last(name)
}

// safe is an ending that names of files may have.
func safe(ext string) string {
	if types(ext) == "" {
		return ".bin"
	}
	return ext
}

func types(ext string) string {
	return map[string]string{
		".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".gif": "image/gif", ".webp": "image/webp",
		".svg": "image/svg+xml", ".avif": "image/avif",
	}[ext]
}

func (p *Plan) known(name string) {
	h := p.head
	width, height := h.upright()
	to, resized := h.target(width)
	if h.decoded > MaxDecoded {
		p.Fault = fmt.Errorf("it has too many pixels to be made smaller: %d × %d", h.width, h.height)
		to, resized = h.kind, false
	}
	p.Type = types("." + string(to))
	if !resized {
		p.Files = []newsletter.PictureFile{p.file(to, width, height, width)}
		p.last(name)
		return
	}
	p.Cost = h.decoded + 16<<20
	p.Files = []newsletter.PictureFile{p.file(to, width, height, min(width, Wide))}
	if width > Narrow {
		p.Files = append(p.Files, p.file(to, width, height, Narrow))
	}
	if to != h.kind {
		p.Original = p.stem + "-asis." + string(h.kind)
		p.Links = []Link{{name, p.Original}}
		name += "." + string(to)
	}
	p.last(name)
}

// target tells as what a picture so wide is shown, and whether that means
// decoding it. Animations run on, and nothing is made larger. Of GIF and WebP,
// which are not written here, only what is too wide is made into something
// else.
func (h header) target(width int) (kind, bool) {
	if h.animated {
		return h.kind, false
	}
	switch {
	case h.kind == kindJPEG, h.kind == kindPNG:
		return h.kind, width > Narrow || h.orientation > 1
	case width <= Wide && h.orientation <= 1:
		return h.kind, false
	case h.kind == kindWebP && !h.alpha:
		return kindJPEG, true
	}
	return kindPNG, true
}

// file is one of the plan; width and height are those of the whole picture.
func (p *Plan) file(k kind, width, height, wide int) newsletter.PictureFile {
	return newsletter.PictureFile{
		Name:   fmt.Sprintf("%s-%dw.%s", p.stem, wide, k),
		Width:  wide,
		Height: max(1, int((int64(height)*int64(wide)+int64(width)/2)/int64(width))),
	}
}

func (p *Plan) last(name string) {
	p.Lasting = name
	p.Links = append(p.Links, Link{name, p.Files[0].Name})
}

// Make returns the files of the plan by their names; all of them, whatever
// happens. The error tells why a picture is shown as it is although its header
// promised better.
func (p Plan) Make(b []byte) (map[string][]byte, error) {
	made := make(map[string][]byte)
	original, err := strip(b, p.head)
	switch {
	case errors.Is(err, errUnknown):
		original, err = b, nil
	case err != nil:
		original, err = b, fmt.Errorf("it cannot be read: %w", err)
	}
	if p.Original != "" {
		made[p.Original] = original
	}
	if p.Cost == 0 || err != nil {
		return p.asIs(made, original), err
	}
	if err := p.resize(made, b, original); err != nil {
		return p.asIs(made, original), fmt.Errorf("it cannot be read: %w", err)
	}
	return made, nil
}

func (p Plan) asIs(made map[string][]byte, original []byte) map[string][]byte {
	for _, f := range p.Files {
		made[f.Name] = original
	}
	return made
}

// resize makes the files, each of the one before.
func (p Plan) resize(made map[string][]byte, b, original []byte) error {
	img, err := p.head.decode(b)
	if err != nil {
		return err
	}
	for i, f := range p.Files {
		width, height := f.Width, f.Height
		if i == 0 && p.head.orientation >= 5 {
			width, height = height, width
		}
		img = resize(img, width, height)
		if i == 0 {
			img = turn(img, p.head.orientation)
		}
		if i == 0 && p.same(f) {
			made[f.Name] = original
			continue
		}
		if made[f.Name], err = p.head.encode(img, p.Type); err != nil {
			return err
		}
	}
	return nil
}

// same tells whether a file shows the source's own pixels.
func (p Plan) same(f newsletter.PictureFile) bool {
	return p.Original == "" && p.head.orientation <= 1 && f.Width == p.head.width
}

func (h header) decode(b []byte) (image.Image, error) {
	r := bytes.NewReader(b)
	var img image.Image
	var err error
	switch h.kind {
	case kindJPEG:
		img, err = jpeg.Decode(r)
	case kindPNG:
		img, err = png.Decode(r)
	case kindGIF:
		img, err = gif.Decode(r)
	case kindWebP:
		img, err = webp.Decode(r)
	default:
		return nil, errUnknown
	}
	if err == nil && img.Bounds().Size() != image.Pt(h.width, h.height) {
		err = errBroken
	}
	return img, err
}

// encode writes what resize made, with the colours of the source.
func (h header) encode(img image.Image, mediaType string) ([]byte, error) {
	var out bytes.Buffer
	_, gray := img.(*image.Gray)
	if mediaType == types(".jpg") {
		err := jpeg.Encode(&out, img, &jpeg.Options{Quality: quality})
		return withProfile(out.Bytes(), h.profileFor(gray)), err
	}
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(&out, img); err != nil {
		return nil, err
	}
	chunks := h.colour
	if h.gray != gray { // grey with holes has become RGBA
		chunks = nil
	}
	return withChunks(out.Bytes(), slices.Concat(chunks, profileChunk(h.profileFor(gray)))), nil
}

// profileFor is the colour profile where it is one for such a picture.
func (h header) profileFor(gray bool) []byte {
	space := "RGB "
	if gray {
		space = "GRAY"
	}
	if len(h.profile) < 128 || string(h.profile[16:20]) != space {
		return nil
	}
	return h.profile
}
