package web

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// Options are the parts that the web server joins.
type Options struct {
	// Dir is the output folder. It may be missing or change at any time.
	Dir string
	// Publication gives the pages their name. Where its URL has a path,
	// everything is served below that path.
	Publication newsletter.Publication
	// Templates returns those of the site as it is now.
	Templates func() *render.Templates
	// Hubs are the addresses of the WebSub hubs that know when a feed changes.
	Hubs     []string
	Audience *audience.Audience
	// SignUps, if not nil, takes in who signs up.
	SignUps *audience.SignUps
	// Reviews, if not nil, takes what the author answers.
	Reviews Reviews
	// Next, if not nil, tells when the next issue comes; the zero time where none
	// is in sight.
	Next func() time.Time
	Log  *slog.Logger
	// Search, if not nil, answers at /search.
	Search Searcher
	// Tags, if not nil, returns the tags of the threads that are out, of which
	// readers may choose.
	Tags func(context.Context) ([]string, error)
	// Ready, if not nil, tells what keeps the daemon from its work. The text
	// of its error is shown to whoever asks.
	Ready func(context.Context) error
	// TrustedProxies are those whose word about the client is taken.
	TrustedProxies []netip.Prefix
	// MetricsFrom and AdminFrom are the networks, besides this machine, that may
	// see /metrics and /admin/.
	MetricsFrom, AdminFrom []netip.Prefix
	// Metrics, if not nil, answers at /metrics.
	Metrics http.Handler
	// Observe, if not nil, is told of each request that was answered: the route
	// that took it, empty for none, and the status.
	Observe func(route string, status int, took time.Duration)
	// AccessLog notes each request, which is else for debugging.
	AccessLog bool
	// Health is what /healthz tells about the publication.
	Health Health
	// Strict tells browsers to use nothing but https from now on (RFC 6797).
	Strict bool
	// Extra holds more handlers by the path below the site where each stands,
	// such as "/mail/". They see the path without it: "/1/" for "/mail/1/".
	Extra map[string]http.Handler
}

// New returns the handler for all of it. It panics, as http.ServeMux does, if
// a path in Options.Extra is wrong or taken.
func New(o Options) http.Handler {
	base := basePath(o.Publication.URL)
	s := &server{
		Options:   o,
		base:      base.EscapedPath(),
		site:      newFiles(o, base),
		policy:    policyOf(o.Publication),
		searching: make(chan struct{}, searches),
	}
	return s.strict(s.logged(s.moved(s.quick(s.sameOrigin(s.routes())))))
}

func newFiles(o Options, base *url.URL) *files {
	f := &files{
		dir:       o.Dir,
		prefix:    base.Path + "/",
		top:       base.EscapedPath() + "/",
		links:     feedLinks(o.Publication, o.Hubs),
		policy:    policyOf(o.Publication),
		redirects: redirects{pub: o.Publication},
	}
	for _, home := range o.Publication.FormerHomes() {
		if strings.EqualFold(home.Host, o.Publication.Host()) && home.Base != base.Path {
			f.formerBases = append(f.formerBases, home.Base)
		}
	}
	return f
}

// quick answers what is in memory before anybody looks for a route.
func (s *server) quick(next http.Handler) http.Handler {
	route := s.base + "/"
	stamped := s.base + "/" + signUpPath + "/"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (s.SignUps == nil || r.URL.EscapedPath() != stamped) && s.site.quick(w, r) {
			r.Pattern = route
			return
		}
		next.ServeHTTP(w, r)
	})
}

type server struct {
	Options
	base string // path of the publication without its last slash, escaped
	site *files

	policy []string // Content-Security-Policy of all answers

	strange sync.Once // for the word about a proxy that is not trusted

	searching chan struct{} // holds one for each search under way
}

// routes is the table of all addresses. The site takes whatever is left.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(s.base+"/", s.handler(s.site.serve))
	for _, base := range s.bases() {
		for _, path := range []string{"/unsubscribe/{token}", "/preferences/{token}"} {
			mux.Handle(base+path, s.handler(s.otherMethods))
		}
		mux.Handle("GET "+base+"/unsubscribe/{token}", s.handler(s.askUnsubscribe))
		mux.Handle("POST "+base+"/unsubscribe/{token}", s.handler(s.unsubscribe))
		mux.Handle("GET "+base+"/preferences/{token}", s.handler(s.askPreferences))
		mux.Handle("POST "+base+"/preferences/{token}", s.handler(s.preferences))
		if s.Reviews != nil {
			mux.Handle(base+reviewPath+"{token}", s.handler(s.otherMethods))
			mux.Handle("GET "+base+reviewPath+"{token}", s.handler(s.askReview))
			mux.Handle("POST "+base+reviewPath+"{token}", s.handler(s.answerReview))
		}
		if s.SignUps != nil {
			mux.Handle(base+"/confirm/{token}", s.handler(s.otherMethods))
			mux.Handle("GET "+base+"/confirm/{token}", s.handler(s.askConfirm))
			mux.Handle("POST "+base+"/confirm/{token}", s.handler(s.confirm))
		}
	}
	if s.SignUps != nil {
		mux.Handle(s.base+"/"+signUpPath, s.handler(s.otherMethods))
		mux.Handle(s.base+"/"+signUpPath+"/{$}", s.handler(s.otherMethods))
		mux.Handle("POST "+s.base+"/"+signUpPath, s.handler(s.signUp))
		mux.Handle("POST "+s.base+"/"+signUpPath+"/{$}", s.handler(s.signUp))
		mux.Handle("GET "+s.base+"/"+signUpPath+"/{$}", s.handler(s.subscribePage))
		mux.Handle("GET "+s.base+"/"+proofPath, s.handler(s.proofScript))
	}
	if s.Search != nil {
		mux.Handle("GET "+s.base+"/"+searchPath, s.handler(s.search))
	}
	for _, base := range slices.Compact([]string{"", s.base}) { // supervisors know no path
		mux.Handle("GET "+base+"/healthz", s.handler(s.healthz))
		mux.Handle("GET "+base+"/readyz", s.handler(s.readyz))
		if s.Metrics != nil {
			mux.Handle("GET "+base+"/metrics", s.guarded(s.MetricsFrom, s.Metrics))
		}
	}
	nothing := s.handler(func(http.ResponseWriter, *http.Request) error { return fs.ErrNotExist })
	mux.Handle(s.base+"/admin/", s.guarded(s.AdminFrom, nothing))
	if s.base != "" {
		mux.Handle(s.base, s.handler(s.site.front))
		mux.Handle("/", s.handler(s.site.outside))
	}
	for path, h := range s.Extra {
		below := s.base + strings.TrimSuffix(path, "/")
		mux.Handle(below+"/", http.StripPrefix(below, h))
	}
	return mux
}

// otherMethods answers where a form may be sent to: with the page of the site to
// who reads, and else with what may be done there.
func (s *server) otherMethods(w http.ResponseWriter, r *http.Request) error {
	if reads(r) {
		return s.site.serve(w, r)
	}
	w.Header().Set("Allow", "GET, HEAD, POST")
	return errMethod
}

// bases are the paths, escaped, at which links in mails may begin: the
// publication's own, and those it had before.
func (s *server) bases() []string {
	list := []string{s.base}
	for _, home := range s.Publication.FormerHomes() {
		if base := (&url.URL{Path: home.Base}).EscapedPath(); !slices.Contains(list, base) {
			list = append(list, base)
		}
	}
	return list
}

// basePath returns the path of the publication's address without its last
// slash: empty for most.
func basePath(address string) *url.URL {
	u, err := url.Parse(address)
	if err != nil {
		return &url.URL{}
	}
	return &url.URL{Path: strings.TrimRight(u.Path, "/")}
}

// handler maps what a handler returns to an answer, once for all of them. A
// stranger learns the kind of the fault, the log its text.
func (s *server) handler(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header(), s.policy)
		err := serve(w, r)
		if err == nil {
			return
		}
		code := status(err)
		if code == http.StatusInternalServerError && r.Context().Err() == nil {
			s.Log.ErrorContext(r.Context(), "request failed", "route", r.Pattern, "err", err)
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, http.StatusText(code), code)
	})
}

func status(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, newsletter.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, errMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, errOrigin):
		return http.StatusForbidden
	case errors.Is(err, errBody):
		return http.StatusBadRequest
	}
	return http.StatusInternalServerError
}

var (
	errMethod = errors.New("method not allowed")
	errBody   = errors.New("the body cannot be read")
	errOrigin = errors.New("posted by the page of another site")
)

// policy fits pages that carry their style within them and show pictures from
// anywhere; nothing of them may run.
const policy = "default-src 'none'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src * data:; media-src *; " +
	"base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

// policyOf is the policy of all pages. Their forms may also lead to where the
// dynamic pages stand, which is another host where web.url says so.
func policyOf(pub newsletter.Publication) []string {
	u, err := url.Parse(pub.Search)
	if err != nil || u.Host == "" {
		return []string{policy}
	}
	return []string{policy + " " + u.Scheme + "://" + u.Host}
}

func secure(h http.Header, policy []string) {
	h["Content-Security-Policy"] = policy
	h["X-Content-Type-Options"] = headerNoSniff
	h["Referrer-Policy"] = headerReferrer
}
