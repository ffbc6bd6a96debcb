package render

import (
	"time"

	"threadmill/internal/newsletter"
)

// sample is made-up content that reaches every branch of the templates.
type sample struct {
	pub     newsletter.Publication
	entries []newsletter.Entry
	to      Recipient
	leave   Unsubscribe
}

// samples are two publications: one where all is filled in and one where only
// what must be there is.
func samples() []sample {
	day := time.Date(2024, time.December, 18, 9, 0, 0, 0, time.UTC)
	post := newsletter.Post{Text: "A [link](https://example.com/), `code` and a list:\n\n- one\n- two"}
	rich := newsletter.Thread{
		Slug: "sample", Title: "A sample", Excerpt: "A sample.", Description: "A sample.", Author: "Ada",
		Origin: "https://example.com/1", Lang: "he", Tags: []string{"sample"}, Images: []string{"a.png"},
		Date: day, Posts: []newsletter.Post{post, post}, Minutes: 1,
	}
	bare := newsletter.Thread{Slug: "bare", Title: "Bare", Posts: []newsletter.Post{post}, Minutes: 1}
	return []sample{
		{
			pub: newsletter.Publication{
				Title: "Sample", Description: "A sample.", URL: "https://example.com", Language: "en",
				Author: newsletter.Person{Name: "Ada", Email: "ada@example.com", URL: "https://example.com/ada", Bio: "A person."},
				About:  "# A sample\n\nOf a page.", Search: "https://example.com/search", SignUp: "https://example.com/subscribe",
				Address: "1 Sample Street", Accent: "#b4532a", Zone: time.UTC, Header: "A *header*.", Footer: "A [footer](about/).",
			},
			entries: []newsletter.Entry{
				{Thread: rich, PublishedAt: day.AddDate(0, 0, 7), UpdatedAt: day.AddDate(0, 0, 7), CorrectedAt: day.AddDate(0, 0, 9), Issue: 2},
				{Thread: bare, PublishedAt: day, UpdatedAt: day, Issue: 1},
			},
			to:    Recipient{Email: "reader@example.com", Name: "Reader", UnsubscribeURL: "https://example.com/u/1", PreferencesURL: "https://example.com/p/1", Joined: "1 December 2024", Greeting: "Hello Reader,"},
			leave: Unsubscribe{Action: "https://example.com/u/1", Email: "r…@example.com"},
		},
		{
			pub:     newsletter.Publication{Title: "Sample", Zone: time.UTC},
			entries: []newsletter.Entry{{Thread: bare}},
			leave:   Unsubscribe{Invalid: true},
		},
	}
}

// render takes the sample through every template.
func (s sample) render(t *Templates) error {
	first := s.entries[0]
	last := &s.entries[len(s.entries)-1]
	var threads []newsletter.Thread
	for _, e := range s.entries {
		threads = append(threads, e.Thread)
	}
	digest := newsletter.Issue{Number: 2, Title: "Sample", PublishedAt: first.PublishedAt, Threads: threads, Next: first.PublishedAt}
	single := newsletter.Issue{Number: 1, Title: "Sample", Threads: threads[:1]}
	front := Listing{Entries: s.entries, Older: &Neighbour{"page/2/", 2}, Tagged: true, Next: "Monday 7 December"}
	second := Listing{Entries: s.entries, Path: "page/2/", Number: 2, Older: &Neighbour{"page/1/", 1}, Newer: &Neighbour{}}
	tag := newsletter.Tag{Name: "sample", Path: "tags/sample/", Entries: s.entries}
	tries := []func() error{
		func() error { _, err := t.Mail(s.pub, single, s.to); return err },
		func() error { _, err := t.Mail(s.pub, digest, s.to); return err },
		func() error { _, err := t.ThreadPage(s.pub, first, nil, nil); return err },
		func() error { _, err := t.ThreadPage(s.pub, first, last, last); return err },
		func() error { _, err := t.ArchivePage(s.pub, front); return err },
		func() error { _, err := t.ArchivePage(s.pub, second); return err },
		func() error { _, err := t.ArchivePage(s.pub, Listing{}); return err },
		func() error { _, err := t.TagPage(s.pub, tag, front); return err },
		func() error { _, err := t.TagPage(s.pub, tag, second); return err },
		func() error { _, err := t.TagsPage(s.pub, []newsletter.Tag{tag}); return err },
		func() error { _, err := t.TagsPage(s.pub, nil); return err },
		func() error { _, err := t.AboutPage(s.pub); return err },
		func() error { _, err := t.SubscribePage(s.pub, "Monday 7 December", true); return err },
		func() error { _, err := t.SubscribePage(s.pub, "", false); return err },
		func() error {
			_, err := t.PrivacyPage(s.pub, Privacy{Mail: true, Relay: "smtp.example.com"})
			return err
		},
		func() error {
			_, err := t.PrivacyPage(s.pub, Privacy{Mail: true, ByMail: true, Months: 24, Days: 90})
			return err
		},
		func() error { _, err := t.PrivacyPage(s.pub, Privacy{}); return err },
		func() error { _, err := t.IssuePage(s.pub, digest, s.entries); return err },
		func() error { _, err := t.UnsubscribePage(s.pub, s.leave); return err },
		func() error {
			_, err := t.UnsubscribePage(s.pub, Unsubscribe{Email: s.leave.Email, Done: true})
			return err
		},
		func() error { return s.goodbye(t) },
		func() error { return s.review(t) },
		func() error { return s.signUp(t) },
		func() error { _, err := t.NotFoundPage(s.pub); return err },
		func() error { _, err := t.SearchPage(s.pub, Search{}); return err },
		func() error { _, err := t.SearchPage(s.pub, s.search()); return err },
	}
	for _, try := range tries {
		if err := try(); err != nil {
			return err
		}
	}
	return nil
}

// review takes the page of the author's answer through each of them.
func (s sample) review(t *Templates) error {
	for _, answer := range []newsletter.ReviewAnswer{"", newsletter.ReviewHold, newsletter.ReviewSkip, newsletter.ReviewSend} {
		r := Review{Review: newsletter.Review{Title: "Sample", Answer: answer}, Asked: newsletter.ReviewSkip}
		if _, err := t.ReviewPage(s.pub, r); err != nil {
			return err
		}
	}
	for _, r := range []Review{{Invalid: true}, {Review: newsletter.Review{Over: true}}} {
		if _, err := t.ReviewPage(s.pub, r); err != nil {
			return err
		}
	}
	return nil
}

// goodbye takes the pages behind the links of mails through each of their steps.
func (s sample) goodbye(t *Templates) error {
	until := time.Date(2024, 12, 18, 0, 0, 0, 0, time.UTC)
	leave := s.leave
	leave.Choose, leave.Done, leave.Return, leave.Fresh = "https://example.com/p/1", true, true, true
	said, back, paused := leave, leave, leave
	said.Thanks, back.Back, paused.PausedUntil = true, true, until
	for _, p := range []Unsubscribe{leave, said, back, paused} {
		if _, err := t.UnsubscribePage(s.pub, p); err != nil {
			return err
		}
	}
	form := Preferences{
		Action: leave.Choose, Leave: leave.Action, Email: s.leave.Email, Saved: true, Asked: "reader@example.org", Name: "Reader",
		Topics: []Option{{"go", "Go", true}}, Monthly: true, PausedUntil: until,
	}
	for _, step := range []PreferencesStep{StepForm, StepErase, StepErased, StepMove, StepMoved, StepTaken, StepBad} {
		form.Step = step
		if _, err := t.PreferencesPage(s.pub, form); err != nil {
			return err
		}
	}
	_, err := t.PreferencesPage(s.pub, Preferences{Saved: true, Refused: "x", Open: true})
	return err
}

// signUp takes the pages and letters of a sign-up through their branches.
func (s sample) signUp(t *Templates) error {
	for _, p := range []SignUp{{Email: "reader@example.com"}, {Email: "reader", Bad: true, Stamp: "a"}, {Busy: true}, {Again: true}, {Again: true, Bits: 16, Script: "proof.js", Tags: []string{"sample"}}} {
		if _, err := t.SignUpPage(s.pub, p); err != nil {
			return err
		}
	}
	for _, p := range []Confirm{{Action: s.leave.Action}, {Email: s.leave.Email, Done: true, Next: "Monday 7 December"}, {Invalid: true}} {
		if _, err := t.ConfirmPage(s.pub, p); err != nil {
			return err
		}
	}
	for _, kind := range []newsletter.LetterKind{newsletter.LetterConfirm, newsletter.LetterRemind, newsletter.LetterKnown, newsletter.LetterMove, newsletter.LetterMoved} {
		l := Letter{Kind: kind, From: "news@example.com"}
		if kind != newsletter.LetterKnown {
			l.Link, l.Until, l.Answer = "https://example.com/confirm/1", s.entries[0].PublishedAt, true
		}
		if _, err := t.Letter(s.pub, l); err != nil {
			return err
		}
	}
	return nil
}

// search is a page of results with each part of it.
func (s sample) search() Search {
	pieces := []Piece{{Text: "A "}, {Text: "sample", Mark: true}}
	found := Found{Thread: s.entries[0].Thread, OutAt: s.entries[0].PublishedAt, Marked: pieces, Shown: pieces}
	return Search{Query: "sample", Words: true, Total: 50, Page: 2, Results: []Found{found}, Newer: "?q=sample", Older: "?q=sample&page=3"}
}
