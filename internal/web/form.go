package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// maxForm bounds the body of a form, in bytes.
const maxForm = 16 << 10

// form reads the body of a request to its end and returns the fields in it, and
// not those of its address. What cannot be read as a field is none. The error of
// a body that is too long or breaks off is the client's fault; see status.
func (s *server) form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return nil, errors.Join(errBody, err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	_ = r.ParseMultipartForm(maxForm) // reads both kinds, as far as it can
	return r.PostForm, nil
}
