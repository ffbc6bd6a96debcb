package picture

import (
	"bytes"
	"encoding/binary"
)

// The markers of ISO/IEC 10918-1 that matter here.
const (
	markerSOI   = 0xd8
	markerEOI   = 0xd9
	markerSOS   = 0xda
	markerCOM   = 0xfe
	markerAPP0  = 0xe0
	markerAPP1  = 0xe1
	markerAPP2  = 0xe2
	markerAPP14 = 0xee
	markerAPP15 = 0xef
)

// The marks that begin application segments.
const (
	iccMark   = "ICC_PROFILE\x00"
	jfifMark  = "JFIF\x00"
	adobeMark = "Adobe"
)

// maxProfile bounds an ICC profile, in bytes. Those of cameras have less than
// 4 KB.
const maxProfile = 64 << 10

// segment is a marker with all that belongs to it; of a scan that is its data,
// too.
type segment struct {
	marker byte
	raw    []byte
}

// body is what stands after marker and length.
func (s segment) body() []byte { return s.raw[min(4, len(s.raw)):] }

// nextSegment cuts the first segment off.
func nextSegment(b []byte) (s segment, rest []byte, err error) {
	start := bytes.IndexByte(b, 0xff) // decoders skip what stands between segments
	if start < 0 {
		return s, nil, ErrShort
	}
	b = b[start:]
	for len(b) > 1 && b[1] == 0xff { // filling
		b = b[1:]
	}
	if len(b) < 2 {
		return s, nil, ErrShort
	}
	s.marker = b[1]
	if s.marker == 0 || s.marker == 1 || s.marker >= 0xd0 && s.marker <= markerEOI {
		s.raw = b[:2]
		return s, b[2:], nil
	}
	if len(b) < 4 {
		return s, nil, ErrShort
	}
	end := 2 + int(binary.BigEndian.Uint16(b[2:]))
	if end < 4 {
		return s, nil, errBroken
	}
	if len(b) < end {
		return s, nil, ErrShort
	}
	if s.marker == markerSOS {
		end += scanLength(b[end:])
	}
	s.raw = b[:end]
	return s, b[end:], nil
}

// scanLength is how long the data of a scan is: up to the next marker that is
// no restart.
func scanLength(b []byte) int {
	for i := 0; ; {
		at := bytes.IndexByte(b[i:], 0xff)
		if at < 0 || i+at+1 >= len(b) {
			return len(b)
		}
		i += at
		if m := b[i+1]; m == 0 || m == 0xff || m >= 0xd0 && m <= 0xd7 {
			i++
			continue
		}
		return i
	}
}

func inspectJPEG(b []byte) (header, error) {
	h := header{kind: kindJPEG}
	var profile [][]byte
	for {
		s, rest, err := nextSegment(b)
		if err != nil {
			return h, err
		}
		b = rest
		body := s.body()
		switch {
		case s.marker == markerSOS, s.marker == markerEOI:
			return h, errBroken
		case s.marker == markerAPP1 && bytes.HasPrefix(body, []byte(exifMark)) && h.orientation == 0:
			h.orientation = orientation(body[len(exifMark):])
		case s.marker == markerAPP2 && bytes.HasPrefix(body, []byte(iccMark)) && len(body) > len(iccMark)+2:
			profile = append(profile, body[len(iccMark):])
		case isFrame(s.marker):
			h.profile = joinProfile(profile)
			return h, h.frame(s)
		}
	}
}

// isFrame tells whether a marker begins a frame, which tells the size.
func isFrame(marker byte) bool {
	return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc
}

// frame reads the header of a frame.
func (h *header) frame(s segment) error {
	b := s.body()
	if len(b) < 6 || len(b) < 6+3*int(b[5]) {
		return errBroken
	}
	h.height, h.width = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:]))
	parts := int(b[5])
	h.gray = parts == 1
	samples, most := 0, 1
	for i := range parts {
		n := int(b[7+3*i]>>4) * int(b[7+3*i]&15)
		samples += n
		most = max(most, n)
	}
	a := int64(h.width) * int64(h.height)
	h.decoded = a * int64(samples) / int64(most)
	if s.marker == 0xc2 { // progressive: a decoder keeps 4 bytes a sample until the end
		h.decoded *= 5
	}
	if parts > 3 {
		h.profile = nil // decoding makes three colours of four
		h.decoded += 4 * a
	}
	return nil
}

// joinProfile joins the parts of an ICC profile (ICC.1:2022, annex B.4), each
// with its number and their count before it.
func joinProfile(parts [][]byte) []byte {
	var all []byte
	for n := range parts {
		if int(parts[n][0]) != n+1 || int(parts[n][1]) != len(parts) {
			return nil
		}
		all = append(all, parts[n][2:]...)
	}
	if len(all) > maxProfile {
		return nil
	}
	return all
}

// stripJPEG keeps what decoders need and the colour profile, and drops what
// stands after the end, too: phones put a film there.
func stripJPEG(b []byte, orientation int) ([]byte, error) {
	out := make([]byte, 0, len(b))
	for {
		s, rest, err := nextSegment(b)
		if err != nil {
			return nil, err
		}
		b = rest
		if keepSegment(s) {
			out = append(out, s.raw...)
		}
		switch {
		case s.marker == markerEOI:
			return out, nil
		case s.marker == markerSOI && orientation > 1:
			out = appendSegment(out, markerAPP1, orientationOnly(orientation))
		}
	}
}

func keepSegment(s segment) bool {
	body := s.body()
	switch s.marker {
	case markerAPP0:
		return bytes.HasPrefix(body, []byte(jfifMark))
	case markerAPP2:
		return bytes.HasPrefix(body, []byte(iccMark))
	case markerAPP14:
		return bytes.HasPrefix(body, []byte(adobeMark))
	}
	return s.marker != 0 && s.marker != markerCOM && (s.marker < markerAPP0 || s.marker > markerAPP15)
}

func appendSegment(b []byte, marker byte, body []byte) []byte {
	b = append(b, 0xff, marker)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)+2))
	return append(b, body...)
}

// withProfile puts an ICC profile into a JPEG, after its first marker.
func withProfile(jpeg, profile []byte) []byte {
	if len(profile) == 0 {
		return jpeg
	}
	const part = 65000
	parts := (len(profile) + part - 1) / part
	out := append(make([]byte, 0, len(jpeg)+len(profile)+20*parts), jpeg[:2]...)
	for n := range parts {
		body := append([]byte(iccMark), byte(n+1), byte(parts))
		body = append(body, profile[n*part:min((n+1)*part, len(profile))]...)
		out = appendSegment(out, markerAPP2, body)
	}
	return append(out, jpeg[2:]...)
}
