package web

import (
	"strings"
	"testing"

	"threadmill/internal/newsletter"
)

// FuzzRedirects: whatever stands in the list, nobody is led out of the site.
func FuzzRedirects(f *testing.F) {
	for _, seed := range []string{
		"/a /letters/threads/x/ 301\n", "/ p=12 /letters/threads/x/ 301!\n", "/a https://example.org/letters/x 301", "/b //evil.example/ 301",
		"/b /letters//evil.example 301", "/b /letters/%2Fevil.example 301", "/b /letters/%5Cevil.example 301", "/x/* /letters/:splat 301", "# /a /b 301",
		"/a a=1 b=%zz /letters/ 301", "/a https://jo@example.org/letters/ 301",
	} {
		f.Add(seed, "/a", "p=12")
	}
	pub := newsletter.Publication{URL: "https://example.org/letters"}
	f.Fuzz(func(t *testing.T, text, path, query string) {
		rules := parseRedirects(text, pub)
		targets := []string{}
		for _, to := range rules.paths {
			targets = append(targets, to)
		}
		for _, list := range rules.queries {
			for _, p := range list {
				targets = append(targets, p.target)
			}
		}
		if to, ok := rules.page(path, query); ok && query == "" {
			targets = append(targets, to)
		}
		for _, to := range targets {
			if strings.HasPrefix(to, "/") || strings.ContainsAny(to, "\\ \r\n") {
				t.Errorf("leads to %q", to)
			}
		}
	})
}
