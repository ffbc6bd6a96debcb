package web

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"threadmill/internal/site"
)

// files serves the output folder as a static host would. The folder is opened
// anew for each file that is not in memory, since a build may replace it.
type files struct {
	dir    string
	prefix string              // what stands before the files in a path, "/" for most
	links  map[string][]string // the Link headers of files by their names
	policy []string            // Content-Security-Policy
	hot    hot
	lost   atomic.Pointer[file] // the page for what is not there
	past   atomic.Pointer[file] // the page for what was withdrawn
	loads  singleflight.Group   // of files, by the path in the request
	tags   etags                // of files that are too large for the memory
	gone   gone

	redirects   redirects
	top         string   // prefix, escaped
	formerBases []string // paths of this host below which the site was before
}

// quick answers from memory, if it can. What is in memory came there by serve
// under the same path, so no other handler wants it.
func (s *files) quick(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.RawPath != "" {
		return false
	}
	f := s.hot.get(r.URL.Path)
	if f == nil || r.URL.RawQuery != "" && s.redirects.asked(s.dir, r.URL.Path) {
		return false
	}
	secure(w.Header(), s.policy)
	s.send(w, r, f)
	return true
}

// serve answers with the file of that path, with index.html for a folder, with
// the way to where the page stands now, and with 404.html where there is nothing.
func (s *files) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return errMethod
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("open output folder: %w", err)
	}
	defer root.Close()
	if to, ok := s.redirects.byQuery(root, r.URL); ok {
		s.sendOn(w, r, s.top+to)
		return nil
	}
	err = s.file(w, r, root)
	if errors.Is(err, fs.ErrNotExist) {
		if s.formerly(w, r, root) {
			return nil
		}
		return s.notFound(w, r, root)
	}
	return err
}

func (s *files) file(w http.ResponseWriter, r *http.Request, root *os.Root) error {
	name, folder := s.name(r.URL.Path)
	if !public(name) {
		return fs.ErrNotExist
	}
	info, err := root.Stat(name)
	if err != nil {
		return missing(err)
	}
	if folder != info.IsDir() {
		return s.slash(w, r, root, name, info.IsDir())
	}
	if folder {
		name = path.Join(name, "index.html")
	}
	f, keep, err := s.fetch(root, r.URL.Path, name)
	if errors.Is(err, errLarge) {
		return s.large(w, r, root, name)
	}
	if err != nil {
		return err
	}
	if keep && r.URL.RawPath == "" {
		s.hot.keep(r.URL.Path, f)
	}
	s.send(w, r, f)
	return nil
}

// leastRate is how slowly a reader may take a large file, in bytes a second.
const leastRate = 16 << 10

// large answers with a file that is not kept in memory, in no coding.
func (s *files) large(w http.ResponseWriter, r *http.Request, root *os.Root, name string) error {
	f, info, err := open(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	tag, err := s.tags.tag(name, f, info)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	meta := file{modified: info.ModTime(), loaded: time.Now()}
	s.describe(&meta, name)
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = meta.contentType, meta.cacheControl
	h["Etag"] = []string{tag}
	if meta.vary != nil {
		h["Vary"] = meta.vary
	}
	end := time.Now().Add(writeTimeout + time.Duration(info.Size()/leastRate)*time.Second)
	_ = http.NewResponseController(w).SetWriteDeadline(end) // where there is none, nobody is cut off
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

// name returns the path below the output folder, "." for the folder itself,
// and whether it was asked for with a slash at its end, as a folder.
func (s *files) name(asked string) (name string, folder bool) {
	name = strings.TrimPrefix(asked, s.prefix)
	folder = name == "" || strings.HasSuffix(name, "/")
	return cmp.Or(strings.TrimSuffix(name, "/"), "."), folder
}

// public tells whether a path may be served. Hidden files may not, save those
// of RFC 8615.
func public(name string) bool {
	switch name {
	case ".":
		return true
	case site.RedirectsFile: // for hosts, not for readers
		return false
	}
	if !fs.ValidPath(name) || strings.ContainsAny(name, "\x00\\") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != ".well-known" {
			return false
		}
	}
	return true
}

// slash sends a reader on to the address of a folder, which ends with a slash.
// A file has no such address.
func (s *files) slash(w http.ResponseWriter, r *http.Request, root *os.Root, name string, isDir bool) error {
	if !isDir {
		return fs.ErrNotExist
	}
	if _, err := root.Stat(path.Join(name, "index.html")); err != nil {
		return missing(err)
	}
	to := url.URL{Path: s.prefix + name + "/", RawQuery: r.URL.RawQuery}
	s.sendOn(w, r, to.String())
	return nil
}

// open opens a regular file; anything else might block or have no end.
func open(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	info, err := root.Stat(name)
	if err != nil {
		return nil, nil, missing(err)
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, nil, missing(err)
	}
	// The name may have got another file in between.
	if info, err = f.Stat(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("read %s: %w", name, err), f.Close())
	}
	return f, info, nil
}

// missing makes "nothing there" of all errors that a path can give: too long,
// through a file, out of the folder by a link. A file that is there and may
// not be read is a fault of ours.
func missing(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fs.ErrNotExist
}

// notFound answers with the site's own page, where it has one: 410 for what was
// withdrawn, 404 else.
func (s *files) notFound(w http.ResponseWriter, r *http.Request, root *os.Root) error {
	name, _ := s.name(r.URL.Path)
	code, f, err := http.StatusGone, (*file)(nil), fs.ErrNotExist
	if !s.gone.holds(root, name) {
		code = http.StatusNotFound
	} else if f, err = s.spare(&s.past, root, site.WithdrawnFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		if f, err = s.spare(&s.lost, root, site.NotFoundFile); err != nil {
			return err
		}
	}
	h := w.Header()
	h["Content-Type"], h["Cache-Control"], h["Vary"] = f.contentType, headerNoStore, f.vary
	write(w, r, choose(f.list, r.Header["Accept-Encoding"]), code)
	return nil
}

// spare is a page that stands for others, read again when it has changed.
func (s *files) spare(of *atomic.Pointer[file], root *os.Root, name string) (*file, error) {
	if f := of.Load(); f != nil && f.current() {
		return f, nil
	}
	f, keep, err := s.load(root, name)
	if err == nil && keep {
		of.Store(f)
	}
	return f, err
}
