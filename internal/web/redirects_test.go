package web_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/site"
	"threadmill/internal/web"
)

// moved serves a publication whose threads have been elsewhere, from the folder
// that the site wrote.
func moved(tb testing.TB, address string, formerly []string, slugs []string, homes ...string) *publication {
	tb.Helper()
	p := openList(tb, func(o *web.Options) {
		o.Publication.URL, o.Publication.FormerURLs = address, homes
		e := newsletter.Entry{OutNumber: 1, Thread: newsletter.Thread{
			ID: "shed", GUID: "tag:shed", Slug: "shed", FormerSlugs: slugs, Formerly: formerly, Title: "Moving a shed",
			Posts: []newsletter.Post{{Text: "A shed."}}, Minutes: 1,
		}}
		e.PublishedAt, e.UpdatedAt = day, day
		s := site.New(site.Options{Dir: o.Dir, Publication: o.Publication, Templates: o.Templates(), Privacy: render.Privacy{}})
		if _, err := s.Write(tb.Context(), site.Content{Entries: []newsletter.Entry{e}}); err != nil {
			tb.Fatal(err)
		}
		if err := s.Gone([]string{"threads/withdrawn/"}); err != nil {
			tb.Fatal(err)
		}
	})
	return p
}

func (p *publication) askHost(tb testing.TB, method, host, path string) answer {
	tb.Helper()
	return p.ask(tb, method, path, "", "Host", host)
}

// day is when the thread went out.
var day = time.Date(2026, time.March, 4, 9, 0, 0, 0, time.UTC)

type leads struct{ host, from, to string }

func (p *publication) checkLeads(t *testing.T, list []leads) {
	t.Helper()
	for _, l := range list {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			res := p.askHost(t, method, l.host, l.from)
			if res.StatusCode != http.StatusMovedPermanently || res.Header.Get("Location") != l.to {
				t.Errorf("%s %s %s: %s to %q, want %q", method, l.host, l.from, res.Status, res.Header.Get("Location"), l.to)
			}
			if res.Header.Get("Cache-Control") != "public, max-age=900" || res.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("%s %s: headers %v", l.host, l.from, res.Header)
			}
		}
	}
}

// Addresses that a thread had elsewhere lead to its page, in all their forms.
func TestFormerly(t *testing.T) {
	p := moved(t, "https://shed.example.org", []string{
		"/2019/03/shed.html", "https://SHED.example.org:443/old/p%C3%A9pin/", "/?p=12", "/show.php?a=1&b=x+y", "tag:elsewhere,2019:1",
		"https://elsewhere.example.org/status/1", "/a*b/:c", "/threads/first/", "/feed.xml", "/page", "/2020/",
	}, []string{"the-shed", "shed"})
	p.checkLeads(t, []leads{
		{"", "/2019/03/shed.html", "/threads/shed/"},
		{"", "/2019/03/shed", "/threads/shed/"},
		{"", "/2019/03/shed/", "/threads/shed/"},
		{"", "/2019/03/shed/index.html", "/threads/shed/"},
		{"", "/2019/03/shed/?utm_source=x", "/threads/shed/?utm_source=x"},
		{"", "/old/p%C3%A9pin", "/threads/shed/"},
		{"", "/old/p\u00e9pin/", "/threads/shed/"},
		{"", "/?p=12", "/threads/shed/"},
		{"", "/?utm_source=x&p=12", "/threads/shed/"},
		{"", "/show.php?b=x%20y&a=1", "/threads/shed/"},
		{"", "/a*b/:c", "/threads/shed/"},
		{"", "/a%2Ab/%3Ac", "/threads/shed/"},
		{"", "/2020", "/threads/shed/"},
		{"", "/threads/the-shed/", "/threads/shed/"},
		{"", "/threads/the-shed", "/threads/shed/"},
		{"", "/feed", "/feed.xml"},
		{"", "/feed/", "/feed.xml"},
		{"", "/rss", "/feed.xml"},
		{"", "/rss/", "/feed.xml"},
		{"", "/rss.xml", "/feed.xml"},
		{"", "/index.xml", "/feed.xml"},
		{"", "/atom", "/atom.xml"},
		{"", "/feed/atom/", "/atom.xml"},
		{"", "/?feed=rss2", "/feed.xml"},
	})
	for path, code := range map[string]int{
		"/": 200, "/?p=13": 200, "/?p=": 200, "/?%zz": 200, "/feed.xml?p=12": 200, "/threads/shed/?p=12": 200, "/threads/first/": 200,
		"/show.php?a=1": 404, "/show.php": 404, "/status/1": 404, "/axb/c": 404, "/_redirects": 404, "/2019/03/": 404,
		"/threads/withdrawn/": 410, "//2019/03/shed.html/../x": 307, "/threads/the-shed/a.png": 404,
	} {
		if res := p.get(t, path); res.StatusCode != code {
			t.Errorf("%s: %s, want %d", path, res.Status, code)
		}
	}
	if res := p.ask(t, http.MethodPost, "/2019/03/shed.html", ""); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", res.Status)
	}
}

// The list changes with the site, also for paths that are in memory.
func TestRedirectsChange(t *testing.T) {
	p := open(t)
	if res := p.get(t, "/?p=12"); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
	p.write(t, site.RedirectsFile, "/ p=12 /threads/first/ 301!\n/gone /threads/first/ 301\n")
	p.checkLeads(t, []leads{{"", "/?p=12", "/threads/first/"}, {"", "/gone", "/threads/first/"}})
	// Whoever may write there leads nobody out of the site.
	p.write(t, site.RedirectsFile, "/a https://elsewhere.example.org/ 301\n/b //elsewhere.example.org/x 301\n/c /\\elsewhere 301\n/d ///elsewhere.example.org 301\n"+
		"/e /%2Felsewhere.example.org 301\n/x/* /threads/first/ 301\n/f /threads/first/ 200\n/g\n\n# /h /threads/first/ 301\n/i javascript:alert(1) 301\n")
	for _, path := range []string{"/?p=12", "/gone", "/a", "/b", "/c", "/d", "/e", "/x/y", "/f", "/g", "/h", "/i"} {
		if res := p.get(t, path); res.Header.Get("Location") != "" {
			t.Errorf("%s leads to %q", path, res.Header.Get("Location"))
		}
	}
}

// A publication that had another host and another path answers there in one
// step, and mails of then go on to work.
func TestFormerHomes(t *testing.T) {
	p := moved(t, "https://example.org/letters", []string{"/2019/shed.html", "https://old.example.net/?p=12", "/letters/old/"}, []string{"the-shed"},
		"https://old.example.net", "https://example.org/blog", "http://older.example.net:8080/news/")
	const now = "https://example.org/letters"
	p.checkLeads(t, []leads{
		{"old.example.net", "/", now + "/"},
		{"OLD.example.net:443", "/threads/shed/", now + "/threads/shed/"},
		{"old.example.net.", "/threads/shed", now + "/threads/shed/"},
		{"old.example.net", "/threads/the-shed/", now + "/threads/shed/"},
		{"old.example.net", "/2019/shed.html", now + "/threads/shed/"},
		{"old.example.net", "/?p=12", now + "/threads/shed/"},
		{"old.example.net", "/feed.xml", now + "/feed.xml"},
		{"old.example.net", "/feed/", now + "/feed.xml"},
		{"old.example.net", "/search?q=shed", now + "/search?q=shed"},
		{"old.example.net", "/no%20such", now + "/no%20such"},
		{"old.example.net", "//evil.example.com/x", now + "/evil.example.com/x"},
		{"old.example.net", "/\\evil.example.com", now + "/%5Cevil.example.com"},
		{"older.example.net:8080", "/news", now + "/"},
		{"older.example.net", "/news/threads/the-shed", now + "/threads/shed/"},
		{"", "/letters", "/letters/"},
		{"", "/letters?x=1", "/letters/?x=1"},
		{"", "/blog", "/letters/"},
		{"", "/blog/threads/shed", "/letters/threads/shed/"},
		{"", "/blog/threads/the-shed/", "/letters/threads/shed/"},
		{"", "/blog/rss.xml", "/letters/feed.xml"},
		{"", "/2019/shed", "/letters/threads/shed/"},
		{"", "/letters/old", "/letters/threads/shed/"},
		{"", "/letters/threads/the-shed/", "/letters/threads/shed/"},
	})
	for path, code := range map[string]int{"/": 404, "/blog/nothing": 404, "/blog//evil.example.com": 307, "/elsewhere": 404, "/letters/": 200, "/letters/_redirects": 404} {
		if res := p.get(t, path); res.StatusCode != code {
			t.Errorf("%s: %s, want %d", path, res.Status, code)
		}
	}
	if res := p.askHost(t, http.MethodGet, "older.example.net", "/other"); res.StatusCode != http.StatusNotFound {
		t.Errorf("beside the former path: %s", res.Status)
	}
	if res := p.askHost(t, http.MethodPost, "", "/letters"); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", res.Status)
	}
	sub := p.subscriber(t)
	token := tokens.Sign(sub.ID, 1)
	for _, at := range [][2]string{{"old.example.net", ""}, {"older.example.net", "/news"}, {"", "/blog"}, {"", "/letters"}} {
		for _, path := range []string{"/healthz", at[1] + "/unsubscribe/" + token} {
			if res := p.askHost(t, http.MethodGet, at[0], path); res.StatusCode != http.StatusOK {
				t.Errorf("%s %s: %s", at[0], path, res.Status)
			}
		}
		if res := p.askHost(t, http.MethodPost, at[0], at[1]+"/unsubscribe/"+token); res.StatusCode != http.StatusOK || !strings.Contains(res.body, "unsubscribed") {
			t.Errorf("POST %s%s: %s %s", at[0], at[1], res.Status, res.body)
		}
	}
}

// What moved below its former path leads there, and no further below.
func TestMovedBelow(t *testing.T) {
	p := moved(t, "https://example.org/letters", nil, []string{"the-shed"}, "https://example.org")
	p.checkLeads(t, []leads{
		{"", "/threads/shed/", "/letters/threads/shed/"},
		{"", "/threads/the-shed/", "/letters/threads/shed/"},
		{"", "/feed.xml", "/letters/feed.xml"},
		{"", "/", "/letters/"},
	})
	for _, path := range []string{"/letters/nothing", "/letters/letters/", "/nothing"} {
		if res := p.get(t, path); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, res.Status)
		}
	}
}
