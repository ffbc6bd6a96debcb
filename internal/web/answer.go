package web

import (
	"bytes"
	"net/http"
)

// Values of headers that all answers share. Read-only, as all that a file
// keeps: net/http copies them.
var (
	headerNoSniff  = []string{"nosniff"}
	headerReferrer = []string{"strict-origin-when-cross-origin"}
	headerRanges   = []string{"bytes"}
	headerNoStore  = []string{"no-store"}
	headerStrict   = []string{"max-age=31536000"}
)

// send answers a GET or HEAD with a file. Names of headers are written here as
// net/http keeps them, which spares it the work.
func (s *files) send(w http.ResponseWriter, r *http.Request, f *file) {
	asked := r.Header
	part := asked["Range"] != nil
	rep := &f.list[0]
	if !part && len(f.list) > 1 {
		rep = choose(f.list, asked["Accept-Encoding"])
	}
	h := w.Header()
	h["Etag"] = rep.etag
	h["Cache-Control"] = f.cacheControl
	if f.vary != nil {
		h["Vary"] = f.vary
	}
	if f.link != nil {
		h["Link"] = f.link
	}
	if f.lastModified != nil {
		h["Last-Modified"] = f.lastModified
	}
	code := condition(asked, rep, f.modified, f.lastModified)
	if code == http.StatusNotModified {
		w.WriteHeader(code)
		return
	}
	h["Content-Type"] = f.contentType
	if dest := asked["Sec-Fetch-Dest"]; dest != nil && dest[0] == "document" {
		h["Content-Type"] = f.document
	}
	if part && code == http.StatusOK {
		http.ServeContent(w, r, "", f.modified, bytes.NewReader(rep.body))
		return
	}
	if code != http.StatusOK {
		http.Error(w, http.StatusText(code), code)
		return
	}
	write(w, r, rep, code)
}

// write sends a representation with the headers that are its own.
func write(w http.ResponseWriter, r *http.Request, rep *representation, code int) {
	h := w.Header()
	h["Content-Length"] = rep.length
	switch {
	case rep.encoding != nil:
		h["Content-Encoding"] = rep.encoding
	case code == http.StatusOK:
		h["Accept-Ranges"] = headerRanges
	}
	w.WriteHeader(code)
	if r.Method != http.MethodHead {
		// The status is out; an error is the reader's connection.
		_, _ = w.Write(rep.body)
	}
}
