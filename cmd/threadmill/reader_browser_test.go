package main

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/site/browsertest"
	"threadmill/internal/store"
)

// reading is a daemon with a reader before a browser.
type reading struct {
	*browsertest.Browser
	place
	mails *postman
	store *store.Store
	seen  map[string]bool // the words of pages that were looked at
}

// home is where browsers find the publication. A name below localhost counts as
// safe (https://w3c.github.io/webappsec-secure-contexts), as https would.
const home = "http://news.localhost"

// personal is what differs in a page from reader to reader.
var personal = regexp.MustCompile(`\S+(@|…)\S+`)

// look holds the page in the tab against all that a page must be, once for all
// readers, and leaves the tab as narrow as a small telephone.
func (r *reading) look(at string) {
	r.t.Helper()
	if page := personal.ReplaceAllString(r.Words(r.t), ""); !r.seen[page] {
		r.seen[page] = true
		r.Inspect(r.t, at)
	}
	r.Look(r.t, 320, 640, "light")
	r.Fits(r.t, 320, at)
}

// follow opens a link and looks at its page.
func (r *reading) follow(link, heading string) {
	r.t.Helper()
	r.Open(r.t, link)
	r.Await(r.t, heading)
	r.look(heading)
}

// key goes by Tab to an element, presses a key there, and looks at the page that
// comes of it.
func (r *reading) key(to, key, heading string) {
	r.t.Helper()
	r.Tab(r.t, to)
	r.Leave(r.t)
	r.Type(r.t, key)
	r.Await(r.t, heading)
	r.look(heading)
}

// click is key by the mouse.
func (r *reading) click(on chromedp.CSS, heading string) {
	r.t.Helper()
	if h := r.Click(r.t, on); h != heading {
		r.t.Fatalf("%s leads to %q, not to %q: %s", on, h, heading, r.Words(r.t))
	}
	r.look(heading)
}

// says looks for words in the page.
func (r *reading) says(words ...string) {
	r.t.Helper()
	page := r.Words(r.t)
	for _, w := range words {
		if !strings.Contains(page, w) {
			r.t.Errorf("the page lacks %q: %s", w, page)
		}
	}
}

// is looks up who has an address.
func (r *reading) is(email string, status newsletter.SubscriberStatus) newsletter.Subscriber {
	r.t.Helper()
	sub, err := r.store.SubscriberByKey(r.t.Context(), email)
	if err != nil || sub.Status != status {
		r.t.Errorf("%s is %+v, %v, and not %s", email, sub, err, status)
	}
	return sub
}

// From the form to the goodbye and back, with a real browser, daemon and mail
// server: once by the keyboard alone and once without scripts.
func TestReaderInBrowser(t *testing.T) {
	t.Parallel()
	relay := newRelay(t)
	p := newPlace(t, relay, 0, 0, "schedule: {cron: \"0 9 * * MON\"}\naudience: {proof_of_work: 10}")
	p.edit(`"https://news.example.com"`, `"`+home+`"`)
	p.edit(`listen: "off"`, `listen: "127.0.0.1:0"`)
	for name, tag := range map[string]string{"boats": "Boats", "tools": "Tools"} {
		p.write("threads/"+name+".md", "---\ntitle: About "+name+"\ntags: ["+tag+"]\n---\nA thread about "+name+".\n\n---\n\nIts end.\n")
	}
	p.run("build")
	d := p.startDaemon()
	defer d.stop()
	at, err := url.Parse(d.web)
	if err != nil {
		t.Fatal(err)
	}
	r := &reading{
		Browser: browsertest.Start(t, browsertest.Reach("news.localhost", at.Host)), place: p,
		mails: newPostman(relay), store: p.store(), seen: map[string]bool{},
	}
	r.Look(t, 320, 640, "light")
	for _, story := range []struct {
		name string
		tell func(*reading)
	}{{"keys", (*reading).byKeys}, {"no scripts", (*reading).withoutScripts}} {
		t.Run(story.name, func(t *testing.T) {
			r := *r
			r.t = t
			story.tell(&r)
		})
	}
}

// byKeys signs up on the front page, by the proof that the browser finds, chooses
// and leaves, and never touches a mouse.
func (r *reading) byKeys() {
	const email = "ada@example.org"
	t := r.t
	r.follow(home+"/", "Test")
	r.Tab(t, "input[name=email]")
	r.Type(t, email+kb.Enter)
	r.Await(t, "Check your mail")
	r.Complaints() // the page between says 428
	r.look("signed up")
	r.says(email)

	letter := r.mails.next(t, email)
	r.is(email, newsletter.SubscriberPending)
	r.follow(letter.link(t, "/confirm/"), "Subscribe to Test?")
	r.key("main button", kb.Enter, "Welcome")
	r.says("Monday", "RSS", "JSON Feed")
	r.is(email, newsletter.SubscriberActive)

	r.place.publish()
	issue := r.mails.next(t, email)
	r.follow(issue.link(t, "/preferences/"), "Preferences")
	r.Tab(t, "input[name=name]")
	r.Type(t, "Ada Byron")
	r.Tab(t, "input[name=topic]")
	r.Type(t, " ")
	r.Tab(t, "input[name=often]")
	r.Type(t, kb.ArrowDown)
	r.Tab(t, "input[name=pause]")
	r.Type(t, kb.ArrowDown)
	r.key("button[value=save]", kb.Enter, "Preferences")
	r.says("Saved")
	sub := r.is(email, newsletter.SubscriberActive)
	chosen, err := r.store.Preferences(t.Context(), sub.ID)
	if weeks := time.Until(chosen.PausedUntil).Hours() / 24 / 7; err != nil || sub.Name != "Ada Byron" || chosen.Frequency != newsletter.FrequencyMonthly || len(chosen.Wants) != 1 || weeks < 3.9 || weeks > 4 {
		t.Errorf("%+v chose %+v, %v", sub, chosen, err)
	}

	goodbye := issue.link(t, "/unsubscribe/")
	r.follow(goodbye, "Unsubscribe?")
	r.key("button[name=List-Unsubscribe]", " ", "You are unsubscribed")
	r.is(email, newsletter.SubscriberUnsubscribed)
	r.key("button[value=return]", " ", "Preferences") // where the pause ends
	r.says("You are subscribed again")
	r.Tab(t, "input[name=pause]")
	r.Type(t, kb.ArrowUp)
	r.key("button[value=save]", kb.Enter, "Preferences")
	r.is(email, newsletter.SubscriberActive)
	r.Open(t, goodbye)
	r.Await(t, "Unsubscribe?")
	r.key("button[name=List-Unsubscribe]", kb.Enter, "You are unsubscribed")
	r.Tab(t, "input[name=reason]")
	r.Type(t, " ")
	r.key("button[value=tell]", kb.Enter, "You are unsubscribed")
	r.Open(t, goodbye) // days later
	r.key("button[value=return]", kb.Enter, "You are subscribed again")
	r.is(email, newsletter.SubscriberActive)
}

// withoutScripts signs up on the page about subscribing, waits where others
// compute, moves to another address, pauses, and has all erased.
func (r *reading) withoutScripts() {
	const email, other = "eve@example.org", "eve@example.net"
	t := r.t
	r.NoScripts(t)
	r.follow(home+"/subscribe/", "Subscribe")
	r.Fill(t, "input[name=email]", email)
	r.Click(t, "form[method=post] button")
	r.says("wait fifteen seconds")
	r.Complaints() // 428
	r.look("proof")
	r.wait(email)
	r.click("form[data-bits] button", "Check your mail")
	letter := r.mails.next(t, email)
	r.follow(letter.link(t, "/confirm/"), "Subscribe to Test?")
	r.click("main button", "Welcome")

	r.place.publish()
	issue := r.mails.next(t, email)
	preferences := issue.link(t, "/preferences/")
	r.Open(t, preferences)
	r.Fill(t, "input[name=email]", other)
	r.click("button[value=save]", "Preferences")
	r.says(other)
	r.follow(r.mails.next(t, other).link(t, "/preferences/"), "Use this address?")
	r.click("button[value=move]", "The address is changed")
	r.is(other, newsletter.SubscriberActive)

	r.Open(t, issue.link(t, "/unsubscribe/"))
	r.click("button[value=pause]", "It is paused")
	r.click("button[value=resume]", "Preferences")
	r.follow(preferences+"?erase", "Erase your data?")
	r.click("button[value=erase]", "Your data is erased")
	for sub, err := range r.store.Subscribers(t.Context()) {
		if err != nil || sub.Email == email || sub.Email == other {
			t.Errorf("there is still %+v, %v", sub, err)
		}
	}
}

// wait has the form in the tab be as old as who cannot compute must let it
// become: it gets the stamp that was written then.
func (r *reading) wait(email string) {
	t := r.t
	t.Helper()
	keys, err := r.store.Keys(t.Context(), store.KeyTokens)
	if err != nil {
		t.Fatal(err)
	}
	tokens := audience.NewTokens(audience.Key(keys[0]))
	who, at, err := tokens.VerifyFor(audience.PurposeForm, browsertest.Eval[string](t, r.Browser, `document.querySelector("[name=stamp]").value`))
	if err != nil {
		t.Fatal(err)
	}
	stamp := tokens.SignFor(audience.PurposeForm, who, at-(15*time.Second).Milliseconds())
	browsertest.Eval[string](t, r.Browser, `document.querySelector("[name=stamp]").value = "`+stamp+`"`)
}
