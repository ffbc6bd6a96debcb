package mailbox

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// listed is how many mails the list shows at most.
const listed = 200

//go:embed templates/*.html
var templates embed.FS

// The policies of the pages. A mail may show pictures and its own styles and
// open links in a new tab; no script of anybody's ever runs.
const (
	pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'"
	mailPolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; " +
		"img-src http: https: data:; style-src 'unsafe-inline'; form-action 'none'"
)

// pages are the handlers of a mailbox and their templates.
type pages struct {
	mailbox    *Mailbox
	list, mail *template.Template
}

// Handler shows the mails: "/" is the list, newest first, "/{n}/" one mail,
// "/{n}/html" its HTML part alone and "/{n}/raw" the file. All links are
// relative, so that a caller may mount it anywhere with http.StripPrefix.
func (m *Mailbox) Handler() http.Handler {
	p := pages{
		mailbox: m,
		list:    template.Must(template.ParseFS(templates, "templates/layout.html", "templates/list.html")),
		mail:    template.Must(template.ParseFS(templates, "templates/layout.html", "templates/mail.html")),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.answer(p.showList))
	mux.HandleFunc("GET /{n}", addSlash)
	mux.HandleFunc("GET /{n}/{$}", p.answer(p.showMail))
	mux.HandleFunc("GET /{n}/html", p.answer(p.showHTML))
	mux.HandleFunc("GET /{n}/raw", p.answer(p.showRaw))
	return mux
}

// addSlash redirects to the same address with a slash. The target is relative
// because the handler does not know where it is mounted; http.Redirect would
// make it absolute.
func addSlash(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Location", "./"+r.PathValue("n")+"/")
	w.WriteHeader(http.StatusMovedPermanently)
}

// answer turns the error of a page into a status.
func (p pages) answer(page func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		err := page(w, r)
		switch {
		case err == nil:
		case errors.Is(err, fs.ErrNotExist):
			http.Error(w, "There is no such mail.", http.StatusNotFound)
		default:
			p.mailbox.log.Error("mailbox page failed", "path", r.URL.Path, "err", err)
			http.Error(w, "The mail could not be shown; the log says why.", http.StatusInternalServerError)
		}
	}
}

// row is one mail in the list.
type row struct {
	Number  int
	At      time.Time
	To      string
	Subject string
}

func (p pages) showList(w http.ResponseWriter, _ *http.Request) error {
	mails, total := p.mailbox.newest(listed)
	view := struct {
		Title string
		Total int
		Rows  []row
	}{Title: "Mailbox", Total: total}
	for _, k := range mails {
		r, err := p.row(k)
		if errors.Is(err, fs.ErrNotExist) {
			continue // somebody tidied the folder
		}
		if err != nil {
			return err
		}
		view.Rows = append(view.Rows, r)
	}
	return render(w, p.list, view)
}

// row reads what the list shows of k. A mail without a readable header is
// shown by its recipient.
func (p pages) row(k mail) (row, error) {
	f, at, err := p.open(k)
	if err != nil {
		return row{}, err
	}
	defer f.Close()
	_, l, err := readHeader(f)
	if err != nil || l.To == "" {
		l.To = k.recipient()
	}
	return row{Number: k.n, At: at, To: l.To, Subject: l.Subject}, nil
}

func (p pages) showMail(w http.ResponseWriter, r *http.Request) error {
	k, f, at, err := p.asked(r)
	if err != nil {
		return err
	}
	defer f.Close()
	l, broken := readLetter(f)
	view := struct {
		letter
		Title, Recipient, Name string
		At                     time.Time
		Broken                 error
	}{l, l.Subject, k.recipient(), k.name, at, broken}
	if view.Title == "" {
		view.Title = "(no subject)"
	}
	return render(w, p.mail, view)
}

// head finds where a base element may stand.
var head = regexp.MustCompile(`(?i)<head(\s[^>]*)?>`)

func (p pages) showHTML(w http.ResponseWriter, r *http.Request) error {
	_, f, _, err := p.asked(r)
	if err != nil {
		return err
	}
	defer f.Close()
	l, err := readLetter(f)
	if l.HTML == "" {
		return errors.Join(fs.ErrNotExist, err)
	}
	w.Header().Set("Content-Security-Policy", mailPolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// Links open beside the mail, as they do in a mail program, and not in the
	// frame that shows it.
	html := []byte(l.HTML)
	if at := head.FindIndex(html); at != nil {
		html = append(append(bytes.Clone(html[:at[1]]), `<base target="_blank">`...), html[at[1]:]...)
	}
	_, _ = w.Write(html) // the reader has gone
	return nil
}

func (p pages) showRaw(w http.ResponseWriter, r *http.Request) error {
	k, f, at, err := p.asked(r)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": k.name}))
	http.ServeContent(w, r, "", at, f)
	return nil
}

// asked opens the mail that a request names. Its error is fs.ErrNotExist when
// there is none.
func (p pages) asked(r *http.Request) (mail, *os.File, time.Time, error) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		return mail{}, nil, time.Time{}, fs.ErrNotExist
	}
	k, ok := p.mailbox.find(n)
	if !ok {
		return mail{}, nil, time.Time{}, fs.ErrNotExist
	}
	f, at, err := p.open(k)
	return k, f, at, err
}

// open returns the file of k and the time it came in.
func (p pages) open(k mail) (*os.File, time.Time, error) {
	f, err := os.Open(filepath.Join(p.mailbox.dir, k.name))
	if err != nil {
		return nil, time.Time{}, err
	}
	stat, err := f.Stat()
	if err != nil {
		return nil, time.Time{}, errors.Join(err, f.Close())
	}
	return f, stat.ModTime(), nil
}

// render writes a page once it is whole.
func render(w http.ResponseWriter, t *template.Template, view any) error {
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", view); err != nil {
		return fmt.Errorf("render the page: %w", err)
	}
	w.Header().Set("Content-Security-Policy", pagePolicy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.Copy(w, &b) // the reader has gone
	return nil
}
