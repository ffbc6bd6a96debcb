package web

import (
	"bytes"
	_ "embed"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"threadmill/internal/render"
)

// proofScript finds a proof of work in the browser. It is the only script there
// is, and only the page that asks for a proof may run it.
//
//go:embed proof.js
var proofScript []byte

const proofPath = "subscribe.js" // below the site

func (s *server) proofScript(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=3600")
	h.Set("Content-Length", strconv.Itoa(len(proofScript)))
	_, _ = w.Write(proofScript)
	return nil
}

// again asks for a form once more, with a stamp for its address and, where the
// config wants one, a proof of work.
func (s *server) again(h http.Header, page *render.SignUp) {
	page.Again, page.Stamp, page.Bits = true, s.SignUps.Stamp(page.Email), s.SignUps.Proof()
	if page.Bits == 0 {
		return
	}
	page.Script = s.base + "/" + proofPath
	policies := make([]string, len(s.policy))
	for i, p := range s.policy {
		policies[i] = p + "; script-src 'self'"
	}
	h["Content-Security-Policy"] = policies
}

// formMark is the part of the form on the page about subscribing where the
// stamp goes in.
var formMark = []byte(`<input type="hidden" name="stamp" value="">`)

// maxStamped bounds the page that is stamped, in bytes.
const maxStamped = 1 << 20

// subscribePage is the file of the page about subscribing with a stamp in its
// form. Where there is none the site answers.
func (s *server) subscribePage(w http.ResponseWriter, r *http.Request) error {
	f, err := os.Open(filepath.Join(s.Dir, signUpPath, "index.html"))
	if errors.Is(err, fs.ErrNotExist) {
		return s.site.serve(w, r)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	page, err := io.ReadAll(io.LimitReader(f, maxStamped))
	if err != nil {
		return err
	}
	if !bytes.Contains(page, formMark) || len(page) == maxStamped {
		return s.site.serve(w, r)
	}
	stamped := `<input type="hidden" name="stamp" value="` + s.SignUps.Stamp("") + `">`
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	_, _ = w.Write(bytes.Replace(page, formMark, []byte(stamped), 1))
	return nil
}
