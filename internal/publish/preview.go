package publish

import (
	"context"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
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
	templates, err := p.Templates()
	if err != nil {
		return Preview{}, err
	}
	number, err := p.Store.NextIssue(ctx)
	if err != nil {
		return Preview{}, err
	}
	now := time.Now()
	issue := p.issue(number, []newsletter.Listed{t}, now)
	inert := p.Publication.Link("#unsubscribe")
	v := Preview{Issue: issue}
	v.Mail, err = templates.Mail(p.Publication, issue, render.Recipient{Email: to, UnsubscribeURL: inert})
	if err != nil {
		return Preview{}, fmt.Errorf("render the mail of %s: %w", t.ID, err)
	}
	letter, err := p.compose(templates, issue, mail.NewSlots(), prefix)
	if err != nil {
		return Preview{}, err
	}
	v.Message = mail.Message{From: p.Letterhead.From.Address, To: to, Data: letter.Append(nil, mail.Recipient{
		Email:            to,
		MessageID:        mail.MessageID([]byte(now.String()), 0, 0, domainOf(p.Letterhead.From.Address)), // another one each time
		UnsubscribeURL:   inert,
		UnsubscribeToken: "test",
		Date:             now,
	})}
	v.Mail.Subject = prefix + v.Mail.Subject
	return v, nil
}

// PreviewSite writes the site into dir as it would be with the thread on top.
func (p *Publisher) PreviewSite(ctx context.Context, thread, dir string) error {
	c, t, err := p.previewed(ctx, thread)
	if err != nil {
		return err
	}
	templates, err := p.Templates()
	if err != nil {
		return err
	}
	entries := slices.DeleteFunc(c.Entries(), func(e newsletter.Entry) bool { return e.ID == t.ID })
	e := t.Entry()
	e.PublishedAt = time.Now()
	e.UpdatedAt = e.PublishedAt
	entries = slices.Insert(entries, 0, e)
	_, err = p.Site(templates, dir).Write(ctx, entries, nil)
	return err
}

// previewed finds the thread to preview.
func (p *Publisher) previewed(ctx context.Context, id string) (Catalogue, newsletter.Listed, error) {
	c, err := p.Catalogue(ctx)
	if err != nil {
		return Catalogue{}, newsletter.Listed{}, err
	}
	if id == "" {
		queue := newsletter.Queue(c.Threads, p.Order, c.Queue, time.Now())
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
