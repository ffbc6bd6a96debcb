package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"
	"golang.org/x/net/html"

	"threadmill/internal/newsletter"
	"threadmill/templates"
)

// The values of a recipient are marks that are replaced later, so they must
// come out of the templates as they went in.
func TestMailSlots(t *testing.T) {
	to := Recipient{Email: "Qx7EmailMark1", Name: "Qx7NameMark22", UnsubscribeURL: "Qx7LinkMark33", Joined: "Qx7DayMark44"}
	mail, err := builtin(t).Mail(publication(), single(), to)
	if err != nil {
		t.Fatal(err)
	}
	doc := parseHTML5(t, mail.HTML)
	if find(doc, "a", func(n *html.Node) bool { return attr(n, "href") == to.UnsubscribeURL }) == nil {
		t.Error("no link leads to the mark of the unsubscribe link")
	}
	if n := strings.Count(mail.HTML, to.Email); n != 1 {
		t.Errorf("HTML holds the mark of the address %d times, want once", n)
	}
	for _, want := range []string{"Unsubscribe: " + to.UnsubscribeURL + "\n", "Sent to " + to.Email + "\n", "You signed up on " + to.Joined + " at bench.example.org.\n"} {
		if !strings.Contains(mail.Text, want) {
			t.Errorf("text lacks %q", want)
		}
	}
}

// What assistive software and mail programs need; see the list of the Email
// Markup Consortium.
func TestMailMarkup(t *testing.T) {
	mail, err := builtin(t).Mail(publication(), single(), reader())
	if err != nil {
		t.Fatal(err)
	}
	doc := parseHTML5(t, mail.HTML)
	body := find(doc, "body", nil)
	for _, n := range []*html.Node{find(doc, "html", nil), find(body, "div", nil)} {
		if attr(n, "lang") != "en" || attr(n, "dir") != "ltr" {
			t.Errorf("<%s> has lang %q and dir %q", n.Data, attr(n, "lang"), attr(n, "dir"))
		}
	}
	if title := find(doc, "title", nil); title == nil || inner(title) != mail.Subject {
		t.Error("the title is not the subject")
	}
	if h := find(doc, "h1", nil); h == nil || inner(h) != shed().Title {
		t.Error("the heading is not the thread's title")
	}
	for n := range body.Descendants() {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "table" && attr(n, "role") != "presentation" && find(n, "th", nil) == nil:
			t.Error("a table of layout has no role=presentation")
		case n.Data == "img" && (attr(n, "alt") == "" || !strings.HasPrefix(attr(n, "src"), "https://")):
			t.Errorf("picture with alt %q and src %q", attr(n, "alt"), attr(n, "src"))
		case n.Data == "a" && !strings.Contains(attr(n, "href"), ":"):
			t.Errorf("link to %q is not absolute", attr(n, "href"))
		case n.Data == "script" || n.Data == "link":
			t.Errorf("mail holds <%s>", n.Data)
		}
	}
}

func TestMailSubject(t *testing.T) {
	subject := single()
	subject.Threads[0].Subject = "Of sheds\r\nBcc: all"
	forced := single()
	forced.Subject = "Chosen by hand"
	bare := digest()
	bare.Threads = nil
	tmpl := builtin(t)
	for want, issue := range map[string]newsletter.Issue{
		"Moving a shed with three neighbours & a rope": single(),
		"Of sheds Bcc: all":                            subject,
		"Chosen by hand":                               forced,
		"A gate and a kettle":                          digest(),
		"A gate and a kettle ":                         bare,
	} {
		mail, err := tmpl.Mail(publication(), issue, reader())
		if err != nil {
			t.Fatal(err)
		}
		if mail.Subject != strings.TrimSpace(want) {
			t.Errorf("subject is %q, want %q", mail.Subject, want)
		}
	}
}

// Lines that have nothing to say are left out.
func TestMailWithout(t *testing.T) {
	pub, issue := publication(), single()
	pub.Address = " none "
	issue.Threads[0].Channels = []newsletter.Channel{newsletter.ChannelMail}
	mail, err := builtin(t).Mail(pub, issue, Recipient{})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{mail.HTML, mail.Text} {
		for _, not := range []string{"none<", "none\n", "Unsubscribe", "Sent to", "On the web", "Read on the web", "moving-a-shed/#post-2"} {
			if strings.Contains(part, not) {
				t.Errorf("mail without address, page and recipient holds %q", not)
			}
		}
	}
}

// long is a thread whose mail would be cut off by the reader's mail service.
func long() newsletter.Thread {
	e := kettle().Thread
	for i := range 60 {
		e.Posts = append(e.Posts, newsletter.Post{Text: fmt.Sprintf("Post %d. %s", i+2, strings.Repeat("Wasser kocht – süß. ", 70))})
	}
	return e
}

func TestMailIsCut(t *testing.T) {
	tmpl, mailOnly := builtin(t), long()
	mailOnly.Channels = []newsletter.Channel{newsletter.ChannelMail}
	giant := kettle().Thread
	giant.Posts[0].Text = strings.Repeat("Lang. ", 30_000)
	tests := []struct {
		name    string
		threads []newsletter.Thread
		want    string
		fits    bool
	}{
		{"one", []newsletter.Thread{long()}, "Read the other ", true},
		{"digest", []newsletter.Thread{long(), gate().Thread, long()}, "Read the other ", true},
		{"one giant post", []newsletter.Thread{giant}, "Read the post on the web", true},
		{"no page to go on", []newsletter.Thread{mailOnly}, "Post 61", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			mail, err := tmpl.Mail(publication(), newsletter.Issue{Number: 1, Title: "Long", Threads: tt.threads}, reader())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(mail.HTML, tt.want) {
				t.Errorf("HTML lacks %q", tt.want)
			}
			size := wireSize([]byte(mail.HTML))
			if tt.fits != (size <= maxMail) {
				t.Errorf("HTML takes %d bytes", size)
			}
			if tt.fits && tt.name != "one giant post" && size < maxMail/2 {
				t.Errorf("HTML takes only %d bytes; more posts would fit", size)
			}
			last := tt.threads[0].Posts[len(tt.threads[0].Posts)-1].Text
			if !strings.Contains(mail.Text, last[:4]) || strings.Contains(mail.Text, "on the web") {
				t.Error("the text part is not whole")
			}
		})
	}
}

func TestMailIsTheSameTwice(t *testing.T) {
	tmpl := builtin(t)
	first, err := tmpl.Mail(publication(), digest(), reader())
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(nil, templates.FS)
	if err != nil {
		t.Fatal(err)
	}
	second, err := again.Mail(publication(), digest(), reader())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("two renderings differ:\n%s", diff)
	}
}

// No line of the text is wider than 72 columns but addresses and code.
func TestTextWidth(t *testing.T) {
	tmpl := builtin(t)
	for _, issue := range []newsletter.Issue{single(), digest(), {Threads: []newsletter.Thread{long()}}} {
		mail, err := tmpl.Mail(publication(), issue, reader())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(mail.Text, "\n") {
			if uniseg.StringWidth(line) > columns && !strings.Contains(line, "://") {
				t.Errorf("%d columns: %s", uniseg.StringWidth(line), line)
			}
		}
	}
}

// A mail links to no page of an issue that has none.
func TestDigestByMailOnly(t *testing.T) {
	issue := digest()
	for i := range issue.Threads {
		issue.Threads[i].Channels = []newsletter.Channel{newsletter.ChannelMail}
	}
	m, err := builtin(t).Mail(publication(), issue, reader())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(m.HTML+m.Text, newsletter.IssuePath(issue.Number)) {
		t.Error("the mail links to the page of the issue")
	}
}

// What a publication says above and below stands in every page and mail.
func TestHeaderAndFooter(t *testing.T) {
	pub := publication()
	pub.Header, pub.Footer = "Printed by *Ada*.", "See [the terms](about/) <script>."
	tmpl := builtin(t)
	mail, err := tmpl.Mail(pub, single(), reader())
	if err != nil {
		t.Fatal(err)
	}
	page, err := tmpl.ThreadPage(pub, shed(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	front, err := tmpl.ArchivePage(pub, Listing{})
	if err != nil {
		t.Fatal(err)
	}
	link := pub.Link("about/")
	for name, text := range map[string]string{"mail": mail.HTML, "page": string(page), "front page": string(front)} {
		for _, want := range []string{"Printed by <em>Ada</em>.</p>", `href="` + link + `"`, "&lt;script&gt;"} {
			if !strings.Contains(text, want) {
				t.Errorf("the %s lacks %q", name, want)
			}
		}
	}
	for _, want := range []string{"Printed by _Ada_.\n\n", "See the terms [1] <script>.\n\n[1] " + link + "\n"} {
		if !strings.Contains(mail.Text, want) {
			t.Errorf("the text of the mail lacks %q:\n%s", want, mail.Text)
		}
	}
}

// A publication's own colours take the place of all of ours.
func TestMailColors(t *testing.T) {
	pub := publication()
	pub.Colors = newsletter.Colors{Ground: "#ffffff", Ink: "#000000", GroundDark: "#000000", InkDark: "#ffffff"}
	mail, err := builtin(t).Mail(pub, single(), reader())
	if err != nil {
		t.Fatal(err)
	}
	for _, usual := range []string{"#fdfcfa", "#1d1b19", "#6b665f", "#e4dfd8", "#151412", "#e8e5e0", "#9d978e", "#322f2b"} {
		if strings.Contains(mail.HTML, usual) {
			t.Errorf("the mail still has the colour %s", usual)
		}
	}
}

// A logo takes the title's place above pages and mails, and says it where
// pictures are blocked.
func TestLogo(t *testing.T) {
	pub := publication()
	pub.Logo = newsletter.NewLogo("logo.png", 200, 80)
	mail, err := builtin(t).Mail(pub, single(), reader())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`src="https://bench.example.org/news/logo.png"`, `alt="The Slow Bench"`, `width="100" height="40"`} {
		if !strings.Contains(mail.HTML, want) {
			t.Errorf("the mail's logo lacks %s", want)
		}
	}
	pub.Logo = newsletter.NewLogo("https://example.org/l.png", 0, 0)
	page, err := builtin(t).PrivacyPage(pub, Privacy{})
	if err != nil {
		t.Fatal(err)
	}
	if want := `<img class="logo" src="https://example.org/l.png" alt="The Slow Bench" height="40"`; !strings.Contains(string(page), want) {
		t.Errorf("the page's head lacks %s", want)
	}
}
