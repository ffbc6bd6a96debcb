package render

import (
	"cmp"
	"slices"
	"sort"
	"strings"

	"threadmill/internal/newsletter"
)

// Recipient is whom a mail goes to: real values, or marks that are replaced
// for each recipient in bytes rendered once. A mark of letters and digits
// comes out of the templates unchanged.
type Recipient struct {
	Email, Name, UnsubscribeURL string
	Joined                      string // the day of signing up
	// PreferencesURL is the page of what they chose, empty for none.
	PreferencesURL string
	// Greeting is the line above the mail, empty for none.
	Greeting string
}

// Greeting is the line above the mail of an issue, for a name or, where that is
// empty, for somebody without.
func (t *Templates) Greeting(pub newsletter.Publication, issue newsletter.Issue, name string) (string, error) {
	s := t.words.speak(pub, mailLanguage(pub, issue))
	if name == "" {
		return s.Word("greeting_nameless")
	}
	return s.Word(wordGreeting, "name", name)
}

// mailLanguage is that of the thread which is alone in a mail, else of the
// publication.
func mailLanguage(pub newsletter.Publication, issue newsletter.Issue) string {
	if len(issue.Threads) == 1 {
		return languageOf(pub, issue.Threads[0])
	}
	return languageOf(pub, newsletter.Thread{})
}

// Mail is an issue as its recipients get it.
type Mail struct {
	Subject, HTML, Text string
	// Size is how long the HTML of the whole issue is on the wire, in bytes, and
	// Left how many posts the mail leaves to the web because of it.
	Size, Left int
}

// maxMail is how long the HTML part may get on the wire, in bytes of
// quoted-printable. Gmail cuts a mail off at 102 KB; the rest is room for
// the values of a recipient.
const maxMail = 98_000

type mailPage struct {
	page
	Subject   string
	Preheader string // what an inbox shows after the subject
	// Digest is set where the issue holds several threads.
	Digest  bool
	Date    string
	Threads []threadView
	To      Recipient
	Address string // postal, empty to leave it out
	Next    string // the day of the next issue, may be empty
	SignUp  string // the page for signing up
	// Above and Below are what the publication says in every mail.
	Above, Below aside
}

// Mail renders an issue. Where its HTML would pass the size at which mail
// services cut a message off, every thread keeps so many of its first posts
// as fit and a link to the rest on the web; the text part is always whole.
func (t *Templates) Mail(pub newsletter.Publication, issue newsletter.Issue, to Recipient) (Mail, error) {
	data := t.mailPage(pub, issue, to)
	styles, err := t.styles(data)
	if err != nil {
		return Mail{}, err
	}
	if err := data.fill(t, pub, issue, styles); err != nil {
		return Mail{}, err
	}
	m := Mail{Subject: data.Subject}
	if err := t.mailHTML(data, &m); err != nil {
		return Mail{}, err
	}
	text, err := execute(t.text[mailTextFile], mailTextFile, data)
	if err != nil {
		return Mail{}, err
	}
	m.Text = strings.TrimSpace(string(text)) + "\n"
	return m, nil
}

func (t *Templates) mailPage(pub newsletter.Publication, issue newsletter.Issue, to Recipient) mailPage {
	lang := mailLanguage(pub, issue)
	title, subject := issue.Title, issue.Subject
	digest := len(issue.Threads) != 1
	if !digest {
		only := issue.Threads[0]
		title, subject = only.Title, cmp.Or(issue.Subject, only.MailSubject())
	}
	data := mailPage{page: t.newPage(pub, lang, ""), Digest: digest, To: to, Subject: oneLine(cmp.Or(subject, title))}
	data.Title, data.URL, data.Root = title, "", pub.Link("")
	data.SignUp = pub.Link(SubscribePath)
	if !issue.Next.IsZero() {
		data.Next = data.date(wordNextDay, issue.Next.In(zone(pub)))
	}
	if !issue.PublishedAt.IsZero() {
		data.Date = data.date(wordDate, issue.PublishedAt.In(zone(pub)))
	}
	data.Address = postal(pub)
	switch {
	case !digest:
		data.URL = webPage(pub, issue.Threads[0])
		data.Preheader = issue.Threads[0].Excerpt
	case issue.Month != "": // a digest of other issues has no page
		data.URL = pub.Link("")
		data.Preheader = titles(issue.Threads)
	case issue.Number > 0:
		if slices.ContainsFunc(issue.Threads, func(t newsletter.Thread) bool { return t.Via(newsletter.ChannelWeb) }) {
			data.URL = pub.Link(newsletter.IssuePath(issue.Number))
		}
		data.Preheader = titles(issue.Threads)
	}
	return data
}

// postal is the address that stands under every mail, empty to leave it out.
func postal(pub newsletter.Publication) string {
	if address := strings.TrimSpace(pub.Address); !strings.EqualFold(address, "none") {
		return address
	}
	return ""
}

// webPage is the address of the thread's page, empty for one by mail only.
func webPage(pub newsletter.Publication, t newsletter.Thread) string {
	if !t.Via(newsletter.ChannelWeb) {
		return ""
	}
	return pub.Link(t.Path())
}

// fill renders the threads into data.
func (m *mailPage) fill(from *Templates, pub newsletter.Publication, issue newsletter.Issue, styles map[string]string) error {
	if err := m.asides(pub, styles); err != nil {
		return err
	}
	var writer textWriter
	f := form{shift: 1, auto: true, style: styles}
	if m.Digest {
		f.shift = 2
	}
	for _, t := range issue.Threads {
		base, err := threadBase(pub, t)
		if err != nil {
			return err
		}
		f.base = base
		posts, err := f.posts(t)
		if err != nil {
			return err
		}
		v := from.threadView(pub, t, issue.PublishedAt, webPage(pub, t))
		v.show(posts)
		writer.image = v.say("image")
		v.Text = writer.posts(t, base)
		m.Threads = append(m.Threads, v)
	}
	return nil
}

// mailHTML executes the template with as many posts as the mail has room for.
func (t *Templates) mailHTML(data mailPage, m *Mail) error {
	html, err := t.page(mailFile, data)
	m.HTML, m.Size = string(html), wireSize(html)
	if err != nil || m.Size <= maxMail {
		return err
	}
	most := 0
	for _, v := range data.Threads {
		most = max(most, len(v.Posts))
	}
	// The first number of posts that is too many; one less is what fits.
	tooMany := sort.Search(most, func(n int) bool {
		var cut []byte
		if cut, err = t.page(mailFile, data.cut(n)); err != nil {
			return true
		}
		return wireSize(cut) > maxMail
	})
	if err != nil {
		return err
	}
	fits := data.cut(max(tooMany-1, 0))
	for _, v := range fits.Threads {
		m.Left += v.Left
	}
	html, err = t.page(mailFile, fits)
	m.HTML = string(html)
	return err
}

// cut leaves each thread its first n posts. A thread without a page stays
// whole, since its reader could not go on anywhere.
func (m mailPage) cut(n int) mailPage {
	threads := make([]threadView, len(m.Threads))
	for i, v := range m.Threads {
		if v.URL != "" && len(v.Posts) > n {
			v.Left = len(v.Posts) - n
			v.Posts = v.Posts[:n]
		}
		threads[i] = v
	}
	m.Threads = threads
	return m
}

// wireSize is about the length of s in quoted-printable (RFC 2045, section
// 6.7), in bytes.
func wireSize(s []byte) int {
	size := len(s) + len(s)/70*3
	for _, c := range s {
		switch {
		case c == '=' || c >= 0x80:
			size += 2
		case c == '\n':
			size++
		}
	}
	return size
}

// styles returns the inline styles of Markdown's elements in mails, which
// mail.html defines under names such as "style.p".
func (t *Templates) styles(data mailPage) (map[string]string, error) {
	styles := make(map[string]string)
	for _, d := range t.html[mailFile].Templates() {
		name, ok := strings.CutPrefix(d.Name(), "style.")
		if !ok || strings.Contains(name, "$") {
			continue
		}
		css, err := execute(d, mailFile, data)
		if err != nil {
			return nil, err
		}
		styles[name] = string(css)
	}
	return styles, nil
}

// titles joins the titles of threads: "One · Two".
func titles(threads []newsletter.Thread) string {
	all := make([]string, len(threads))
	for i, t := range threads {
		all[i] = t.Title
	}
	return strings.Join(all, " · ")
}

// oneLine makes s fit for a header: no control characters, single spaces.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if illegal(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))), " ")
}
