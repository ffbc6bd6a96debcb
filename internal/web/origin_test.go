package web_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"threadmill/internal/web"
)

// TestOtherOrigins posts from the pages of other sites: where a token or a mail
// decides they may, elsewhere not.
func TestOtherOrigins(t *testing.T) {
	p := openList(t, func(o *web.Options) {
		o.Publication.URL = "https://shed.example.org/letters"
		o.Publication.FormerURLs = []string{"https://shed.example.org/old"}
	})
	for _, test := range []struct {
		path string
		open bool
	}{
		{"/letters/", false},
		{"/letters/admin/x", false},
		{"/letters/search", false},
		{"/letters/subscribers", false},
		{"/letters/subscribe", true},
		{"/letters/unsubscribe/x", true},
		{"/old/unsubscribe/x", true},
		{"/letters/confirm/x", true},
		{"/letters/preferences/x", true},
		{"/letters/webhooks/ses", true},
	} {
		for _, header := range [][]string{{"Origin", "https://other.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Origin", "null"}} {
			res := p.ask(t, http.MethodPost, test.path, "a=b", header...)
			if got := res.StatusCode != http.StatusForbidden; got != test.open {
				t.Errorf("POST %s, %s: %s", test.path, header, res.Status)
			}
			if res.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("POST %s, %s: no policy", test.path, header)
			}
		}
		if res := p.ask(t, http.MethodPost, test.path, "a=b", "Origin", p.URL); res.StatusCode == http.StatusForbidden {
			t.Errorf("POST %s by our own page: %s", test.path, res.Status)
		}
	}
}

// TestOpenRedirects tries to be sent to another site.
func TestOpenRedirects(t *testing.T) {
	for _, address := range []string{"https://shed.example.org", "https://shed.example.org/letters"} {
		p := open(t, func(o *web.Options) {
			o.Publication.URL = address
			o.Publication.FormerURLs = []string{"https://old.example.org/a", "https://shed.example.org/old", "https://shed.example.org"}
		})
		p.write(t, "_redirects", "/lure //evil.example/ 301\n/lure2 /\\evil.example 301\n/lure3 https://evil.example/ 301\n")
		for _, path := range []string{
			"//evil.example", "//evil.example/", "/\\evil.example", "/%5Cevil.example", "/%5C%5Cevil.example/..", "/%2F%2Fevil.example",
			"///evil.example/threads/first", "/letters//evil.example", "/letters//evil.example/", "/letters/%2Fevil.example/", "/a//evil.example",
			"/a/%5Cevil.example", "/old//evil.example/", "/old/%2F%2Fevil.example", "/lure", "/lure2", "/lure3", "/?next=https://evil.example",
			"/threads/first?next=//evil.example", "/letters?next=//evil.example", "/evil.example//threads/first/../..", "/.//evil.example", "/a/.//evil.example",
		} {
			for _, host := range []string{"shed.example.org", "old.example.org", "evil.example"} {
				checkRedirect(t, p, path, host)
			}
		}
	}
}

func checkRedirect(t *testing.T, p *publication, path, host string) {
	t.Helper()
	res := p.get(t, path, "Host", host)
	plain := res.Header.Get("Location")
	to, err := (&url.URL{Scheme: "https", Host: host, Path: "/"}).Parse(plain)
	if err != nil || to.Host != "shed.example.org" && to.Host != host || strings.HasPrefix(plain, "//") || strings.Contains(plain, `\`) {
		t.Errorf("GET %s at %s leads to %s, %v", path, host, plain, err)
	}
}

// TestAccessLog reads the line of a request.
func TestAccessLog(t *testing.T) {
	p := openList(t, func(o *web.Options) { o.AccessLog = true })
	p.get(t, "/unsubscribe/secret-token?q=jo@example.com", "Referer", "https://example.com/from", "User-Agent", "Snooper/1", "X-Forwarded-For", "198.51.100.7")
	p.Close() // which waits for the end of the request
	line := p.log.String()
	for _, part := range []string{"level=INFO msg=request method=GET", "/unsubscribe/{token}", "status=400", "duration="} {
		if !strings.Contains(line, part) {
			t.Errorf("lacks %s: %s", part, line)
		}
	}
	for _, secret := range []string{"secret", "jo@", "127.0.0.1", "198.51", "Snooper", "from"} {
		if strings.Contains(line, secret) {
			t.Errorf("shows %s: %s", secret, line)
		}
	}
}
