package publish

import (
	"context"
	"fmt"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/site"
)

// Preview is an issue as it would go out: one thread alone, or those that the
// next slot would carry.
type Preview struct {
	Issue   newsletter.Issue
	Mail    render.Mail
	Message mail.Message // as a recipient would get it, with an inert unsubscribe link
}

// Preview shows the given thread, a draft too, or the next issue of the queue,
// which may be a digest. to is the recipient's address; prefix stands before the
// subject. Nothing is recorded.
func (p *Publisher) Preview(ctx context.Context, thread, to, prefix string) (Preview, error) {
	c, chosen, err := p.previewed(ctx, thread)
	if err != nil {
		return Preview{}, err
	}
	templates, err := p.o.Templates()
	if err != nil {
		return Preview{}, err
	}
	number, err := p.o.Store.NextIssue(ctx)
	if err != nil {
		return Preview{}, err
	}
	issue := p.issue(templates, number, chosen, time.Now())
	if issue.Next, err = p.nextIssue(ctx, c.without(chosen)); err != nil {
		return Preview{}, err
	}
	return p.preview(ctx, templates, issue, to, prefix)
}

func (p *Publisher) preview(ctx context.Context, templates *render.Templates, issue newsletter.Issue, to, prefix string) (Preview, error) {
	now := issue.PublishedAt
	v := Preview{Issue: issue}
	today := templates.Date(p.o.Publication, now)
	inert := p.o.Publication.Link("#unsubscribe")
	s := p.o.Site(templates, unwritten)
	pictured, err := s.Pictured(ctx, v.Issue.Threads)
	if err != nil {
		return Preview{}, err
	}
	v.Issue.Threads = pictured
	reader := render.Recipient{Email: to, UnsubscribeURL: inert, Joined: today}
	if p.o.Letterhead.PreferencesURL != "" {
		reader.PreferencesURL = p.o.Letterhead.PreferencesURL + "test"
	}
	if p.o.Letterhead.Greeting {
		if reader.Greeting, err = templates.Greeting(p.o.Publication, v.Issue, ""); err != nil {
			return Preview{}, err
		}
	}
	v.Mail, err = templates.Mail(p.o.Publication, v.Issue, reader)
	if err != nil {
		return Preview{}, fmt.Errorf("render the mail of %s: %w", issue.Threads[0].ID, err)
	}
	v.Mail.Subject = prefix + v.Mail.Subject
	pictures, err := p.embed(ctx, s, v.Issue.Threads)
	if err != nil {
		return Preview{}, err
	}
	letter, err := p.compose(templates, v.Issue, pictures, prefix)
	if err != nil {
		return Preview{}, err
	}
	from := p.o.Letterhead.From.Address
	v.Message = mail.Message{From: p.o.Letterhead.returnPath().For("test"), To: to, Data: letter.Append(nil, mail.Recipient{
		Email:            to,
		MessageID:        mail.MessageID([]byte(time.Now().String()), 0, 0, domainOf(from)), // another one each time
		UnsubscribeURL:   inert,
		UnsubscribeToken: "test",
		Joined:           today,
		Date:             time.Now(), // not that of an issue to come
	})}
	return v, nil
}

// unwritten stands for the folder of a site that is looked at and not written.
const unwritten = "unwritten"

// heavy is the length of a mail's HTML from which Check warns, in bytes. Gmail
// cuts a mail off at 102 KB.
const heavy = 90 << 10

// heaviness warns of a mail that is near the length at which mail services cut
// it off, or that leaves posts to the web because it would pass that. The file
// is as the thread names it.
func heaviness(t newsletter.Listed, m render.Mail) []newsletter.Problem {
	w := newsletter.Problem{File: t.File}
	kb := (m.Size + 1023) >> 10
	switch {
	case m.Left > 0:
		w.Line = t.Posts[len(t.Posts)-m.Left].Line // the first that is left out
		w.Text = fmt.Sprintf("its mail would be %d KB long, and is cut off from 102 KB on; it carries the first %d of %d posts and a link to the others", kb, len(t.Posts)-m.Left, len(t.Posts))
	case m.Size > heavy:
		w.Text = fmt.Sprintf("its mail is %d KB long; from 102 KB on services cut it off, and it would carry the first posts and a link to the others", kb)
	default:
		return nil
	}
	return []newsletter.Problem{w}
}

// Weigh warns of the mail of an issue with several threads that is cut off, or
// that leaves posts to the web; [Publisher.Check] does so of each thread alone.
func (p *Publisher) Weigh(ctx context.Context, issue newsletter.Issue) ([]newsletter.Problem, error) {
	if len(issue.Threads) < 2 {
		return nil, nil
	}
	templates, err := p.o.Templates()
	if err != nil {
		return nil, err
	}
	v, err := p.preview(ctx, templates, issue, "reader@example.com", "")
	if err != nil || v.Mail.Left == 0 {
		return nil, err
	}
	return []newsletter.Problem{{
		File: issue.Threads[0].File, Line: issue.Threads[0].Posts[0].Line,
		Text: fmt.Sprintf("the mail of “%s” together would be %d KB long, and is cut off from 102 KB on; it leaves %d of their posts to a link", issue.Title, (v.Mail.Size+1023)>>10, v.Mail.Left),
	}}, nil
}

// Check renders the mail and the page of every thread that is ready, and the
// whole site with its feeds, and returns what went wrong and what to look at. It
// keeps nothing of it, and of pictures it reads as much as their sizes take.
func (p *Publisher) Check(ctx context.Context, c Catalogue) (faults []error, warnings []newsletter.Problem) {
	templates, err := p.o.Templates()
	if err != nil {
		return []error{err}, nil
	}
	entries := c.Entries()
	for _, t := range newsletter.Queue(c.Threads, p.o.Order, c.Queue, time.Now()) {
		if ctx.Err() != nil {
			return append(faults, ctx.Err()), warnings
		}
		v, err := p.preview(ctx, templates, p.issue(templates, 1, []newsletter.Listed{t}, time.Now()), "reader@example.com", "")
		if err != nil {
			faults = append(faults, err)
		}
		warnings = append(warnings, heaviness(t, v.Mail)...)
		t.OutAt = time.Now()
		entries = append(entries, t.Entry())
	}
	if err := p.o.Site(templates, unwritten).Rehearse(ctx, site.Content{Entries: entries}); err != nil {
		faults = append(faults, err)
	}
	return faults, warnings
}

// PreviewSite writes the site into dir as it would be with that issue on top.
func (p *Publisher) PreviewSite(ctx context.Context, thread, dir string) error {
	c, chosen, err := p.previewed(ctx, thread)
	if err != nil {
		return err
	}
	templates, err := p.o.Templates()
	if err != nil {
		return err
	}
	number, err := p.o.Store.NextIssue(ctx)
	if err != nil {
		return err
	}
	content := site.Content{}
	now := time.Now()
	for _, t := range chosen {
		t.OutAt, t.Issue = now, number
		content.Entries = append(content.Entries, t.Entry())
	}
	if len(chosen) > 1 {
		content.Digests = []newsletter.Issue{p.issue(templates, number, chosen, now)}
	}
	content.Entries = append(content.Entries, c.without(chosen).Entries()...)
	_, err = p.o.Site(templates, dir).Write(ctx, content)
	return err
}

// previewed finds the threads to preview: the given one, or those of the next
// issue.
func (p *Publisher) previewed(ctx context.Context, id string) (Catalogue, []newsletter.Listed, error) {
	c, err := p.Catalogue(ctx)
	if err != nil {
		return Catalogue{}, nil, err
	}
	if id == "" {
		chosen := p.pick(c, time.Now())
		if len(chosen) == 0 {
			return Catalogue{}, nil, fmt.Errorf("%s; name the thread to preview", emptyQueue(c, time.Now()))
		}
		c.together(chosen)
		return c, chosen, nil
	}
	t, err := c.Find(id)
	if err != nil {
		return Catalogue{}, nil, err
	}
	return c, []newsletter.Listed{t}, nil
}

// TestPrefix stands before the subject of a mail that is only a test.
const TestPrefix = "[Test] "
