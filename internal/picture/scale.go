package picture

import (
	"image"
	"image/draw"
	"math"
)

// plane is a picture of one value a channel and pixel.
type plane struct {
	pix                     []byte
	width, height, channels int
}

// resize returns the picture in another size: a YCbCr one with half as many
// colours each way, a grey one, or one of RGBA. It follows Catmull and Rom,
// and averages where it makes smaller.
//
// golang.org/x/image/draw would do that with floating-point sums, which
// processors round differently, and of RGBA only, which takes twice the memory
// and time of a photograph's own planes.
func resize(src image.Image, width, height int) image.Image {
	b := src.Bounds()
	rx, ry := float64(b.Dx())/float64(width), float64(b.Dy())/float64(height)
	switch src := src.(type) {
	case *image.YCbCr:
		dst := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
		cw, ch := (width+1)/2, (height+1)/2
		sx, sy := subsampling(src.SubsampleRatio)
		sw, sh := (b.Dx()+sx-1)/sx, (b.Dy()+sy-1)/sy
		crx, cry := float64(rx*2)/float64(sx), float64(ry*2)/float64(sy)
		luma := bytePlane(src.Y[src.YOffset(b.Min.X, b.Min.Y):], src.YStride, b.Dx(), b.Dy())
		dst.Y = luma.scale(width, height, rx, ry).pix
		c := src.COffset(b.Min.X, b.Min.Y)
		dst.Cb = bytePlane(src.Cb[c:], src.CStride, sw, sh).scale(cw, ch, crx, cry).pix
		dst.Cr = bytePlane(src.Cr[c:], src.CStride, sw, sh).scale(cw, ch, crx, cry).pix
		return dst
	case *image.Gray:
		p := bytePlane(src.Pix[src.PixOffset(b.Min.X, b.Min.Y):], src.Stride, b.Dx(), b.Dy()).scale(width, height, rx, ry)
		return &image.Gray{Pix: p.pix, Stride: width, Rect: image.Rect(0, 0, width, height)}
	case *image.Gray16:
		p := rows{b.Dx(), b.Dy(), 1, highBytes(src)}.scale(width, height, rx, ry)
		return &image.Gray{Pix: p.pix, Stride: width, Rect: image.Rect(0, 0, width, height)}
	}
	p := rows{b.Dx(), b.Dy(), 4, colours(src)}.scale(width, height, rx, ry)
	return &image.RGBA{Pix: p.pix, Stride: 4 * width, Rect: image.Rect(0, 0, width, height)}
}

// subsampling tells how many pixels share a colour, each way.
func subsampling(r image.YCbCrSubsampleRatio) (x, y int) {
	switch r {
	case image.YCbCrSubsampleRatio422:
		return 2, 1
	case image.YCbCrSubsampleRatio420:
		return 2, 2
	case image.YCbCrSubsampleRatio440:
		return 1, 2
	case image.YCbCrSubsampleRatio411:
		return 4, 1
	case image.YCbCrSubsampleRatio410:
		return 4, 2
	}
	return 1, 1
}

// rows gives the rows of a picture one after the other; what it gave is valid
// until it gives the next.
type rows struct {
	width, height, channels int
	row                     func(y int) []byte
}

func bytePlane(pix []byte, stride, width, height int) rows {
	return rows{width, height, 1, func(y int) []byte { return pix[y*stride:][:width] }}
}

func highBytes(src *image.Gray16) func(int) []byte {
	b := src.Bounds()
	buf := make([]byte, b.Dx())
	return func(y int) []byte {
		line := src.Pix[src.PixOffset(b.Min.X, b.Min.Y+y):]
		for x := range buf {
			buf[x] = line[2*x]
		}
		return buf
	}
}

// colours gives rows of RGBA, multiplied with their alpha.
func colours(src image.Image) func(int) []byte {
	b := src.Bounds()
	line := image.NewRGBA(image.Rect(0, 0, b.Dx(), 1))
	return func(y int) []byte {
		draw.Draw(line, line.Rect, src, image.Pt(b.Min.X, b.Min.Y+y), draw.Src)
		return line.Pix
	}
}

// Fixed point: the weights of a pixel add up to one, and what lies between the
// two ways of scaling has middle bits after the point.
const (
	weightBits = 14
	middleBits = 6
	one        = 1 << weightBits
)

// tap is what makes a pixel: those from first on, by their weights.
type tap struct {
	first   int
	weights []int32
}

// scale makes a plane of the rows; rx and ry tell how many of their pixels go
// into one.
func (r rows) scale(width, height int, rx, ry float64) plane {
	across, down := taps(width, r.width, rx), taps(height, r.height, ry)
	n := width * r.channels
	most := 0
	for _, t := range down {
		most = max(most, len(t.weights))
	}
	ring := make([][]int32, most) // rows scaled across, by their number
	for i := range ring {
		ring[i] = make([]int32, n)
	}
	out := plane{make([]byte, n*height), width, height, r.channels}
	sum := make([]int32, n)
	next := 0
	for y, t := range down {
		for ; next < t.first+len(t.weights); next++ {
			scaleRow(ring[next%most], r.row(next), across, r.channels)
		}
		clear(sum)
		for i, w := range t.weights {
			for x, v := range ring[(t.first+i)%most] {
				sum[x] += v * w
			}
		}
		settle(out.pix[y*n:][:n], sum, r.channels)
	}
	return out
}

// scaleRow scales a row across.
func scaleRow(dst []int32, src []byte, across []tap, channels int) {
	const shift = weightBits - middleBits
	if channels == 1 {
		for x, t := range across {
			sum := int32(1 << (shift - 1))
			line := src[t.first:][:len(t.weights)]
			for i, w := range t.weights {
				sum += int32(line[i]) * w
			}
			dst[x] = sum >> shift
		}
		return
	}
	for x, t := range across {
		var r, g, b, a int32
		line := src[4*t.first:][:4*len(t.weights)]
		for _, w := range t.weights {
			r += int32(line[0]) * w
			g += int32(line[1]) * w
			b += int32(line[2]) * w
			a += int32(line[3]) * w
			line = line[4:]
		}
		const half = 1 << (shift - 1)
		d := dst[4*x:][:4]
		d[0], d[1], d[2], d[3] = (r+half)>>shift, (g+half)>>shift, (b+half)>>shift, (a+half)>>shift
	}
}

// settle rounds sums to bytes; no colour may be more than its alpha.
func settle(dst []byte, sum []int32, channels int) {
	const shift = weightBits + middleBits
	for x, v := range sum {
		dst[x] = byte(min(max((v+1<<(shift-1))>>shift, 0), 255))
	}
	if channels == 4 {
		for i := 0; i < len(dst); i += 4 {
			a := dst[i+3]
			dst[i], dst[i+1], dst[i+2] = min(dst[i], a), min(dst[i+1], a), min(dst[i+2], a)
		}
	}
}

// taps are those of n pixels made of count; ratio is how wide one is. Every
// step is rounded by itself, so that no processor takes two at once.
func taps(n, count int, ratio float64) []tap {
	list := make([]tap, n)
	wide := max(ratio, 1)
	for i := range list {
		center := float64((float64(i)+0.5)*ratio) - 0.5
		reach := float64(2 * wide)
		lo, hi := int(math.Ceil(center-reach)), int(math.Floor(center+reach))
		first, last := min(max(lo, 0), count-1), max(min(hi, count-1), 0)
		last = max(first, last)
		weights := make([]float64, last-first+1)
		total := 0.0
		for at := lo; at <= hi; at++ {
			w := catmullRom(math.Abs(float64(at)-center) / wide)
			weights[min(max(at, first), last)-first] += w // what is outside is as the edge
			total += w
		}
		list[i] = tap{first, whole(weights, total)}
	}
	return list
}

func catmullRom(t float64) float64 {
	switch {
	case t < 1:
		return float64(float64(float64(1.5*t)-2.5)*float64(t*t)) + 1
	case t < 2:
		return float64(float64(float64(float64(float64(-0.5*t)+2.5)*t)-4)*t) + 2
	}
	return 0
}

// whole makes whole numbers of weights, which add up to one.
func whole(weights []float64, total float64) []int32 {
	out := make([]int32, len(weights))
	left, most := int32(one), 0
	for i, w := range weights {
		out[i] = int32(math.Floor(float64(w/total*one) + 0.5))
		left -= out[i]
		if out[i] > out[most] {
			most = i
		}
	}
	out[most] += left
	return out
}
