package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// ErrNoMail says that an issue went out without a mail.
var ErrNoMail = errors.New("nothing of it went out by mail")

// AsSent is the mail of an issue as it went out, to somebody made up; ErrNoMail
// where there was none.
func (p *Publisher) AsSent(ctx context.Context, number int64) (mail.Sent, error) {
	snap, err := p.o.Store.Snapshot(ctx, number)
	if err != nil {
		return mail.Sent{}, err
	}
	if len(snap.Message) == 0 {
		return mail.Sent{}, fmt.Errorf("issue %d: %w", number, ErrNoMail)
	}
	var t mail.Template
	if err := t.UnmarshalBinary(snap.Message); err != nil {
		return mail.Sent{}, fmt.Errorf("issue %d: %w", number, err)
	}
	const token = "TOKEN"
	return t.Show(mail.Recipient{
		Email: "reader@example.com", MessageID: "<issue@" + snap.Domain + ">",
		UnsubscribeURL: snap.UnsubscribeURL + token, UnsubscribeToken: token, Joined: "DATE",
	})
}

// Revised is a thread as it went out in an issue, and as it is now.
type Revised struct {
	ID   string
	File string // where it is now, or was; empty where another took the place
	// Gone says that no file holds it any more, or none that can be read: Now is
	// what was seen last.
	Gone      bool
	Sent, Now string
}

// Revisions are the threads of an issue, in their order, as authors write them:
// the title, and the posts.
func (p *Publisher) Revisions(ctx context.Context, ids []string) ([]Revised, error) {
	c, err := p.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Revised, len(ids))
	for i, id := range ids {
		now, err := c.Find(id)
		if err != nil {
			return nil, err
		}
		r := Revised{ID: id, File: now.File, Gone: now.File == ""}
		if r.Gone {
			r.File = now.Stood
		}
		source, err := p.o.Store.SentSource(ctx, id)
		if err != nil {
			return nil, err
		}
		sent := p.o.Parse(r.File, source)
		r.Sent, r.Now = written(sent, now.Titled), written(now.Thread, sent.Titled)
		if newsletter.SameText(sent, now.Thread) {
			r.Now = r.Sent
		}
		list[i] = r
	}
	return list, nil
}

// written is a thread as its file would say it that held nothing else. The
// title stands there where the author gave it, now or then.
func written(t newsletter.Thread, titled bool) string {
	var b strings.Builder
	if t.Titled || titled {
		fmt.Fprintf(&b, "---\ntitle: %s\n---\n", t.Title)
	}
	for i, p := range t.Posts {
		if i > 0 {
			b.WriteString("\n---\n\n")
		}
		b.WriteString(p.Text + "\n")
	}
	for ref := range strings.Lines(t.References + "\n" + t.Notes) { // those that stand in no post
		if ref = strings.TrimSuffix(ref, "\n"); ref != "" && !strings.Contains(b.String(), ref) {
			b.WriteString("\n" + ref + "\n")
		}
	}
	return b.String()
}
