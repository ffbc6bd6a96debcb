package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"threadmill/internal/newsletter"
)

// post sends a form to the daemon and returns the page.
func (d *daemon) post(path string, form url.Values) string {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.web+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://blog.example.net")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: %s, %v\n%s", path, res.Status, err, body)
	}
	return string(body)
}

// From a form on another site to a reader on the list: the mail comes over real
// SMTP while run is at work, and by the next publish where nothing runs.
func TestSignUpByMail(t *testing.T) {
	t.Parallel()
	r := newRelay(t)
	p := newPlace(t, r, 1, 0, "")
	p.edit(`listen: "off"`, `listen: "127.0.0.1:0"`)
	s := p.store()
	d := p.startDaemon()
	came := make(chan struct{}, 10)
	r.afterEach(func(int) { came <- struct{}{} })
	d.post("subscribe", url.Values{"email": {"ada@example.org"}})
	<-came
	letter := r.accepted()[0]
	token, _, _ := strings.Cut(strings.TrimPrefix(letter.id, "<confirm."), "@")
	if letter.to != "ada@example.org" || letter.subject != "Please confirm: Test" || token == "" {
		t.Fatalf("the letter is %+v", letter)
	}
	if page := d.post("confirm/"+token, nil); !strings.Contains(page, "Welcome") {
		t.Errorf("after the button:\n%s", page)
	}
	sub, err := s.SubscriberByKey(t.Context(), "ada@example.org")
	if err != nil || sub.Status != newsletter.SubscriberActive {
		t.Errorf("they are %+v, %v", sub, err)
	}
	d.stop()
	if _, err := s.SignUp(t.Context(), newsletter.SignUp{Email: "eve@example.org", Key: "eve@example.org", At: time.Now(), PerDay: 3}); err != nil {
		t.Fatal(err)
	}
	p.run("publish")
	if took := r.accepted(); len(took) != 2 || took[1].to != "eve@example.org" {
		t.Errorf("publish sent %+v", took[1:])
	}
	if !strings.Contains(p.read("public/index.html"), `action="https://news.example.com/subscribe"`) {
		t.Error("the front page has no form")
	}
}
