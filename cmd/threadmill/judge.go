package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"sync"

	"threadmill/internal/newsletter"
	"threadmill/internal/picture"
	"threadmill/internal/publish"
	"threadmill/internal/render"
	"threadmill/internal/thread"
)

// judged is the catalogue with what is wrong with the pictures of the folder.
// Those of threads that are still to go out are read to their end where whole is
// set, of others the beginning.
func (p *publication) judged(ctx context.Context, whole bool) (publish.Catalogue, error) {
	known, err := p.store.Threads(ctx)
	if err != nil {
		return publish.Catalogue{}, err
	}
	out := map[string]bool{}
	for _, t := range known.Threads {
		out[t.File] = t.Out()
	}
	var one sync.Mutex // a large picture takes much memory
	p.reader.Judge = func(file, name string, r io.Reader) error {
		one.Lock()
		defer one.Unlock()
		if !whole || out[file] {
			head, err := io.ReadAll(io.LimitReader(r, pictureHead))
			if err != nil {
				return err
			}
			return picture.Verify(name, head, len(head) < pictureHead)
		}
		b, err := io.ReadAll(io.LimitReader(r, newsletter.AssetMax))
		if err != nil {
			return err
		}
		return picture.Verify(name, b, true)
	}
	if err := p.join(ctx); err != nil { // the publisher has a reader of its own
		return publish.Catalogue{}, err
	}
	return p.publisher.Catalogue(ctx)
}

// pictureHead is how much of a picture tells its size, in bytes.
const pictureHead = 256 << 10

// aboutPictures names the pictures of the page about the publication that are
// not in the output folder: unlike those of threads they are put there by hand.
func (p *publication) aboutPictures() []newsletter.Problem {
	text, err := p.about()
	if err != nil {
		return nil // it was told when the publication was opened
	}
	var list []newsletter.Problem
	for _, image := range thread.Images(text) {
		u, err := url.Parse(image.Address)
		if err != nil || u.Scheme != "" || u.Host != "" || path.IsAbs(u.Path) {
			continue
		}
		name := path.Join(p.Output, render.AboutPath, u.Path)
		if info, err := os.Stat(p.Path(filepath.FromSlash(name))); err == nil && info.Mode().IsRegular() {
			continue
		}
		list = append(list, newsletter.Problem{
			File: p.Publication.About, Line: image.Line,
			Text: fmt.Sprintf("picture %s: there is no file %s; put it there, or write an address that begins with https://", image.Address, name),
		})
	}
	return list
}
