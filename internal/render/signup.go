package render

import (
	"fmt"
	"strings"
	"time"

	"threadmill/internal/newsletter"
)

// SignUp is what the answer to the sign-up form shows: that a mail is on its
// way, or what keeps it from that.
type SignUp struct {
	Email string // as it was written into the form
	Bad   bool   // that is no address
	Busy  bool   // there were too many sign-ups
	// Again says that the form, which had this name and these tags, is to be sent
	// once more.
	Again bool
	Name  string
	Tags  []string
	// Stamp is what the form on the page holds, and Bits the proof of work that
	// Script finds for it; 0 for none.
	Stamp  string
	Bits   int
	Script string
}

type signUpPage struct {
	page
	SignUp
}

// SignUpPage is the answer to the sign-up form.
func (t *Templates) SignUpPage(pub newsletter.Publication, p SignUp) ([]byte, error) {
	data := signUpPage{page: t.placeless(pub), SignUp: p}
	data.Title = data.say("subscribe")
	return t.page(signUpFile, data)
}

// Confirm is what the page behind the link of a confirmation mail shows: the
// question with a button, a welcome, or that the link is no good.
type Confirm struct {
	Action  string // where the button posts to
	Email   string // masked: the page may be seen by others
	Next    string // the day of the next issue, may be empty
	Done    bool
	Invalid bool // the link is not one of ours, or too old
}

type confirmPage struct {
	page
	Confirm
}

// ConfirmPage is one sentence and one button. It holds no script and changes
// nothing when it is fetched.
func (t *Templates) ConfirmPage(pub newsletter.Publication, p Confirm) ([]byte, error) {
	data := confirmPage{page: t.placeless(pub), Confirm: p}
	data.Title = data.say("subscribe")
	return t.page(confirmFile, data)
}

// Agreement is the sentence beside the form and the button: what somebody
// agrees to who confirms.
func (t *Templates) Agreement(pub newsletter.Publication) string {
	return t.words.speak(pub, languageOf(pub, newsletter.Thread{})).say("signup_agree", "title", pub.Title)
}

// Letter is a mail to one person that is no issue.
type Letter struct {
	Kind   newsletter.LetterKind
	Link   string // to the page with the button, empty for none
	Until  time.Time
	Answer bool   // an answer to the mail says yes as well
	From   string // the address that the mails come from
}

type letterPage struct {
	page
	Kind, Subject, Link, Until, From, Address string
	Answer                                    bool
}

// Letter renders a letter, in the publication's language. It is an error where
// there is no subject for its kind, which is the word letter_KIND_subject.
func (t *Templates) Letter(pub newsletter.Publication, l Letter) (Mail, error) {
	data := letterPage{
		page: t.placeless(pub), Kind: string(l.Kind), Link: l.Link, From: l.From, Answer: l.Answer, Address: postal(pub),
	}
	subject, err := data.Word("letter_"+data.Kind+"_subject", "title", pub.Title)
	if err != nil {
		return Mail{}, fmt.Errorf("render a letter: %w", err)
	}
	data.Subject = oneLine(subject)
	data.Title = data.Subject
	if !l.Until.IsZero() {
		data.Until = data.date(wordNextDay, l.Until.In(zone(pub)))
	}
	html, err := t.page(letterFile, data)
	if err != nil {
		return Mail{}, err
	}
	text, err := execute(t.text[letterTextFile], letterTextFile, data)
	if err != nil {
		return Mail{}, err
	}
	return Mail{Subject: data.Subject, HTML: string(html), Text: strings.TrimSpace(string(text)) + "\n", Size: wireSize(html)}, nil
}
