package web_test

import (
	"net/http"
	"strings"
	"testing"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
)

const oneClick = "List-Unsubscribe=One-Click"

// subscriber puts ada@example.org on the list.
func (p *publication) subscriber(tb testing.TB) newsletter.Subscriber {
	tb.Helper()
	_, sub, err := audience.New(p.db, tokens).Add(tb.Context(), "ada@example.org", "Ada", nil)
	if err != nil {
		tb.Fatal(err)
	}
	return sub
}

func (p *publication) status(tb testing.TB, id int64) newsletter.SubscriberStatus {
	tb.Helper()
	sub, err := p.db.Subscriber(tb.Context(), id)
	if err != nil {
		tb.Fatal(err)
	}
	return sub.Status
}

// Scanners follow every link in a mail; none of that may unsubscribe.
func TestLookingChangesNothing(t *testing.T) {
	p := openList(t)
	sub := p.subscriber(t)
	path := "/unsubscribe/" + tokens.Sign(sub.ID, 1)
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut} {
		p.ask(t, method, path, "")
		p.ask(t, method, path+"?List-Unsubscribe=One-Click", "")
	}
	if got := p.status(t, sub.ID); got != newsletter.SubscriberActive {
		t.Errorf("the status is %s", got)
	}
}

func TestUnsubscribePage(t *testing.T) {
	p := openList(t, at("https://example.org/news"))
	sub := p.subscriber(t)
	path := "/news/unsubscribe/" + tokens.Sign(sub.ID, 1)
	res := p.get(t, path)
	if res.StatusCode != http.StatusOK || strings.Count(res.body, `name="List-Unsubscribe"`) != 1 {
		t.Errorf("%s\n%s", res.Status, res.body)
	}
	if !strings.Contains(res.body, `method="post" action="`+path+`"`) {
		t.Errorf("the form does not post to %s:\n%s", path, res.body)
	}
	if strings.Contains(res.body, "ada@") || !strings.Contains(res.body, "a…@e….org") {
		t.Errorf("the address is not masked:\n%s", res.body)
	}
	for key, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
		"X-Robots-Tag": "noindex", "X-Content-Type-Options": "nosniff", "Set-Cookie": "",
	} {
		if got := res.Header.Get(key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "form-action 'self'") || strings.Contains(policy, "script-src") {
		t.Errorf("the policy is %q", policy)
	}
}

func TestUnsubscribe(t *testing.T) {
	const parts = "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n"
	tests := []struct {
		name, body string
		headers    []string
	}{
		{"one-click as Gmail sends it", oneClick, []string{
			"Content-Type", "application/x-www-form-urlencoded", "User-Agent", "Google-Gmail-Unsubscribe", "Accept", "*/*", "Accept-Encoding", "gzip, deflate, br",
		}},
		{"one-click of a program that says its origin", oneClick, []string{
			"Content-Type", "application/x-www-form-urlencoded; charset=UTF-8", "Origin", "https://mail.example.com",
		}},
		{"one-click of a browser without an origin", oneClick, []string{
			"Content-Type", "application/x-www-form-urlencoded", "Origin", "null", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate",
		}},
		{"one-click as a form with parts", parts, []string{"Content-Type", "multipart/form-data; boundary=x"}},
		{"one-click as a form with parts, of a browser", parts, []string{"Content-Type", `multipart/form-data; boundary="x"`, "Origin", "null", "Sec-Fetch-Site", "cross-site"}},
		{"no body", "", nil},
		{"another site's form", "x=y", []string{"Content-Type", "text/plain", "Origin", "https://mail.example.com"}},
	}
	p := openList(t)
	sub := p.subscriber(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := p.db.SetSubscriberStatus(t.Context(), sub.ID, newsletter.SubscriberActive, "test"); err != nil {
				t.Fatal(err)
			}
			path := "/unsubscribe/" + tokens.Sign(sub.ID, 1)
			// Mail providers send it twice now and then.
			for range 2 {
				res := p.ask(t, http.MethodPost, path, tt.body, tt.headers...)
				if res.StatusCode != http.StatusOK || strings.Contains(res.body, `name="List-Unsubscribe"`) || !strings.Contains(res.body, "unsubscribed") {
					t.Errorf("%s\n%s", res.Status, res.body)
				}
			}
			if got := p.status(t, sub.ID); got != newsletter.SubscriberUnsubscribed {
				t.Errorf("the status is %s", got)
			}
			if res := p.get(t, path); strings.Contains(res.body, `name="List-Unsubscribe"`) {
				t.Errorf("the button is still there:\n%s", res.body)
			}
		})
	}
}

func TestUnsubscribeBodyBounded(t *testing.T) {
	p := openList(t)
	sub := p.subscriber(t)
	res := p.ask(t, http.MethodPost, "/unsubscribe/"+tokens.Sign(sub.ID, 1), strings.Repeat("x", 100_000))
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("100 kB are answered with %s", res.Status)
	}
}

func TestUnsubscribeForgotten(t *testing.T) {
	p := openList(t)
	res := p.ask(t, http.MethodPost, "/unsubscribe/"+tokens.Sign(99, 1), oneClick)
	if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "unsubscribed") {
		t.Errorf("%s\n%s", res.Status, res.body)
	}
}
