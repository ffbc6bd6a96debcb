package newsletter

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of params.formerly.
const (
	FormerMax       = 100  // entries of a thread
	FormerMaxLength = 2048 // bytes of each
)

// FormerAddress is an address that a thread had elsewhere.
type FormerAddress struct {
	// Host is in lower case and without a port; empty where only the path was
	// given.
	Host string
	// Path is decoded and counts from the root of the host, "/2019/03/post.html".
	Path string
	// Query is what a program put its pages' numbers into, as in /?p=12; nil for
	// none.
	Query url.Values
}

// ErrNoAddress says that an entry of params.formerly is an id and no address.
var ErrNoAddress = errors.New("an id, not an address")

// errAddress says what an address looks like.
var errAddress = errors.New("neither an address that begins with https:// nor a path that begins with one /")

// ParseFormer reads an entry of params.formerly. It is ErrNoAddress for an id,
// such as "tag:example.org,2019:12", and another error for what is neither.
func ParseFormer(text string) (FormerAddress, error) {
	switch {
	case len(text) > FormerMaxLength:
		return FormerAddress{}, fmt.Errorf("longer than %d bytes", FormerMaxLength)
	case !utf8.ValidString(text), strings.ContainsFunc(text, unicode.IsControl):
		return FormerAddress{}, errors.New("holds a control character")
	case strings.Contains(text, `\`), strings.HasPrefix(text, "//"):
		return FormerAddress{}, errAddress
	}
	u, err := url.Parse(text)
	if !strings.HasPrefix(text, "/") {
		if err := hosted(text, u, err); err != nil {
			return FormerAddress{}, err
		}
	}
	if err != nil {
		return FormerAddress{}, errors.New("not an address: a % stands before two hex digits")
	}
	return formerAddress(u)
}

// hosted tells why a text that is no path is not an address in full; u is what
// it was read as unless err is set.
func hosted(text string, u *url.URL, err error) error {
	switch {
	case err == nil && (u.Scheme == "http" || u.Scheme == "https"):
		if u.Hostname() == "" || u.User != nil {
			return errors.New("an address without a host, or with a name to log in")
		}
		return nil
	case err == nil && u.Scheme != "", !strings.Contains(text, "/"):
		return ErrNoAddress
	}
	return errAddress
}

func formerAddress(u *url.URL) (FormerAddress, error) {
	if strings.ContainsFunc(u.Path, unicode.IsControl) || strings.Contains(u.Path, `\`) || !utf8.ValidString(u.Path) {
		return FormerAddress{}, errors.New("the path holds a character that no page has")
	}
	a := FormerAddress{Host: strings.ToLower(u.Hostname()), Path: cleanPath(u.Path)}
	if u.RawQuery != "" {
		var err error
		if a.Query, err = url.ParseQuery(u.RawQuery); err != nil {
			return FormerAddress{}, errors.New("the part behind ? is not one of pairs: write ?p=12")
		}
	}
	return a, nil
}

// cleanPath takes dots and doubled slashes out of a path, as browsers do; a
// slash at its end stays.
func cleanPath(p string) string {
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// Key is the same for all forms of an address; see PathKey.
func (a FormerAddress) Key() string {
	if len(a.Query) == 0 {
		return PathKey(a.Path)
	}
	return PathKey(a.Path) + "?" + a.Query.Encode()
}

// PathKey is the same for all forms of a decoded path that hosts take for one
// page: /a, /a/, /a.html and /a/index.html.
func PathKey(p string) string {
	for p = path.Clean("/" + p); ; {
		dir, base := path.Split(p)
		short := strings.TrimSuffix(strings.TrimSuffix(base, ".html"), ".htm")
		switch {
		case short == base || short == "":
			return p
		case short == "index":
			p = path.Clean(dir)
		default:
			p = dir + short
		}
	}
}

// BasePath is the path of the publication's address, decoded and without its
// last slash: empty for most.
func (p Publication) BasePath() string { return basePath(p.URL) }

func basePath(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.TrimRight(u.Path, "/")
}

// FormerHome is where the publication was.
type FormerHome struct {
	Host string // in lower case and without a port
	Base string // as BasePath
}

// FormerHomes are those of FormerURLs, in their order.
func (p Publication) FormerHomes() []FormerHome {
	var list []FormerHome
	for _, address := range p.FormerURLs {
		if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
			list = append(list, FormerHome{strings.ToLower(u.Hostname()), basePath(address)})
		}
	}
	return list
}

// Moved tells whether a former home has another host than the publication has
// now.
func (p Publication) Moved() bool {
	for _, home := range p.FormerHomes() {
		if !strings.EqualFold(home.Host, p.Host()) {
			return true
		}
	}
	return false
}

// FormerAddresses are those of the thread that are or were the publication's
// own, so that it can answer at them.
func (p Publication) FormerAddresses(t Thread) []FormerAddress {
	var list []FormerAddress
	for _, text := range t.Formerly {
		a, err := ParseFormer(text)
		if err == nil && p.owned(a.Host) {
			list = append(list, a)
		}
	}
	return list
}

func (p Publication) owned(host string) bool {
	if host == "" || strings.EqualFold(host, p.Host()) {
		return true
	}
	for _, home := range p.FormerHomes() {
		if home.Host == host {
			return true
		}
	}
	return false
}

// FormerPaths are the pages that the thread had here under other slugs.
func (t Thread) FormerPaths() []string {
	var list []string
	for _, slug := range t.FormerSlugs {
		if slug != t.Slug {
			list = append(list, Thread{Slug: slug}.Path())
		}
	}
	return list
}

// ByClaim are the entries that had other addresses before, in the order in which
// they may claim them: the one that went out first comes first, so that no later
// thread takes an address over.
func ByClaim(entries []Entry) []Entry {
	var list []Entry
	for i := range entries {
		if e := &entries[i]; len(e.Formerly)+len(e.FormerSlugs) > 0 {
			list = append(list, *e)
		}
	}
	slices.SortStableFunc(list, func(a, b Entry) int {
		switch {
		case a.OutNumber == 0 && b.OutNumber > 0: // not out yet
			return 1
		case b.OutNumber == 0 && a.OutNumber > 0:
			return -1
		}
		return cmp.Or(cmp.Compare(a.OutNumber, b.OutNumber), cmp.Compare(a.ID, b.ID))
	})
	return list
}
