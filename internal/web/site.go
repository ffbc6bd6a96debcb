package web

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
)

// maxAge lets readers and proxies keep a file for a quarter of an hour.
const maxAge = "public, max-age=900"

// site serves the output folder as a static host would. The folder is opened
// anew for each request, since a build may replace it.
type site struct {
	dir    string
	prefix string // what stands before the files in a path, "/" for most
	tags   etags
}

// serve answers with the file of that path, with index.html for a folder, and
// with 404.html where there is nothing.
func (s *site) serve(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		return errMethod
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("open output folder: %w", err)
	}
	defer root.Close()
	err = s.file(w, r, root)
	if errors.Is(err, fs.ErrNotExist) {
		return notFound(w, root)
	}
	return err
}

func (s *site) file(w http.ResponseWriter, r *http.Request, root *os.Root) error {
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
	f, info, err := open(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	tag, err := s.tags.tag(name, f, info)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	h := w.Header()
	h.Set("Content-Type", contentType(name))
	h.Set("Cache-Control", maxAge)
	h.Set("ETag", tag)
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

// name returns the path below the output folder, "." for the folder itself,
// and whether it was asked for with a slash at its end, as a folder.
func (s *site) name(asked string) (name string, folder bool) {
	name = strings.TrimPrefix(asked, s.prefix)
	folder = name == "" || strings.HasSuffix(name, "/")
	return cmp.Or(strings.TrimSuffix(name, "/"), "."), folder
}

// public tells whether a path may be served. Hidden files may not, save those
// of RFC 8615.
func public(name string) bool {
	if name == "." {
		return true
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
func (s *site) slash(w http.ResponseWriter, r *http.Request, root *os.Root, name string, isDir bool) error {
	if !isDir {
		return fs.ErrNotExist
	}
	if _, err := root.Stat(path.Join(name, "index.html")); err != nil {
		return missing(err)
	}
	to := url.URL{Path: s.prefix + name + "/", RawQuery: r.URL.RawQuery}
	w.Header().Set("Cache-Control", maxAge)
	http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
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

// notFound answers with the site's own page, where it has one.
func notFound(w http.ResponseWriter, root *os.Root) error {
	f, _, err := open(root, "404.html")
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", contentType("404.html"))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	// The status is out; an error is the reader's connection.
	_, _ = io.Copy(w, f)
	return nil
}

// types are the content types of the files of a site, by name and by ending.
// They do not depend on what the machine knows about types. Read-only.
var types = map[string]string{
	"feed.xml":  "application/rss+xml; charset=utf-8",
	"atom.xml":  "application/atom+xml; charset=utf-8",
	"feed.json": "application/feed+json; charset=utf-8",

	".html":  "text/html; charset=utf-8",
	".xml":   "application/xml; charset=utf-8",
	".json":  "application/json; charset=utf-8",
	".txt":   "text/plain; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".opml":  "text/x-opml; charset=utf-8",
	".svg":   "image/svg+xml; charset=utf-8",
	".png":   "image/png",
	".jpg":   "image/jpeg",
	".jpeg":  "image/jpeg",
	".gif":   "image/gif",
	".webp":  "image/webp",
	".avif":  "image/avif",
	".ico":   "image/x-icon",
	".mp3":   "audio/mpeg",
	".mp4":   "video/mp4",
	".pdf":   "application/pdf",
	".woff2": "font/woff2",
}

// contentType is the type of a file by its name; one that is not known is
// offered as a download.
func contentType(name string) string {
	return cmp.Or(types[path.Base(name)], types[strings.ToLower(path.Ext(name))], "application/octet-stream")
}
