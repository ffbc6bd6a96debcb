package picture

import (
	"bytes"
	"errors"
)

// kind is a format that this package reads.
type kind string

// The kinds, by the ending of their files.
const (
	kindJPEG kind = "jpg"
	kindPNG  kind = "png"
	kindGIF  kind = "gif"
	kindWebP kind = "webp"
)

// header is what the beginning of a file tells.
type header struct {
	kind          kind
	width, height int  // as they are stored
	orientation   int  // by EXIF: 1 is upright, 5 to 8 lie on their side
	animated      bool // holds several pictures
	alpha         bool // may let the ground shine through; of WebP only
	gray          bool
	// decoded is about how many bytes a decoder takes.
	decoded int64
	profile []byte // ICC, of JPEG and WebP
	colour  []byte // the chunks of a PNG that say what its numbers mean
}

// upright returns the size in which the picture is seen.
func (h header) upright() (width, height int) {
	if h.orientation >= 5 {
		return h.height, h.width
	}
	return h.width, h.height
}

var (
	// ErrShort says that a picture cannot be judged by so much of its beginning.
	ErrShort   = errors.New("ends too early")
	errUnknown = errors.New("of no kind that can be resized")
	errBroken  = errors.New("not as its kind should be")
)

// inspect reads the header of a picture by its first bytes.
func inspect(b []byte) (header, error) {
	var h header
	var err error
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xd8\xff")):
		h, err = inspectJPEG(b)
	case bytes.HasPrefix(b, []byte(pngMagic)):
		h, err = inspectPNG(b)
	case bytes.HasPrefix(b, []byte("GIF87a")), bytes.HasPrefix(b, []byte("GIF89a")):
		h, err = inspectGIF(b)
	case len(b) >= 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP":
		h, err = inspectWebP(b)
	default:
		return header{}, errUnknown
	}
	if err == nil && (h.width <= 0 || h.height <= 0) {
		err = errBroken
	}
	if h.orientation == 0 {
		h.orientation = 1
	}
	return h, err
}

// strip returns the picture without metadata, its pixels as they were. One
// that lies on its side goes on to say so.
func strip(b []byte, h header) ([]byte, error) {
	switch h.kind {
	case kindJPEG:
		return stripJPEG(b, h.orientation)
	case kindPNG:
		return stripPNG(b)
	case kindGIF:
		return stripGIF(b)
	case kindWebP:
		return stripWebP(b)
	}
	return nil, errUnknown
}
