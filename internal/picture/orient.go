package picture

import "image"

// turn returns a picture that resize made as EXIF says that it should be seen.
func turn(src image.Image, orientation int) image.Image {
	if orientation <= 1 {
		return src
	}
	b := src.Bounds()
	turned := func(pix []byte, width, height, channels int) []byte {
		return plane{pix, width, height, channels}.turn(orientation).pix
	}
	rect := b
	if orientation >= 5 {
		rect = image.Rect(0, 0, b.Dy(), b.Dx())
	}
	switch src := src.(type) {
	case *image.YCbCr:
		dst := image.NewYCbCr(rect, image.YCbCrSubsampleRatio420)
		cw, ch := (b.Dx()+1)/2, (b.Dy()+1)/2
		dst.Y = turned(src.Y, b.Dx(), b.Dy(), 1)
		dst.Cb, dst.Cr = turned(src.Cb, cw, ch, 1), turned(src.Cr, cw, ch, 1)
		return dst
	case *image.Gray:
		return &image.Gray{Pix: turned(src.Pix, b.Dx(), b.Dy(), 1), Stride: rect.Dx(), Rect: rect}
	case *image.RGBA:
		return &image.RGBA{Pix: turned(src.Pix, b.Dx(), b.Dy(), 4), Stride: 4 * rect.Dx(), Rect: rect}
	}
	return src
}

// turn returns the plane as EXIF says that it should be seen.
func (p plane) turn(orientation int) plane {
	out := plane{make([]byte, len(p.pix)), p.width, p.height, p.channels}
	if orientation >= 5 {
		out.width, out.height = p.height, p.width
	}
	c := p.channels
	for y := range out.height {
		for x := range out.width {
			sx, sy := source(orientation, x, y, p.width, p.height)
			copy(out.pix[(y*out.width+x)*c:][:c], p.pix[(sy*p.width+sx)*c:][:c])
		}
	}
	return out
}

// source tells which pixel of the stored picture is seen at x, y (EXIF 2.32,
// section 4.6.4, tag Orientation).
func source(orientation, x, y, width, height int) (sx, sy int) {
	right, bottom := width-1, height-1
	switch orientation {
	case 2:
		return right - x, y
	case 3:
		return right - x, bottom - y
	case 4:
		return x, bottom - y
	case 5:
		return y, x
	case 6:
		return y, bottom - x
	case 7:
		return right - y, bottom - x
	case 8:
		return right - y, x
	}
	return x, y
}
