package feed

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// mediaNS is the namespace of Media RSS.
const mediaNS = "http://search.yahoo.com/mrss/"

// maxImages bounds the pictures that a thread names outside its content.
const maxImages = 20

// image is a picture of a thread.
type image struct {
	url, kind, alt string
	width, height  int // 0 where it is not known
}

type mediaContent struct {
	URL         string     `xml:"url,attr"`
	Medium      string     `xml:"medium,attr"`
	Type        string     `xml:"type,attr,omitempty"`
	Width       int        `xml:"width,attr,omitempty"`
	Height      int        `xml:"height,attr,omitempty"`
	Description *mediaText `xml:"media:description"`
}

type mediaText struct {
	Type string `xml:"type,attr"`
	Text string `xml:",chardata"`
}

// images are the cover and the pictures of the content, each once.
func images(cover, content string) []image {
	var list []image
	add := func(i image) {
		u, err := url.Parse(i.url)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || len(list) == maxImages {
			return
		}
		i.kind = imageType(u.Path)
		if at := slices.IndexFunc(list, func(o image) bool { return o.url == i.url }); at < 0 {
			list = append(list, i)
		} else if list[at].width == 0 && list[at].alt == "" { // the cover, of which only the address is known
			list[at] = i
		}
	}
	add(image{url: cover})
	if !strings.Contains(content, "<img") {
		return list
	}
	z := html.NewTokenizer(strings.NewReader(content))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return list
		case html.StartTagToken, html.SelfClosingTagToken:
			if t := z.Token(); t.Data == "img" {
				add(imageOf(t))
			}
		}
	}
}

func imageOf(t html.Token) image {
	var i image
	for _, a := range t.Attr {
		switch a.Key {
		case "src":
			i.url = line(a.Val)
		case "alt":
			i.alt = line(a.Val)
		case "width":
			i.width = pixels(a.Val)
		case "height":
			i.height = pixels(a.Val)
		}
	}
	return i
}

// pixels reads a length in an attribute; 0 for what is none.
func pixels(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// imageType is the media type that the name of a file says, empty where it says
// none.
func imageType(name string) string {
	switch ext := strings.ToLower(path.Ext(name)); ext {
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".png", ".gif", ".webp", ".avif":
		return "image/" + ext[1:]
	case ".svg":
		return "image/svg+xml"
	}
	return ""
}

func mediaOf(images []image) []mediaContent {
	var list []mediaContent
	for _, i := range images {
		m := mediaContent{URL: i.url, Medium: "image", Type: i.kind, Width: i.width, Height: i.height}
		if i.alt != "" {
			m.Description = &mediaText{"plain", i.alt}
		}
		list = append(list, m)
	}
	return list
}
