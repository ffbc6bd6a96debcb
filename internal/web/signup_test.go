package web_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
	"threadmill/internal/web"
)

// openSignUp serves a site where people can sign up.
func openSignUp(tb testing.TB, limits audience.Limits, change ...func(*web.Options)) *publication {
	tb.Helper()
	limits.PerAddress = 3
	db, err := store.Open(tb.Context(), filepath.Join(tb.TempDir(), "threadmill.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	p := open(tb, append(change, func(o *web.Options) {
		o.Audience = audience.New(db, tokens)
		o.Publication.SignUp = o.Publication.URL + "/subscribe"
		o.Next = func() time.Time { return time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC) }
		if o.SignUps != nil {
			return
		}
		o.SignUps = audience.NewSignUps(audience.SignUpOptions{
			Store: db, Tokens: tokens, Within: 24 * time.Hour, Limits: limits, NetworkKey: []byte("0123456789abcdef"),
		})
	})...)
	p.db = db
	return p
}

func (p *publication) signUp(tb testing.TB, path, email string, headers ...string) answer {
	tb.Helper()
	form := url.Values{"email": {email}, "name": {"Ada"}, "tags": {"web"}}.Encode()
	return p.ask(tb, http.MethodPost, path, form, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// link is the path of the link in the letter that goes to an address.
func (p *publication) link(tb testing.TB, email string) string {
	tb.Helper()
	l, err := p.db.TakeLetter(tb.Context(), time.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	sub, err := p.db.Subscriber(tb.Context(), l.Subscriber)
	if err != nil || sub.Email != email {
		tb.Fatalf("the letter goes to %+v, %v", sub, err)
	}
	return "/confirm/" + tokens.SignFor(audience.PurposeConfirm, sub.ID, l.CreatedAt.UnixMilli())
}

func TestSignUpAndConfirm(t *testing.T) {
	p := openSignUp(t, audience.Limits{}, at("https://example.org/news"))
	if res := p.signUp(t, "/news/subscribe", "ada@example.org", "Origin", "https://blog.example.net"); res.StatusCode != http.StatusOK || !strings.Contains(res.body, "<bdi>ada@example.org</bdi>") {
		t.Errorf("%s\n%s", res.Status, res.body)
	}
	path := "/news" + p.link(t, "ada@example.org")
	sub, err := p.db.SubscriberByKey(t.Context(), "ada@example.org")
	if err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodGet} {
		p.ask(t, method, path, "")
	}
	if got := p.status(t, sub.ID); got != newsletter.SubscriberPending {
		t.Errorf("a look at the link makes them %s", got)
	}
	res := p.get(t, path)
	if strings.Count(res.body, "<button") != 1 || !strings.Contains(res.body, `method="post" action="`+path+`"`) || strings.Contains(res.body, "ada@") {
		t.Errorf("%s\n%s", res.Status, res.body)
	}
	for range 2 {
		res = p.ask(t, http.MethodPost, path, "")
		if res.StatusCode != http.StatusOK || !strings.Contains(res.body, "Monday 7 December") || !strings.Contains(res.body, "feed.xml") || strings.Contains(res.body, "ada@") {
			t.Errorf("%s\n%s", res.Status, res.body)
		}
		if res.Header.Get("Referrer-Policy") != "no-referrer" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("the header is %v", res.Header)
		}
	}
	events, err := p.db.Events(t.Context(), sub.ID)
	if err != nil || p.status(t, sub.ID) != newsletter.SubscriberActive || len(events) != 2 || events[0].Form != "blog.example.net" ||
		!strings.HasPrefix(events[1].Text, "You will get The Shed by mail") || events[1].Network == "" {
		t.Errorf("the record is %+v, %v", events, err)
	}
	for _, bad := range []string{path[:len(path)-1], path + "a", "/news/confirm/a"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if res := p.ask(t, method, bad, ""); res.StatusCode != http.StatusBadRequest || !strings.Contains(res.body, `action="https://example.org/news/subscribe"`) {
				t.Errorf("%s %s: %s\n%s", method, bad, res.Status, res.body)
			}
		}
	}
	p.Close() // the last requests are logged then
	if strings.Contains(p.log.String(), "ada") || strings.Contains(p.log.String(), path) {
		t.Errorf("the log tells who came:\n%s", p.log)
	}
}

// The answer is the same for an address whoever has it.
func TestSignUpTellsNothing(t *testing.T) {
	p := openSignUp(t, audience.Limits{})
	known := map[string]newsletter.SubscriberStatus{
		"pending": newsletter.SubscriberPending, "active": newsletter.SubscriberActive, "left": newsletter.SubscriberUnsubscribed,
		"bounced": newsletter.SubscriberBounced, "spam": newsletter.SubscriberComplained, "removed": newsletter.SubscriberSuppressed,
	}
	for name, status := range known {
		email := name + "@example.org"
		if _, err := p.db.AddSubscribers(t.Context(), []newsletter.Subscriber{{Email: email, Key: email, Status: status}}); err != nil {
			t.Fatal(err)
		}
	}
	known["unknown"] = ""
	for _, accept := range []string{"text/html", "application/json"} {
		want := ""
		for name := range known {
			email := name + "@example.org"
			res := p.signUp(t, "/subscribe", email, "Accept", accept)
			res.Header.Del("Date")
			res.Header.Del("Content-Length")
			got := fmt.Sprint(res.Status, res.Header, strings.ReplaceAll(res.body, email, "EMAIL"))
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("%s: %s\nothers: %s", name, got, want)
			}
		}
	}
}

func TestSignUpRefused(t *testing.T) {
	p := openSignUp(t, audience.Limits{PerHour: 1})
	res := p.signUp(t, "/subscribe/", `"><script>`)
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(res.body, `value="&#34;&gt;&lt;script&gt;"`) {
		t.Errorf("a bad address: %s\n%s", res.Status, res.body)
	}
	if res := p.signUp(t, "/subscribe", "ada", "Accept", "application/json"); res.StatusCode != http.StatusUnprocessableEntity || res.body != `{"status":"bad_address"}`+"\n" {
		t.Errorf("a bad address in JSON: %s\n%s", res.Status, res.body)
	}
	trapped := p.ask(t, http.MethodPost, "/subscribe", "email=bot%40example.org&website=x", "Content-Type", "application/x-www-form-urlencoded")
	if trapped.StatusCode != http.StatusOK || !strings.Contains(trapped.body, "Check your mail") {
		t.Errorf("a machine: %s\n%s", trapped.Status, trapped.body)
	}
	if _, err := p.db.SubscriberByKey(t.Context(), "bot@example.org"); !errors.Is(err, newsletter.ErrNotFound) {
		t.Errorf("a machine signed up: %v", err)
	}
	p.signUp(t, "/subscribe", "ada@example.org")
	if res := p.signUp(t, "/subscribe", "eve@example.org"); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || !strings.Contains(res.body, "an hour") {
		t.Errorf("one too many: %s\n%s", res.Status, res.body)
	}
	if res := p.ask(t, http.MethodPost, "/subscribe", strings.Repeat("a", 1<<20)); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a long body: %s", res.Status)
	}
	if res := open(t).signUp(t, "/subscribe", "ada@example.org"); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("where nobody takes it: %s", res.Status)
	}
}

// The page about subscribing has a stamp that is not the same twice, and a form
// that comes back at once is asked for again.
func TestStampedForm(t *testing.T) {
	p := openSignUp(t, audience.Limits{})
	p.write(t, "subscribe/index.html", `<form><input type="hidden" name="stamp" value=""></form>`)
	p.write(t, "subscribe/index.html.gz", "old")
	res := p.get(t, "/subscribe/")
	_, stamp, _ := strings.Cut(res.body, `name="stamp" value="`)
	stamp, _, _ = strings.Cut(stamp, `"`)
	if stamp == "" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%v\n%s", res.Header, res.body)
	}
	form := url.Values{"email": {"ada@example.org"}, "name": {"Ada"}, "tags": {"web", "mail"}, "stamp": {stamp}}.Encode()
	res = p.ask(t, http.MethodPost, "/subscribe", form, "Content-Type", "application/x-www-form-urlencoded")
	if res.StatusCode != http.StatusPreconditionRequired || strings.Count(res.body, `name="tags"`) != 2 || !strings.Contains(res.body, `value="ada@example.org"`) || strings.Contains(res.body, "<script") {
		t.Errorf("%s\n%s", res.Status, res.body)
	}
	if _, err := p.db.SubscriberByKey(t.Context(), "ada@example.org"); !errors.Is(err, newsletter.ErrNotFound) {
		t.Errorf("a form that was too quick counts: %v", err)
	}
}

func TestProofPage(t *testing.T) {
	p := openSignUp(t, audience.Limits{}, at("https://example.org/news"), func(o *web.Options) {
		o.SignUps = audience.NewSignUps(audience.SignUpOptions{Tokens: tokens, Proof: 14})
	})
	res := p.signUp(t, "/news/subscribe", "ada@example.org")
	if res.StatusCode != http.StatusPreconditionRequired || !strings.Contains(res.body, `<script src="/news/subscribe.js" defer>`) || !strings.Contains(res.body, `data-bits="14"`) {
		t.Errorf("%s\n%s", res.Status, res.body)
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "; script-src 'self'") {
		t.Errorf("the policy is %q", policy)
	}
	if res := p.get(t, "/news/subscribe.js"); res.StatusCode != http.StatusOK || !strings.Contains(res.body, "requestSubmit") || strings.Contains(res.Header.Get("Content-Security-Policy"), "script-src") {
		t.Errorf("%s %v", res.Status, res.Header)
	}
	if res := p.signUp(t, "/news/subscribe", "ada@example.org", "Accept", "application/json"); !strings.HasPrefix(res.body, `{"status":"again","stamp":"`) || !strings.HasSuffix(res.body, `"bits":14}`+"\n") {
		t.Errorf("%s\n%s", res.Status, res.body)
	}
}

// The host of a page that is none does no harm to whoever looks at the history.
func TestOriginOfForms(t *testing.T) {
	p := openSignUp(t, audience.Limits{})
	for i, origin := range []string{"https://a%C2%9B31m.example", "https://a\xff.example", "https://a%E2%80%AE.example", "https://" + strings.Repeat("a", 9000), "null", "https://[::1"} {
		email := fmt.Sprintf("a%d@example.org", i)
		if res := p.signUp(t, "/subscribe", email, "Origin", origin); res.StatusCode != http.StatusOK {
			t.Errorf("%.40q: %s", origin, res.Status)
		}
		sub, err := p.db.SubscriberByKey(t.Context(), email)
		if err != nil {
			t.Fatal(err)
		}
		events, err := p.db.Events(t.Context(), sub.ID)
		if err != nil || len(events) != 1 || events[0].Form != audience.CleanName(events[0].Form) || len(events[0].Form) > 210 {
			t.Errorf("%.40q: %v, %v", origin, events, err)
		}
	}
}

func TestMethodsOfForms(t *testing.T) {
	p := openSignUp(t, audience.Limits{}, at("https://example.org/news"))
	for _, path := range []string{"subscribe", "subscribe/", "confirm/a", "unsubscribe/a", "preferences/a"} {
		for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodOptions} {
			res := p.ask(t, method, "/news/"+path, "")
			if allow := res.Header.Get("Allow"); res.StatusCode != http.StatusMethodNotAllowed || allow != "GET, HEAD, POST" {
				t.Errorf("%s %s: %s, allowed is %q", method, path, res.Status, allow)
			}
		}
	}
}

// BenchmarkSignUp shows that the answer takes as long whoever has the address:
// it asks for known, fresh and removed ones in turn and reports the medians.
func BenchmarkSignUp(b *testing.B) {
	p := openSignUp(b, audience.Limits{})
	known := make([]newsletter.Subscriber, 20_000)
	for i := range known {
		email := fmt.Sprintf("known%05d@example.org", i)
		known[i] = newsletter.Subscriber{Email: email, Key: email, Status: newsletter.SubscriberActive}
	}
	if _, err := p.db.AddSubscribers(b.Context(), known); err != nil {
		b.Fatal(err)
	}
	for i := range 200 {
		if _, err := p.db.Suppress(b.Context(), fmt.Sprintf("removed%05d@example.org", i*97), "removed by the operator"); err != nil {
			b.Fatal(err)
		}
	}
	times := map[string][]time.Duration{}
	for i := range 200 {
		for _, who := range []string{"known", "fresh", "removed"} {
			begun := time.Now()
			p.signUp(b, "/subscribe", fmt.Sprintf("%s%05d@example.org", who, i*97))
			times[who] = append(times[who], time.Since(begun))
		}
	}
	for who, list := range times {
		slices.Sort(list)
		b.ReportMetric(float64(list[len(list)/2].Microseconds()), who+"-µs")
	}
}
