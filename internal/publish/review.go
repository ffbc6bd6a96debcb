package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// Review says how the author is told of a slot that is to come.
type Review struct {
	Before time.Duration // the slot; zero for never
	// Link is the address of the page that takes the author's answer about the slot
	// at a time; it is nil where nobody serves it.
	Link func(due time.Time) string
	// Send sends the mail.
	Send func(ctx context.Context, m mail.Message) error
}

// reviewedSlots bounds how many slots are looked at for reviews.
const reviewedSlots = 20

// reviewPrefix stands before the subject of a mail about what is to come.
const reviewPrefix = "[Review] "

// Reviews sends the author what the slots that come soon will carry, each once
// and again when that is another issue. What an edit changes is no reason: the
// mail says that what the files hold at the slot goes out.
func (p *Publisher) Reviews(ctx context.Context, r Review) error {
	if r.Before == 0 || p.o.Schedule == nil {
		return nil
	}
	now, err := p.o.Store.Now(ctx)
	if err != nil || p.o.Schedule.Next(now).Sub(now) > r.Before {
		return err
	}
	if soon, err := p.aboutToPublish(ctx, now); soon || err != nil {
		return err
	}
	planned, err := p.Upcoming(ctx, now, reviewedSlots)
	if err != nil {
		return err
	}
	for i, slot := range planned {
		if slot.Due.Sub(now) > r.Before {
			break
		}
		if len(slot.Threads) == 0 { // none is left, which is told elsewhere, or it is paused
			continue
		}
		if err := p.review(ctx, r, slot, planned[i+1:]); err != nil {
			return fmt.Errorf("tell the author of the slot of %s: %w", p.longTime(slot.Due), err)
		}
	}
	return nil
}

// aboutToPublish tells whether a slot has come that is not over, whose threads
// are not for those that follow.
func (p *Publisher) aboutToPublish(ctx context.Context, now time.Time) (bool, error) {
	slot, err := p.due(ctx, now)
	if slot == nil || err != nil {
		return false, err
	}
	pause, err := p.o.Store.Pause(ctx)
	return !pause.Covers(now) && !pause.Covers(slot.Due), err
}

// review tells of one slot, unless that was done; later are those that follow.
func (p *Publisher) review(ctx context.Context, r Review, slot Planned, later []Planned) error {
	var ids []string
	for _, t := range slot.Threads {
		ids = append(ids, t.ID)
	}
	told, err := p.o.Store.Review(ctx, slot.Due)
	switch {
	case errors.Is(err, newsletter.ErrNotFound):
	case err != nil:
		return err
	case told.Answer != "" || slices.Equal(told.Threads, ids):
		return nil
	}
	var next time.Time
	if i := slices.IndexFunc(later, func(s Planned) bool { return len(s.Threads) > 0 }); i >= 0 {
		next = later[i].Due
	}
	m, title, err := p.reviewMail(ctx, r, slot, next, !told.Due.IsZero())
	if err == nil {
		err = r.Send(ctx, m)
	}
	if err != nil {
		return err
	}
	return p.o.Store.KeepReview(ctx, newsletter.Review{Slot: slot.Slot, Title: title, Threads: ids, MailedAt: time.Now()})
}

// reviewMail is the mail of the issue as it would go out, with a line above it
// that says when, and takes the author to the page of the answers.
func (p *Publisher) reviewMail(ctx context.Context, r Review, slot Planned, next time.Time, again bool) (m mail.Message, title string, err error) {
	templates, err := p.o.Templates()
	if err != nil {
		return m, "", err
	}
	number, err := p.o.Store.NextIssue(ctx)
	if err != nil {
		return m, "", err
	}
	o := p.o
	above, err := p.reviewLine(templates, r, slot, again)
	if err != nil {
		return m, "", err
	}
	if o.Publication.Header != "" {
		above += "\n\n" + o.Publication.Header
	}
	o.Publication.Header = above
	c, err := p.Catalogue(ctx)
	if err != nil {
		return m, "", err
	}
	c.together(slot.Threads)
	issue := p.issue(templates, number, slot.Threads, slot.Due)
	issue.Next = next
	v, err := New(o).preview(ctx, templates, issue, o.Publication.Author.Email, reviewPrefix)
	return v.Message, issue.Title, err
}

// reviewLine is what stands above the issue, as Markdown.
func (p *Publisher) reviewLine(words *render.Templates, r Review, slot Planned, again bool) (string, error) {
	name := "review_line"
	if again {
		name = "review_other"
	}
	line, err := words.Sentence(p.o.Publication, name, "day", words.Moment(p.o.Publication, slot.Due))
	if err != nil || r.Link == nil {
		return line, err
	}
	for i, answer := range []newsletter.ReviewAnswer{newsletter.ReviewHold, newsletter.ReviewSkip, newsletter.ReviewSend} {
		label, err := words.Sentence(p.o.Publication, "review_"+string(answer))
		if err != nil {
			return "", err
		}
		separator := " • "
		if i == 0 {
			separator = "\n\n"
		}
		line += fmt.Sprintf("%s[%s](%s?do=%s)", separator, label, r.Link(slot.Due), answer)
	}
	return line, nil
}

// ReviewOf is what the author was told of the slot at a time, and whether an
// answer is still taken; ErrNotFound where that was nothing. An answer that
// somebody took back since is none, and its links have had their time.
func (p *Publisher) ReviewOf(ctx context.Context, due time.Time) (newsletter.Review, error) {
	r, err := p.o.Store.Review(ctx, due)
	if err != nil {
		return r, err
	}
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return r, err
	}
	over, err := p.o.Store.SlotOver(ctx, r.Slot)
	if r.Over = over || !now.Before(r.Due); r.Over || err != nil {
		return r, err
	}
	back, err := p.takenBack(ctx, r, now)
	if back {
		r.Answer, r.Over = "", true
	}
	return r, err
}

// takenBack tells whether a slot that was held or skipped by its review is not
// so any more.
func (p *Publisher) takenBack(ctx context.Context, r newsletter.Review, now time.Time) (bool, error) {
	if !r.Done {
		return false, nil
	}
	g, err := p.gaps(ctx)
	switch r.Answer {
	case newsletter.ReviewHold:
		return !g.pause.Covers(now), err
	case newsletter.ReviewSkip:
		return !slices.ContainsFunc(g.skips, r.Same), err
	}
	return false, err
}

// AnswerReview takes the author's one answer about the slot at a time. What it
// asks for is done at once, but for sending, which is for the one who publishes.
func (p *Publisher) AnswerReview(ctx context.Context, due time.Time, answer newsletter.ReviewAnswer) (newsletter.Review, error) {
	r, err := p.ReviewOf(ctx, due)
	if err != nil || r.Over || r.Answer != "" {
		return r, err
	}
	err = p.o.Store.AnswerReview(ctx, due, answer)
	if errors.Is(err, newsletter.ErrTaken) { // by another request meanwhile
		return p.ReviewOf(ctx, due)
	}
	if err != nil {
		return r, err
	}
	r.Answer, r.Fresh = answer, true
	p.o.Log.Info("the author answered a review", "answer", answer, "slot", r.Key)
	return r, p.keepBack(context.WithoutCancel(ctx), r)
}

// keepBack does what an answer means for the schedule. It may be repeated.
func (p *Publisher) keepBack(ctx context.Context, r newsletter.Review) error {
	var err error
	if r.Answer == newsletter.ReviewHold {
		err = p.Pause(ctx, time.Time{}, false)
	} else {
		err = p.leaveOut(ctx, r.Slot)
	}
	if err != nil || r.Answer == newsletter.ReviewSend {
		return err
	}
	return p.o.Store.ReviewDone(ctx, r.Due)
}

// leaveOut skips a slot that is to come. Where it came meanwhile the answer was
// too late.
func (p *Publisher) leaveOut(ctx context.Context, slot newsletter.Slot) error {
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return err
	}
	if err := p.o.Store.Skip(ctx, slot, now); !errors.Is(err, newsletter.ErrSlotOver) {
		return err
	}
	return nil
}

// Answered carries out what the author answered to reviews and was not done yet.
// Only the holder of the lock may call it. It tells whether an issue was
// published.
func (p *Publisher) Answered(ctx context.Context) (published bool, err error) {
	list, err := p.o.Store.AnsweredReviews(ctx)
	if err == nil && len(list) == 0 {
		return false, nil
	}
	defer func() {
		switch {
		case ctx.Err() != nil:
		case err != nil:
			err = errors.Join(err, p.o.Store.Warn(ctx, WarningReview, err.Error()))
		default:
			err = p.o.Store.Unwarn(ctx, WarningReview)
		}
	}()
	for _, r := range list {
		if err == nil {
			err = p.keepBack(ctx, r)
		}
		if err == nil && r.Answer == newsletter.ReviewSend {
			var sent bool
			sent, err = p.sendReviewed(ctx, r)
			published = published || sent
		}
	}
	return published, err
}

// sendReviewed publishes the threads of a review, unless that was done. Those
// that the author took out of the line since stay out.
func (p *Publisher) sendReviewed(ctx context.Context, r newsletter.Review) (bool, error) {
	c, err := p.Sync(ctx)
	if err != nil {
		return false, err
	}
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return false, err
	}
	var ids []string
	for _, id := range r.Threads {
		t, err := c.Find(id)
		if err == nil && t.Out() { // it was sent before a crash
			return false, p.o.Store.ReviewDone(ctx, r.Due)
		}
		if s := t.State(now); err == nil && (s == newsletter.ThreadReady || s == newsletter.ThreadWaiting) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		p.o.Log.Warn("the author answered to send what is in the line no more", "slot", r.Key, "threads", r.Threads)
		return false, p.o.Store.ReviewDone(ctx, r.Due)
	}
	o, err := p.publishNow(ctx, ids, false)
	if err != nil {
		return false, err
	}
	return o.Issue != nil, p.o.Store.ReviewDone(ctx, r.Due)
}
