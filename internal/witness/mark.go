package witness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"threadmill/internal/newsletter"
)

const (
	// maxMark bounds a mark, in bytes, maxID each of its ids, and maxIssue the
	// number of its issue, after which others have to go on.
	maxMark  = 16 << 10
	maxID    = 100
	maxIssue = 1_000_000_000
	// maxRedirects is how many redirects are followed.
	maxRedirects = 5
	// markTimeout bounds how long a slot waits for a site that does not answer.
	markTimeout = 5 * time.Second
)

// errNoMark says that what stands at the place of a mark is none.
var errNoMark = errors.New("what stands at " + newsletter.MarkPath + " is not the mark of a publication")

// ParseMark reads a mark.
func ParseMark(text []byte) (newsletter.Mark, error) {
	var m newsletter.Mark
	if json.Unmarshal(text, &m) != nil || !plainID(m.Publication) || !plainID(m.Instance) || m.Issue < 0 || m.Issue > maxIssue {
		return newsletter.Mark{}, errNoMark
	}
	return m, nil
}

// plainID tells whether an id is one that can be kept and shown.
func plainID(id string) bool {
	return id != "" && len(id) <= maxID && !strings.ContainsFunc(id, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-'
	})
}

// InDir reads the mark in an output folder; the zero Mark where there is none.
func InDir(dir string) (newsletter.Mark, error) {
	f, err := os.Open(filepath.Join(dir, filepath.FromSlash(newsletter.MarkPath)))
	if errors.Is(err, fs.ErrNotExist) {
		return newsletter.Mark{}, nil
	}
	if err != nil {
		return newsletter.Mark{}, err
	}
	defer f.Close()
	return readMark(f)
}

func readMark(r io.Reader) (newsletter.Mark, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxMark))
	if err != nil {
		return newsletter.Mark{}, err
	}
	return ParseMark(text)
}

// At asks a site for its mark, past every cache; the zero Mark where it has none.
func At(ctx context.Context, url string) (newsletter.Mark, error) {
	ctx, cancel := context.WithTimeout(ctx, markTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimRight(url, "/")+"/"+newsletter.MarkPath, nil)
	if err != nil {
		return newsletter.Mark{}, err
	}
	r.Header.Set("Cache-Control", "no-cache")
	answer, err := client().Do(r)
	if err != nil {
		return newsletter.Mark{}, err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return readMark(answer.Body)
	case http.StatusNotFound, http.StatusGone:
		return newsletter.Mark{}, nil
	}
	return newsletter.Mark{}, fmt.Errorf("it answers %s", answer.Status)
}

// client asks once and keeps no connection.
func client() *http.Client {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DisableKeepAlives = true
	return &http.Client{Transport: t, CheckRedirect: mayFollow}
}

// mayFollow lets a site move readers to another address, but not from a public
// one to machines that only this one reaches, such as those of a host's metadata.
func mayFollow(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case r.URL.Scheme != "http" && r.URL.Scheme != "https":
		return fmt.Errorf("it redirects to %s:, which is not followed", r.URL.Scheme)
	case r.URL.Hostname() != via[0].URL.Hostname() && inner(r.URL.Hostname()):
		return fmt.Errorf("it redirects to %s, which is not followed", r.URL.Host)
	}
	return nil
}

// inner tells whether a host is written as an address that is not public.
func inner(host string) bool {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host == "localhost" || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".internal")
	}
	ip = ip.Unmap()
	return !ip.IsGlobalUnicast() || ip.IsPrivate()
}
