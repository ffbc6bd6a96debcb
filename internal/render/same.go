package render

import (
	"fmt"
	"html/template"
	"reflect"
	"sync"

	"threadmill/internal/newsletter"
)

// frame is what a page has in common with the others of its depth and language.
type frame struct {
	speech
	Palette
	Publication newsletter.Publication
	Lang, Dir   string
	Root        string
	Search      string
}

func (p page) frame() frame {
	return frame{
		speech: p.speech, Palette: p.Palette,
		Publication: p.Publication, Lang: p.Lang, Dir: p.Dir, Root: p.Root, Search: p.Search,
	}
}

// common are the parts of pages that were written for their frames.
type common struct {
	mu    sync.Mutex
	parts map[commonKey]commonPart
}

// part is the function of that name in the templates of a file: what a part
// writes, as a value for a slot of a word.
func (t *Templates) part(file string) func(part string, data any) (template.HTML, error) {
	return func(part string, data any) (template.HTML, error) {
		tmpl := t.html[file].Lookup(part)
		if tmpl == nil {
			return "", fmt.Errorf("part %q: there is no template of that name", part)
		}
		text, err := execute(tmpl, file, data)
		return template.HTML(text), err //nolint:gosec // the template has escaped it
	}
}

type commonKey struct{ file, part, lang, root string }

type commonPart struct {
	frame frame
	html  template.HTML
}

// same is the function of that name in the templates of a file: it writes a
// part, which gets no more of a page than its frame, and keeps what it wrote for
// the pages that follow. In a site of thousands of pages that saves a good part
// of the work.
func (t *Templates) same(file string) func(part string, data any) (template.HTML, error) {
	return func(part string, data any) (template.HTML, error) {
		of, ok := data.(interface{ frame() frame })
		if !ok {
			return "", fmt.Errorf("same %q: give it the whole page: {{same %q .}}", part, part)
		}
		frame := of.frame()
		key := commonKey{file, part, frame.Lang, frame.Root}
		t.common.mu.Lock()
		known, ok := t.common.parts[key]
		t.common.mu.Unlock()
		if ok && reflect.DeepEqual(known.frame, frame) {
			return known.html, nil
		}
		tmpl := t.html[file].Lookup(part)
		if tmpl == nil {
			return "", fmt.Errorf("same %q: there is no template of that name", part)
		}
		text, err := execute(tmpl, file, frame)
		if err != nil {
			return "", err
		}
		written := template.HTML(text) //nolint:gosec // the template has escaped it
		t.common.mu.Lock()
		t.common.parts[key] = commonPart{frame, written}
		t.common.mu.Unlock()
		return written, nil
	}
}
