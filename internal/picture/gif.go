package picture

import (
	"bytes"
	"encoding/binary"
)

// The blocks of GIF89a.
const (
	gifExtension = 0x21
	gifImage     = 0x2c
	gifTrailer   = 0x3b

	gifComment     = 0xfe
	gifApplication = 0xff
)

// gifStart returns what stands before the blocks.
func gifStart(b []byte) (start, blocks []byte, err error) {
	end := 13
	if len(b) >= end && b[10]&0x80 != 0 {
		end += 3 << (b[10]&7 + 1)
	}
	if len(b) < end {
		return nil, nil, ErrShort
	}
	return b[:end], b[end:], nil
}

// nextBlock cuts the first block off.
func nextBlock(b []byte) (raw, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, ErrShort
	}
	at := 0
	switch b[0] {
	case gifTrailer:
		return b[:1], b[1:], nil
	case gifExtension:
		at = 2
	case gifImage:
		at = 11
		if len(b) >= at && b[9]&0x80 != 0 {
			at += 3 << (b[9]&7 + 1)
		}
	default:
		return nil, nil, errBroken
	}
	for at < len(b) {
		n := int(b[at])
		at += n + 1
		if n == 0 {
			return b[:at], b[at:], nil
		}
	}
	return nil, nil, ErrShort
}

func inspectGIF(b []byte) (header, error) {
	h := header{kind: kindGIF}
	start, b, err := gifStart(b)
	if err != nil {
		return h, err
	}
	h.width, h.height = int(binary.LittleEndian.Uint16(start[6:])), int(binary.LittleEndian.Uint16(start[8:]))
	h.decoded = int64(h.width) * int64(h.height)
	for images := 0; ; {
		raw, rest, err := nextBlock(b)
		if err != nil {
			return h, err
		}
		b = rest
		switch raw[0] {
		case gifTrailer:
			return h, nil
		case gifImage:
			images++
		}
		if images > 1 {
			h.animated = true
			return h, nil
		}
	}
}

// stripGIF drops comments and what programs wrote for themselves, save how
// often an animation runs.
func stripGIF(b []byte) ([]byte, error) {
	start, blocks, err := gifStart(b)
	if err != nil {
		return nil, err
	}
	out := append(make([]byte, 0, len(b)), start...)
	for {
		raw, rest, err := nextBlock(blocks)
		if err != nil {
			return nil, err
		}
		blocks = rest
		if keepBlock(raw) {
			out = append(out, raw...)
		}
		if raw[0] == gifTrailer {
			return out, nil
		}
	}
}

func keepBlock(raw []byte) bool {
	if raw[0] != gifExtension {
		return true
	}
	switch raw[1] {
	case gifComment:
		return false
	case gifApplication:
		return bytes.HasPrefix(raw[2:], []byte("\x0bNETSCAPE2.0")) || bytes.HasPrefix(raw[2:], []byte("\x0bANIMEXTS1.0"))
	}
	return true
}
