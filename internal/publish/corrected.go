package publish

import (
	"context"
	"sync"

	"threadmill/internal/newsletter"
)

// sent remembers how texts compare with what was mailed of them.
type sent struct {
	sync.Mutex
	known map[string]compared // by thread
}

// compared is what a comparison of two sources came to, which are told by their
// digests. What was sent changes when its issue is undone, and it is sent again.
type compared struct {
	now, sent string
	differs   bool
}

// reworded notes whether an edit changed more than the front matter. Only of a
// thread that was sent anybody asks.
func (p *Publisher) reworded(ctx context.Context, u *newsletter.ThreadUpdate, known *newsletter.KnownThread) error {
	u.Reworded = u.Edited
	if !u.Edited || known.Issue == 0 {
		return nil
	}
	_, source, err := p.o.Store.ThreadSource(ctx, known.ID)
	if err != nil {
		return err
	}
	u.Reworded = !newsletter.SameText(u.Thread, p.o.Parse(u.File, source))
	return nil
}

// corrected notes since when the text of a thread is another than was mailed.
func (p *Publisher) corrected(ctx context.Context, l *newsletter.Listed, known newsletter.KnownThread) error {
	if known.Issue == 0 || !known.Mailed || l.Digest == known.SentDigest {
		return nil
	}
	p.sent.Lock()
	was, ok := p.sent.known[known.ID]
	p.sent.Unlock()
	if !ok || was.now != l.Digest || was.sent != known.SentDigest {
		differs, err := p.differs(ctx, l.Thread, known)
		if err != nil {
			return err
		}
		was = compared{l.Digest, known.SentDigest, differs}
		p.sent.Lock()
		if p.sent.known == nil {
			p.sent.known = map[string]compared{}
		}
		p.sent.known[known.ID] = was
		p.sent.Unlock()
	}
	switch {
	case !was.differs:
	case known.RewordedAt.Before(known.OutAt): // a node of an older version saw the edit
		l.CorrectedAt = newsletter.Later(known.OutAt, known.ChangedAt)
	default:
		l.CorrectedAt = known.RewordedAt
	}
	return nil
}

// differs tells whether the text of a thread is another than was mailed.
func (p *Publisher) differs(ctx context.Context, now newsletter.Thread, known newsletter.KnownThread) (bool, error) {
	source, err := p.o.Store.SentSource(ctx, known.ID)
	if err != nil || source == now.Source {
		return false, err
	}
	mailed := p.o.Parse(known.File, source)
	return mailed.Via(newsletter.ChannelMail) && !newsletter.SameText(mailed, now), nil
}
