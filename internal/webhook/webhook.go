package webhook

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// Options say which providers are answered, and what proves their requests.
type Options struct {
	SES      string // ARN of the topic of SNS; empty for none, as below
	Postmark string // password of the request
	Mailgun  string // signing key
	SendGrid string // public key, PKIX in base64
	// Take takes in one report; an error has the provider send it again.
	Take   func(ctx context.Context, r mail.Report, provider string) error
	Client *http.Client // fetches the certificates of SNS; nil for a plain one
	Log    *slog.Logger
}

// provider reads the requests of one provider.
type provider interface {
	// verify tells whether a request with a body is from the provider; it returns
	// what is signed in it, which may be empty where there is nothing to read.
	verify(r *http.Request, body []byte) (signed []byte, err error)
	// read returns the reports in what was verified, none for news of no matter.
	read(signed []byte) ([]mail.Report, error)
	// taken is called when everything in a body was taken in.
	taken(body []byte)
}

// The bounds of a request and of the reports in it.
const (
	maxBody   = 4 << 20
	smallBody = 64 << 10 // what any number of requests may have
	// largeAtOnce is how many larger ones are read at a time: they are held
	// before it is known who sends them.
	largeAtOnce = 16
	maxReports  = 10_000
	maxText     = 1000
)

var (
	errForged  = errors.New("not signed by the provider")
	errUnknown = errors.New("not what the provider sends")
	errCrowded = errors.New("there are too many large requests")
)

// New returns the handler for the paths /ses, /postmark, /mailgun and
// /sendgrid; those that Options do not name are not found.
func New(o Options) (http.Handler, error) {
	if o.Client == nil {
		o.Client = &http.Client{Timeout: 10 * time.Second}
	}
	h := &handler{o: o, providers: map[string]provider{}, large: make(chan struct{}, largeAtOnce)}
	if o.SES != "" {
		h.providers["ses"] = newSES(o.SES, o.Client)
	}
	if o.Postmark != "" {
		h.providers["postmark"] = postmark{o.Postmark}
	}
	if o.Mailgun != "" {
		h.providers["mailgun"] = &mailgun{key: o.Mailgun}
	}
	if o.SendGrid != "" {
		p, err := newSendGrid(o.SendGrid)
		if err != nil {
			return nil, err
		}
		h.providers["sendgrid"] = p
	}
	return h, nil
}

type handler struct {
	o         Options
	providers map[string]provider
	large     chan struct{} // holds one for each large body
}

// body reads a body, which is held until release.
func (h *handler) body(w http.ResponseWriter, r *http.Request) (body []byte, release func(), err error) {
	release = func() {}
	in := http.MaxBytesReader(w, r.Body, maxBody)
	body, err = io.ReadAll(io.LimitReader(in, smallBody))
	if err != nil || len(body) < smallBody {
		return body, release, err
	}
	select {
	case h.large <- struct{}{}:
		release = func() { <-h.large }
	default:
		return nil, release, errCrowded
	}
	rest, err := io.ReadAll(in)
	return append(body, rest...), release, err
}

// ServeHTTP answers 204 when all was taken in, 403 to a request that proves
// nothing, and 503 where the provider is to come again.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	name := strings.Trim(r.URL.Path, "/")
	p, ok := h.providers[name]
	switch {
	case !ok:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	code := h.answer(w, r, name, p)
	if code == http.StatusNoContent {
		w.WriteHeader(code)
		return
	}
	http.Error(w, http.StatusText(code), code)
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, name string, p provider) int {
	body, release, err := h.body(w, r)
	defer release()
	if errors.Is(err, errCrowded) {
		return http.StatusServiceUnavailable
	}
	if err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return http.StatusRequestEntityTooLarge
		}
		return http.StatusBadRequest
	}
	signed, err := p.verify(r, body)
	if err != nil {
		h.o.Log.WarnContext(r.Context(), "a webhook was refused", "provider", name, "err", err)
		if errors.Is(err, errForged) {
			return http.StatusForbidden
		}
		return http.StatusServiceUnavailable // what proves it could not be fetched
	}
	if len(signed) == 0 {
		return http.StatusNoContent
	}
	reports, err := p.read(signed)
	if err != nil {
		h.o.Log.WarnContext(r.Context(), "a webhook was not understood", "provider", name, "err", err)
		return http.StatusBadRequest
	}
	for _, report := range reports[:min(len(reports), maxReports)] {
		if err := h.o.Take(r.Context(), report, name); err != nil {
			h.o.Log.ErrorContext(r.Context(), "a report was not taken in, and is to come again", "provider", name, "err", err)
			return http.StatusServiceUnavailable
		}
	}
	p.taken(body)
	return http.StatusNoContent
}

// hard is a report of a failure that the provider calls final for the address,
// which holds where the words of the server say nothing else.
func hard(id, address, status, words string) mail.Report {
	r := report(newsletter.ReportBounce, id, address, status, words)
	if r.Recipients[0].Class() == newsletter.BounceSoft {
		r.Recipients[0].Status = statusDead
	}
	return r
}

// report is one about one address.
func report(kind newsletter.ReportKind, id, address, status, words string) mail.Report {
	action := map[newsletter.ReportKind]string{newsletter.ReportBounce: "failed", newsletter.ReportDelay: "delayed"}[kind]
	return mail.Report{Kind: kind, ID: id, Recipients: []mail.Reported{{Address: short(address), Action: action, Status: short(status), Diagnostic: short(words)}}}
}

// short is a text on one line, as much as is kept of it.
func short(text string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(text[:min(len(text), maxText)], "")), " ")
}

// bracketed is a Message-ID with its brackets.
func bracketed(id string) []string {
	if id = strings.Trim(short(id), "<>"); id == "" {
		return nil
	}
	return []string{"<" + id + ">"}
}

// The status codes (RFC 3463) of what providers say in words of their own.
const (
	statusDead   = "5.1.1"
	statusFull   = "5.2.2"
	statusPolicy = "5.7.1"
	statusSoft   = "5.4.0"
)
