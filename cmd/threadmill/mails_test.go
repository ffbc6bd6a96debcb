package main

import (
	"html"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // mails in any
)

// postman brings what a relay took, with its content.
type postman struct {
	r    *relay
	came chan struct{}
	read map[string]int // by address
}

// newPostman keeps all that a relay takes from now on.
func newPostman(r *relay) *postman {
	m := &postman{r: r, came: make(chan struct{}, 1), read: map[string]int{}}
	r.mu.Lock()
	r.keep = true
	r.mu.Unlock()
	r.afterEach(func(int) {
		select {
		case m.came <- struct{}{}:
		default:
		}
	})
	return m
}

// next waits for the next mail to an address.
func (m *postman) next(t *testing.T, to string) copyOf {
	t.Helper()
	patience := time.After(time.Minute)
	for {
		n := 0
		for _, c := range m.r.accepted() {
			if c.to != to {
				continue
			}
			if n++; n > m.read[to] {
				m.read[to] = n
				return c
			}
		}
		select {
		case <-m.came:
		case <-patience:
			t.Fatalf("no mail comes to %s", to)
		}
	}
}

var (
	hrefs     = regexp.MustCompile(`(?:href|src)="([^"]*)"`)
	addresses = regexp.MustCompile(`https?://[^\s<>"]+`)
)

// links are all addresses of the web in a mail: in its text, in its HTML and in
// its headers.
func (c copyOf) links(t *testing.T) []string {
	t.Helper()
	e, err := message.Read(strings.NewReader(c.raw))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for f := e.Header.Fields(); f.Next(); {
		list = append(list, addresses.FindAllString(f.Value(), -1)...)
	}
	err = e.Walk(func(_ []int, part *message.Entity, err error) error {
		if err != nil {
			return err
		}
		kind, _, err := part.Header.ContentType()
		if err != nil || !strings.HasPrefix(kind, "text/") {
			return err
		}
		body, err := io.ReadAll(part.Body)
		text := string(body)
		if kind == "text/html" {
			for _, m := range hrefs.FindAllStringSubmatch(text, -1) {
				if link := html.UnescapeString(m[1]); strings.HasPrefix(link, "http") {
					list = append(list, link)
				}
			}
			text = html.UnescapeString(text)
		}
		list = append(list, addresses.FindAllString(text, -1)...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// link is the one in a mail to a kind of page.
func (c copyOf) link(t *testing.T, page string) string {
	t.Helper()
	var found []string
	for _, link := range c.links(t) {
		if u, err := url.Parse(link); err == nil && strings.Contains(u.Path, page) {
			found = append(found, link)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%q to %s has the links %q to %s", c.subject, c.to, found, page)
	}
	return found[0]
}
