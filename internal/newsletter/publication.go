package newsletter

import (
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// Publication is what readers see of the whole: its name, its place on the
// web and the person behind it.
type Publication struct {
	Title       string
	Description string
	// URL is the public address of the site, without a trailing slash. It may
	// have a path.
	URL string
	// FormerURLs are the addresses that it had before, in the same form.
	FormerURLs []string
	// FirstURL is the address it had when its first feed was written, of which
	// the ids of its feeds are made; URL where it is empty.
	FirstURL string
	// Language is a BCP 47 tag such as "en" or "pt-BR".
	Language string
	Author   Person
	// Address is the postal address that stands under every mail; "none" and
	// "" leave the line out.
	Address string
	// Accent is the one colour of pages and mails, a CSS hex colour.
	Accent string
	// Colors are the grounds and the text on them.
	Colors Colors
	// Logo stands for the title above pages and mails.
	Logo Logo
	// Header and Footer stand above and below every page and mail, in Markdown;
	// empty for none.
	Header, Footer string
	// About is the page about the publication, in Markdown; empty for none.
	About string
	// Search is the address that answers a search, empty where none does.
	Search string
	// SignUp is the address that the form for signing up posts to, empty where
	// nothing would answer it.
	SignUp string
	// Zone is the zone in which dates are shown; never nil.
	Zone *time.Location
}

// Colors are CSS hex colours, each with a usual one where it is empty.
type Colors struct {
	Ground, Ink         string
	GroundDark, InkDark string // for readers who prefer dark
}

// Person is a name with ways to reach its owner; every field may be empty.
type Person struct {
	Name  string
	Email string
	URL   string
	Bio   string // one or two sentences, plain
}

// Host returns the host name of the publication's address, without a port;
// it is empty where the address is.
func (p Publication) Host() string {
	u, err := url.Parse(p.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// Link joins a path below the site, such as "threads/first/", to the
// publication's address. Letters beyond ASCII are escaped, as a URI needs it
// (RFC 3987, section 3.1).
func (p Publication) Link(path string) string {
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(p.URL, "/"))
	b.WriteByte('/')
	for _, c := range []byte(strings.TrimPrefix(path, "/")) {
		if c < utf8.RuneSelf {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Later is the later of two times.
func Later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
