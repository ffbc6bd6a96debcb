package web

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"threadmill/internal/newsletter"
	"threadmill/internal/site"
)

// redirects knows which addresses lead to others, from the list that the site
// keeps in its folder. It is for several goroutines.
type redirects struct {
	pub newsletter.Publication

	reading sync.Mutex // held by the one that reads a list

	mu    sync.Mutex
	stamp stamp
	rules redirectRules
}

// redirectRules are the lines of a list; targets are paths below the site.
type redirectRules struct {
	paths   map[string]string         // by newsletter.PathKey
	queried map[string]bool           // the paths that a query counts for
	queries map[string][]queryPattern // by path and the first pair of the pattern
}

// queryPattern is a rule for requests whose query holds all its pairs.
type queryPattern struct {
	pairs  url.Values
	target string
}

// maxRedirects bounds the list, in bytes: a hundred former addresses for each of
// thousands of threads.
const maxRedirects = 64 << 20

// current is the list as the folder has it now. While one request reads a new
// list, which takes a second for the longest, the others go by the one before.
func (r *redirects) current(root *os.Root) redirectRules {
	now, ok := stampOf(filepath.Join(root.Name(), site.RedirectsFile))
	if !ok {
		return redirectRules{}
	}
	rules, fresh := r.known(now)
	switch {
	case fresh:
		return rules
	case rules.paths == nil:
		r.reading.Lock()
	case !r.reading.TryLock():
		return rules
	}
	defer r.reading.Unlock()
	if rules, fresh = r.known(now); fresh { // by now
		return rules
	}
	f, _, err := open(root, site.RedirectsFile)
	if err != nil {
		return redirectRules{}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRedirects))
	if err != nil {
		return redirectRules{}
	}
	rules = parseRedirects(string(text), r.pub)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stamp, r.rules = now, rules
	return rules
}

// known are the rules that were read last, and whether the list is the same.
func (r *redirects) known(now stamp) (rules redirectRules, fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rules, r.rules.paths != nil && r.stamp == now
}

// asked tells whether the query may count for a path, so that no file in memory
// is the answer.
func (r *redirects) asked(dir, asked string) bool {
	now, ok := stampOf(filepath.Join(dir, site.RedirectsFile))
	if !ok {
		return false
	}
	rules, fresh := r.known(now)
	return !fresh || rules.queried[newsletter.PathKey(asked)]
}

// byQuery is the page that the query of an address names, below the site.
func (r *redirects) byQuery(root *os.Root, asked *url.URL) (string, bool) {
	if asked.RawQuery == "" {
		return "", false
	}
	return r.current(root).byQuery(asked.Path, asked.RawQuery)
}

// parseRedirects reads what the site writes; see site.RedirectsFile. Lines that
// are for other hosts, for folders, or that lead out of the site are left out.
func parseRedirects(text string, pub newsletter.Publication) redirectRules {
	rules := redirectRules{map[string]string{}, map[string]bool{}, map[string][]queryPattern{}}
	var named, target string // by the last line; one page has many addresses
	var ok bool
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		n := len(words)
		if n < 3 || !strings.HasPrefix(words[0], "/") || strings.Contains(words[0], "*") || !strings.HasPrefix(words[n-1], "301") {
			continue
		}
		from, err := url.PathUnescape(words[0])
		if to := words[n-2]; to != named {
			named = to
			target, ok = pageOf(to, pub)
		}
		if err != nil || !ok {
			continue
		}
		key := newsletter.PathKey(from)
		if n == 3 {
			if _, taken := rules.paths[key]; !taken {
				rules.paths[key] = target
			}
			continue
		}
		if pairs, err := url.ParseQuery(strings.Join(words[1:n-2], "&")); err == nil && len(pairs) > 0 {
			name := slices.Min(slices.Collect(maps.Keys(pairs)))
			first := key + pair(name, pairs.Get(name))
			rules.queried[key] = true
			rules.queries[first] = append(rules.queries[first], queryPattern{pairs, target})
		}
	}
	return rules
}

// pageOf is the path below the site that a target names, escaped.
func pageOf(target string, pub newsletter.Publication) (string, bool) {
	u, err := url.Parse(target)
	if err != nil || u.Host != "" && !strings.EqualFold(u.Hostname(), pub.Host()) {
		return "", false
	}
	below, ok := strings.CutPrefix(u.Path, pub.BasePath()+"/")
	if !ok || strings.HasPrefix(below, "/") || strings.Contains(below, `\`) {
		return "", false
	}
	return (&url.URL{Path: "/" + below}).EscapedPath()[1:], true
}

// page is the page that an address leads to, below the site, and the query that
// goes with it.
func (rules redirectRules) page(asked string, query string) (string, bool) {
	if to, ok := rules.byQuery(asked, query); ok {
		return to, true
	}
	to, ok := rules.paths[newsletter.PathKey(asked)]
	if ok && query != "" {
		to += "?" + query
	}
	return to, ok
}

// byQuery is the page that a query names, as /?p=12 does.
func (rules redirectRules) byQuery(asked, query string) (string, bool) {
	key := newsletter.PathKey(asked)
	if query == "" || !rules.queried[key] {
		return "", false
	}
	values, _ := url.ParseQuery(query) // pairs that are no pairs are left out
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, p := range rules.queries[key+pair(name, values.Get(name))] {
			if p.matches(values) {
				return p.target, true
			}
		}
	}
	return "", false
}

// pair is a pair of a query as queries are looked up by it.
func pair(name, value string) string { return "?" + url.Values{name: {value}}.Encode() }

func (p queryPattern) matches(asked url.Values) bool {
	for name, values := range p.pairs {
		if asked.Get(name) != values[0] {
			return false
		}
	}
	return true
}

// place is where an address below the site leads, given without the site's own
// path: to a page that it stands for, or to a file. It is escaped.
func (s *files) place(root *os.Root, below, query string) (string, bool) {
	rules := s.redirects.current(root)
	if to, ok := rules.byQuery(s.prefix+below, query); ok {
		return to, true
	}
	name := strings.TrimSuffix(below, "/")
	if to, ok := existing(root, name); ok {
		if query != "" {
			to += "?" + query
		}
		return to, true
	}
	return rules.page(s.prefix+below, query)
}

// existing is the address of a file or page of the site.
func existing(root *os.Root, name string) (string, bool) {
	if name == "" {
		return "", true
	}
	if name != searchPath && !public(name) {
		return "", false
	}
	escaped := (&url.URL{Path: "/" + name}).EscapedPath()[1:]
	info, err := root.Stat(name)
	switch {
	case err != nil:
		return escaped, name == searchPath
	case !info.IsDir():
		return escaped, true
	}
	_, err = root.Stat(path.Join(name, "index.html"))
	return escaped + "/", err == nil
}

// formerly sends a reader on who asks for the address of a page in another
// house, and tells whether it did.
func (s *files) formerly(w http.ResponseWriter, r *http.Request, root *os.Root) bool {
	if to, ok := s.redirects.current(root).page(r.URL.Path, r.URL.RawQuery); ok {
		s.sendOn(w, r, s.top+to)
		return true
	}
	for _, base := range s.formerBases {
		below, ok := strings.CutPrefix(r.URL.Path+"/", base+"/")
		if !ok || strings.HasPrefix(r.URL.Path, s.prefix) && strings.HasPrefix(s.prefix, base+"/") {
			continue
		}
		if to, ok := s.place(root, strings.TrimSuffix(below, "/"), r.URL.RawQuery); ok {
			s.sendOn(w, r, s.top+to)
			return true
		}
	}
	return false
}

// sendOn answers that a page stands elsewhere for good.
func (s *files) sendOn(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", maxAge)
	http.Redirect(w, r, to, http.StatusMovedPermanently)
}

// outside answers for paths that are not below the publication's own: only old
// addresses lie there.
func (s *files) outside(w http.ResponseWriter, r *http.Request) error {
	if !reads(r) {
		return fs.ErrNotExist
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return fmt.Errorf("open output folder: %w", err)
	}
	defer root.Close()
	if !s.formerly(w, r, root) {
		return fs.ErrNotExist
	}
	return nil
}

// front sends a reader on to the path of the publication, which ends with a
// slash.
func (s *files) front(w http.ResponseWriter, r *http.Request) error {
	if !reads(r) {
		w.Header().Set("Allow", "GET, HEAD")
		return errMethod
	}
	s.sendOn(w, r, (&url.URL{Path: s.prefix, RawQuery: r.URL.RawQuery}).String())
	return nil
}

// reads tells whether a request only reads.
func reads(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// dynamic are the first parts of the paths at which the server does something:
// links in mails go on to work under the address that was in them.
var dynamic = []string{"healthz", "readyz", "metrics", "unsubscribe", "confirm", "preferences", "subscribe", "admin"}

// moved sends whoever comes by a former host of the publication on to the same
// page at its address, in one step.
func (s *server) moved(next http.Handler) http.Handler {
	bases := map[string][]string{}
	for _, home := range s.Publication.FormerHomes() {
		if !strings.EqualFold(home.Host, s.Publication.Host()) {
			bases[home.Host] = append(bases[home.Host], home.Base)
		}
	}
	if len(bases) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if list, former := bases[hostOf(r)]; former && reads(r) {
			if to, ok := s.newPlace(r, list); ok {
				secure(w.Header(), s.policy)
				s.site.sendOn(w, r, s.Publication.URL+"/"+to)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// newPlace is where a path of a former host leads below the publication's
// address; bases are the paths that the publication had there.
func (s *server) newPlace(r *http.Request, bases []string) (string, bool) {
	root, err := os.OpenRoot(s.Dir)
	if err != nil {
		return "", false // the request fails as any other
	}
	defer root.Close()
	for _, base := range bases {
		below, ok := strings.CutPrefix(r.URL.Path, base+"/")
		if first, _, _ := strings.Cut(below, "/"); ok && slices.Contains(dynamic, first) && below != "subscribe/" {
			return "", false
		}
	}
	if to, ok := s.site.redirects.current(root).page(r.URL.Path, r.URL.RawQuery); ok {
		return to, true
	}
	for _, base := range bases {
		below, ok := strings.CutPrefix(r.URL.Path+"/", base+"/")
		if !ok {
			continue
		}
		below = strings.TrimLeft(strings.TrimSuffix(below, "/"), "/")
		if to, ok := s.site.place(root, below, r.URL.RawQuery); ok {
			return to, true
		}
		to := url.URL{Path: "/" + below, RawQuery: r.URL.RawQuery}
		return to.String()[1:], true
	}
	return "", false
}

// hostOf is the host that a request is for, in lower case and without a port.
func hostOf(r *http.Request) string {
	u := url.URL{Host: r.Host}
	return strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
}
