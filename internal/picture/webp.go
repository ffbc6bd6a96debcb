package picture

import "encoding/binary"

// The flags of a VP8X chunk (RFC 9649, section 2.7).
const (
	webpAnimated = 0x02
	webpXMP      = 0x04
	webpEXIF     = 0x08
	webpAlpha    = 0x10
)

// nextRIFF cuts the first chunk of a WebP off, with its padding.
func nextRIFF(b []byte) (name string, raw, rest []byte, err error) {
	if len(b) < 8 {
		return "", nil, nil, ErrShort
	}
	size := int64(binary.LittleEndian.Uint32(b[4:]))
	name = string(b[:4])
	end := 8 + size + size&1
	if int64(len(b)) < end {
		return name, nil, nil, ErrShort
	}
	return name, b[:end], b[end:], nil
}

// riffBody is a chunk without name, length and padding.
func riffBody(raw []byte) []byte { return raw[8 : 8+binary.LittleEndian.Uint32(raw[4:])] }

func inspectWebP(b []byte) (header, error) {
	h := header{kind: kindWebP}
	all := b
	b, err := riffChunks(b)
	if err != nil {
		return h, err
	}
	var canvas [2]int
	exif := false // there is a chunk of it, after the pixels
	for len(b) > 0 {
		name, raw, rest, err := nextRIFF(b)
		if err != nil {
			return h, err
		}
		b = rest
		body := riffBody(raw)
		switch name {
		case "VP8X":
			if len(body) < 10 {
				return h, errBroken
			}
			canvas = [2]int{1 + int(uint24(body[4:])), 1 + int(uint24(body[7:]))}
			h.width, h.height = canvas[0], canvas[1]
			exif = body[0]&webpEXIF != 0
			if body[0]&webpAnimated != 0 {
				h.animated = true
				return h, nil
			}
			h.alpha = body[0]&webpAlpha != 0
		case "ICCP":
			if len(body) <= maxProfile {
				h.profile = body
			}
		case "VP8 ", "VP8L":
			if !h.bitstream(name, body) || canvas[0] > 0 && canvas != [2]int{h.width, h.height} {
				return h, errBroken
			}
			if !exif {
				return h, nil
			}
		case "EXIF":
			h.orientation = orientation(trimExif(body))
		}
	}
	return h, complete(all)
}

// complete tells whether a WebP is as long as it says.
func complete(b []byte) error {
	if int64(len(b)) < 8+int64(binary.LittleEndian.Uint32(b[4:])) {
		return ErrShort
	}
	return nil
}

// riffChunks are the chunks of a WebP, without what stands after its end.
func riffChunks(b []byte) ([]byte, error) {
	end := 8 + int64(binary.LittleEndian.Uint32(b[4:]))
	if end < 12 {
		return nil, errBroken
	}
	return b[12:max(12, min(end, int64(len(b))))], nil
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }

// trimExif drops the mark that some programs take over from JPEG.
func trimExif(b []byte) []byte {
	if len(b) >= len(exifMark) && string(b[:len(exifMark)]) == exifMark {
		return b[len(exifMark):]
	}
	return b
}

// bitstream reads the size in the head of the pixels: a decoder believes it.
func (h *header) bitstream(name string, b []byte) bool {
	pixel := int64(4)
	if name == "VP8 " {
		if len(b) < 10 || b[3] != 0x9d || b[4] != 0x01 || b[5] != 0x2a {
			return false
		}
		h.width, h.height = int(binary.LittleEndian.Uint16(b[6:]))&0x3fff, int(binary.LittleEndian.Uint16(b[8:]))&0x3fff
	} else {
		if len(b) < 5 || b[0] != 0x2f {
			return false
		}
		bits := binary.LittleEndian.Uint32(b[1:])
		h.width, h.height = 1+int(bits&0x3fff), 1+int(bits>>14&0x3fff)
		h.alpha = h.alpha || bits>>28&1 != 0
		pixel = 8
	}
	h.decoded = pixel * int64(h.width) * int64(h.height)
	return true
}

func stripWebP(b []byte) ([]byte, error) {
	chunks, err := riffChunks(b)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(b)), b[:12]...)
	for len(chunks) > 0 {
		name, raw, rest, err := nextRIFF(chunks)
		if err != nil {
			return nil, err
		}
		chunks = rest
		switch name {
		case "VP8X", "VP8 ", "VP8L", "ALPH", "ANIM", "ANMF", "ICCP":
			out = append(out, raw...)
		}
		if name == "VP8X" && len(raw) > 8 {
			out[len(out)-len(raw)+8] &^= webpEXIF | webpXMP
		}
	}
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)-8))
	return out, nil
}
