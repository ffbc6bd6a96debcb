package publish

import (
	"context"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
	"threadmill/internal/site"
)

// Preview is a thread as it would go out alone.
type Preview struct {
	Issue   newsletter.Issue
	Mail    render.Mail
	Message mail.Message // as a recipient would get it, with an inert unsubscribe link
}

// Preview shows the given thread, a draft too, or the next of the queue. to is
// the recipient's address; prefix stands before the subject. Nothing is
// recorded.
func (p *Publisher) Preview(ctx context.Context, thread, to, prefix string) (Preview, error) {
	_, t, err := p.previewed(ctx, thread)
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
	return p.preview(ctx, templates, t, number, to, prefix)
}

func (p *Publisher) preview(ctx context.Context, templates *render.Templates, t newsletter.Listed, number int64, to, prefix string) (Preview, error) {
	now := time.Now()
	v := Preview{Issue: p.issue(templates, number, []newsletter.Listed{t}, now)}
	inert := p.o.Publication.Link("#unsubscribe")
	pictured, err := p.o.Site(templates, unwritten).Pictured(ctx, v.Issue.Threads)
	if err != nil {
		return Preview{}, err
	}
	v.Issue.Threads = pictured
	reader := render.Recipient{Email: to, UnsubscribeURL: inert}
	if p.o.Letterhead.Greeting {
		if reader.Greeting, err = templates.Greeting(p.o.Publication, v.Issue, ""); err != nil {
			return Preview{}, err
		}
	}
	v.Mail, err = templates.Mail(p.o.Publication, v.Issue, reader)
	if err != nil {
		return Preview{}, fmt.Errorf("render the mail of %s: %w", t.ID, err)
	}
	v.Mail.Subject = prefix + v.Mail.Subject
	letter, err := p.compose(templates, v.Issue, mail.NewSlots(), prefix)
	if err != nil {
		return Preview{}, err
	}
	from := p.o.Letterhead.From.Address
	v.Message = mail.Message{From: from, To: to, Data: letter.Append(nil, mail.Recipient{
		Email:            to,
		MessageID:        mail.MessageID([]byte(now.String()), 0, 0, domainOf(from)), // another one each time
		UnsubscribeURL:   inert,
		UnsubscribeToken: "test",
		Date:             now,
	})}
	return v, nil
}

// unwritten stands for the folder of a site that is looked at and not written.
const unwritten = "unwritten"

// Check renders the mail and the page of every thread that is ready, and the
// whole site with its feeds, and returns what went wrong. It keeps nothing of
// it, and of pictures it reads as much as their sizes take.
func (p *Publisher) Check(ctx context.Context, c Catalogue) []error {
	templates, err := p.o.Templates()
	if err != nil {
		return []error{err}
	}
	var faults []error
	entries := c.Entries()
	for _, t := range newsletter.Queue(c.Threads, p.o.Order, c.Queue, time.Now()) {
		if ctx.Err() != nil {
			return append(faults, ctx.Err())
		}
		if _, err := p.preview(ctx, templates, t, 1, "reader@example.com", ""); err != nil {
			faults = append(faults, err)
		}
		t.OutAt = time.Now()
		entries = append(entries, t.Entry())
	}
	if err := p.o.Site(templates, unwritten).Rehearse(ctx, site.Content{Entries: entries}); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// PreviewSite writes the site into dir as it would be with the thread on top.
func (p *Publisher) PreviewSite(ctx context.Context, thread, dir string) error {
	c, t, err := p.previewed(ctx, thread)
	if err != nil {
		return err
	}
	templates, err := p.o.Templates()
	if err != nil {
		return err
	}
	entries := slices.DeleteFunc(c.Entries(), func(e newsletter.Entry) bool { return e.ID == t.ID })
	t.OutAt = time.Now()
	_, err = p.o.Site(templates, dir).Write(ctx, site.Content{Entries: slices.Insert(entries, 0, t.Entry())})
	return err
}

// previewed finds the thread to preview.
func (p *Publisher) previewed(ctx context.Context, id string) (Catalogue, newsletter.Listed, error) {
	c, err := p.Catalogue(ctx)
	if err != nil {
		return Catalogue{}, newsletter.Listed{}, err
	}
	if id == "" {
		queue := newsletter.Queue(c.Threads, p.o.Order, c.Queue, time.Now())
		if len(queue) == 0 {
			return Catalogue{}, newsletter.Listed{}, fmt.Errorf("%s; name the thread to preview", emptyQueue(c, time.Now()))
		}
		return c, queue[0], nil
	}
	t, err := c.Find(id)
	if err != nil {
		return Catalogue{}, newsletter.Listed{}, err
	}
	return c, t, nil
}

// TestPrefix stands before the subject of a mail that is only a test.
const TestPrefix = "[Test] "
