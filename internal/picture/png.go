package picture

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

const pngMagic = "\x89PNG\r\n\x1a\n"

// nextChunk cuts the first chunk of a PNG off, with length and checksum.
func nextChunk(b []byte) (name string, raw, rest []byte, err error) {
	if len(b) < 8 {
		return "", nil, nil, ErrShort
	}
	end := 12 + int64(binary.BigEndian.Uint32(b))
	name = string(b[4:8])
	if int64(len(b)) < end {
		return name, nil, nil, ErrShort
	}
	return name, b[:end], b[end:], nil
}

func chunkBody(raw []byte) []byte { return raw[8 : len(raw)-4] }

func inspectPNG(b []byte) (header, error) {
	h := header{kind: kindPNG}
	b = b[len(pngMagic):]
	for {
		name, raw, rest, err := nextChunk(b)
		if name == "IDAT" || name == "IEND" {
			return h, nil
		}
		if err != nil {
			return h, err
		}
		b = rest
		switch body := chunkBody(raw); name {
		case "IHDR":
			if len(body) != 13 {
				return h, errBroken
			}
			h.imageHeader(body)
		case "acTL":
			h.animated = true
		case "eXIf":
			h.orientation = orientation(body)
		case "iCCP", "sRGB", "gAMA", "cHRM", "cICP":
			if len(h.colour)+len(raw) <= maxProfile {
				h.colour = append(h.colour, raw...)
			}
		}
	}
}

// imageHeader reads an IHDR chunk.
func (h *header) imageHeader(b []byte) {
	h.width, h.height = int(binary.BigEndian.Uint32(b)), int(binary.BigEndian.Uint32(b[4:]))
	if h.width > 1<<20 || h.height > 1<<20 { // decoded must not overflow
		h.width, h.height = 0, 0
	}
	depth, colour := b[8], b[9]
	h.gray = colour == 0 || colour == 4
	pixel := int64(4)
	switch {
	case depth == 16:
		pixel = 8
	case colour == 3, colour == 0:
		pixel = 1
	}
	if b[12] != 0 { // interlaced: each pass is a picture of its own
		pixel *= 2
	}
	h.decoded = pixel * int64(h.width) * int64(h.height)
}

// pngKept are the chunks that change what is seen.
func pngKept() []string {
	return []string{
		"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM", "gAMA", "iCCP", "sBIT", "sRGB", "cICP", "mDCV", "cLLI",
		"bKGD", "pHYs", "acTL", "fcTL", "fdAT",
	}
}

func stripPNG(b []byte) ([]byte, error) {
	kept := pngKept()
	out := append(make([]byte, 0, len(b)), pngMagic...)
	b = b[len(pngMagic):]
	for {
		name, raw, rest, err := nextChunk(b)
		if err != nil {
			return nil, err
		}
		b = rest
		if slices.Contains(kept, name) {
			out = append(out, raw...)
		}
		if name == "IEND" {
			return out, nil
		}
	}
}

// withChunks puts chunks into a PNG, after its first.
func withChunks(png, chunks []byte) []byte {
	const first = len(pngMagic) + 12 + 13
	return slices.Concat(png[:first], chunks, png[first:])
}

// profileChunk is the iCCP chunk of an ICC profile.
func profileChunk(profile []byte) []byte {
	if len(profile) == 0 {
		return nil
	}
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write(profile) // into memory
	_ = w.Close()
	body := append([]byte("icc\x00\x00"), z.Bytes()...)
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, "iCCP"...), body...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}
