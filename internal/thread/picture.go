package thread

import (
	"cmp"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"

	"threadmill/internal/newsletter"
	"threadmill/internal/wikilink"
)

// picture is a place in a file that names a local picture.
type picture struct {
	name  string // path below the thread's folder
	line  int
	field string
	embed bool // ![[name]], which is plain text where there is no such picture
}

// pictures returns the local pictures of the body.
func (b *body) pictures(faults *lint) []picture {
	var found []picture
	for n := range nodes(b.doc) {
		image, ok := n.(*ast.Image)
		if !ok {
			continue
		}
		line := b.fileLine(max(n.Pos(), 0))
		_, embed := wikilink.Embedded(image)
		if !describes(image, b.source) {
			place := "between the brackets of ![](…)"
			if embed {
				place = "behind a | as in ![[…|…]]"
			}
			faults.warnf(line, "", "picture without a description: write one %s", place)
		}
		name, fault := localPicture(unescape(image.Destination))
		switch {
		case fault != "" && embed:
			faults.warnf(line, "", "%s; plain text until then", fault)
		case fault != "":
			faults.errorf(line, "", "%s", fault)
		case name != "":
			found = append(found, picture{name: name, line: line, embed: embed})
		}
	}
	return found
}

// links returns the links to other threads.
func (b *body) links(faults *lint) []newsletter.Link {
	var found []newsletter.Link
	for n := range nodes(b.doc) {
		link, ok := n.(*ast.Link)
		if !ok {
			continue
		}
		target, line := unescape(link.Destination), b.fileLine(max(n.Pos(), 0))
		if name, ok := strings.CutPrefix(target, newsletter.Wikiembed); ok {
			faults.warnf(line, "", "![[%s]]: only pictures are shown in a thread, this is plain text", name)
		} else if newsletter.ThreadLink(target) {
			found = append(found, newsletter.Link{Target: target, Line: line})
		}
	}
	return found
}

// Image is a picture in a text.
type Image struct {
	Address string // as it is written
	Line    int    // counted from 1
}

// Images are the pictures in a Markdown text that is no thread; none of one
// that Parse would refuse for its size.
func Images(source string) []Image {
	var faults lint
	b, ok := parseBody(section{text: tidy([]byte(source)), line: 1}, &faults)
	if !ok {
		return nil
	}
	var found []Image
	for n := range nodes(b.doc) {
		if image, ok := n.(*ast.Image); ok {
			found = append(found, Image{unescape(image.Destination), b.fileLine(max(n.Pos(), 0))})
		}
	}
	return found
}

// describes tells whether a picture has alternative text.
func describes(image *ast.Image, source []byte) bool {
	for c := image.FirstChild(); c != nil; c = c.NextSibling() {
		if strings.TrimSpace(plain(c, source, nil)) != "" {
			return true
		}
	}
	return false
}

// coverPictures puts the pictures of the front matter into t.Images and
// returns the local ones.
func coverPictures(t *newsletter.Thread, f fields) []picture {
	var found []picture
	for _, key := range []string{"images", "image", "cover"} {
		v, _ := f.find(key)
		for _, address := range f.list(key, nil) {
			name, fault := localPicture(address)
			switch {
			case fault != "":
				f.lint.errorf(v.line, v.name, "%s", fault)
				continue
			case name != "":
				found = append(found, picture{name: name, line: v.line, field: v.name})
			}
			t.Images = appendNew(t.Images, cmp.Or(name, address))
		}
	}
	return found
}

// localPicture reads the address of a picture. It returns the path below the
// thread's folder, "" for a picture elsewhere, and what is wrong with it.
func localPicture(address string) (name, fault string) {
	name = address
	if u, err := url.Parse(address); err == nil {
		switch {
		case u.Scheme == "data", (u.Scheme == "http" || u.Scheme == "https") && u.Host != "":
			return "", ""
		case u.Scheme != "", u.Host != "":
			return "", fmt.Sprintf("%q is neither a file nor an address that begins with https://", address)
		}
		name = u.Path
	}
	if name == "" {
		return "", "picture without an address"
	}
	name = path.Clean(name)
	switch {
	case !filepath.IsLocal(name) || strings.ContainsFunc(name, unicode.IsControl) || !utf8.ValidString(name) || clean(name) != name:
		return "", fmt.Sprintf("%q leaves the thread's own folder: put the picture beside the file", address)
	case !slices.Contains(newsletter.PictureTypes, strings.ToLower(path.Ext(name))):
		return "", fmt.Sprintf("%q is not one of the pictures that browsers show: %s", address, strings.Join(newsletter.PictureTypes, " "))
	}
	return name, ""
}
