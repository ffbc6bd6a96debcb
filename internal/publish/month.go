package publish

import (
	"cmp"
	"context"
	"slices"
	"time"

	"threadmill/internal/newsletter"
)

// monthForm writes a month as its digest is called by.
const monthForm = "2006-01"

// Where there is no schedule, a digest of a month goes out at this hour.
const monthHour = 9

// PublishMonth publishes the digest of what went out in the months that are over,
// for those who want one mail a month: on the first of the next, at the hour of
// its first slot, or later where nobody was there or a pause held it. It holds
// the threads that are for everybody, and has no page. Where nobody wants one, or
// nothing went out, the month is over without.
func (p *Publisher) PublishMonth(ctx context.Context) (Outcome, error) {
	return p.again(ctx, func() (Outcome, error) {
		now, err := p.o.Store.Now(ctx)
		if err != nil {
			return Outcome{}, err
		}
		pause, err := p.o.Store.Pause(ctx)
		if err != nil || pause.Covers(now) {
			return Outcome{}, err
		}
		done, err := p.o.Store.LastMonth(ctx)
		if err != nil {
			return Outcome{}, err
		}
		end := p.monthsOver(now)
		month := end.AddDate(0, -1, 0).Format(monthForm)
		switch {
		case done == "": // what went out before anybody counted is left
			return Outcome{}, p.o.Store.EndMonth(ctx, month)
		case done >= month:
			return Outcome{}, nil
		}
		begin, err := time.ParseInLocation(monthForm, done, p.o.Publication.Zone)
		if err != nil {
			return Outcome{}, err
		}
		return p.publishMonth(ctx, month, begin.AddDate(0, 1, 0), end, now)
	})
}

// EndMonths lets the months be over whose digest was due, without one.
func (p *Publisher) EndMonths(ctx context.Context) error {
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return err
	}
	return p.o.Store.EndMonth(ctx, p.monthsOver(now).AddDate(0, -1, 0).Format(monthForm))
}

// monthsOver is the beginning of the first month whose digest is not due yet.
func (p *Publisher) monthsOver(now time.Time) time.Time {
	now = now.In(p.o.Publication.Zone)
	first := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location())
	if now.Before(p.monthDue(first)) {
		return first.AddDate(0, -1, 0)
	}
	return first
}

// monthDue is when the digest of the month before is due, on the day that a month
// begins.
func (p *Publisher) monthDue(first time.Time) time.Time {
	hour, minute := monthHour, 0
	if p.o.Schedule != nil {
		if slot := p.o.Schedule.Next(first.Add(-time.Nanosecond)); !slot.IsZero() {
			hour, minute, _ = slot.In(first.Location()).Clock()
		}
	}
	return time.Date(first.Year(), first.Month(), 1, hour, minute, 0, 0, first.Location())
}

// WithMonth puts among the slots after from the digest of the month, where it is
// due before the last of them and somebody wants it: with the threads that are out
// and those of the slots before it.
func (p *Publisher) WithMonth(ctx context.Context, from time.Time, planned []Planned) ([]Planned, error) {
	begin := p.monthsOver(from)
	end := begin.AddDate(0, 1, 0)
	due := p.monthDue(end)
	if len(planned) == 0 || planned[len(planned)-1].Due.Before(due) {
		return planned, nil
	}
	pause, err := p.o.Store.Pause(ctx)
	if err != nil || pause.Covers(due) {
		return planned, err
	}
	if done, err := p.o.Store.LastMonth(ctx); err != nil || done == "" {
		return planned, err
	}
	c, err := p.Catalogue(ctx)
	if err != nil {
		return nil, err
	}
	month := Planned{Slot: newsletter.Slot{Due: due}, Month: begin.Format(monthForm), Threads: ofMonth(c, begin, end, from)}
	i := slices.IndexFunc(planned, func(s Planned) bool { return s.Due.After(due) })
	if i < 0 {
		i = len(planned)
	}
	for _, s := range planned[:i] {
		if s.Due.Before(end) {
			month.Threads = append(month.Threads, slices.DeleteFunc(slices.Clone(s.Threads), func(t newsletter.Listed) bool { return !forMonth(t) })...)
		}
	}
	month.Circle = p.circle(month.Threads)
	month.Monthly = true
	if len(month.Threads) == 0 {
		return planned, nil
	}
	if n, _, err := p.o.Store.Reach(ctx, month.Circle, from); err != nil || n == 0 {
		return planned, err
	}
	return slices.Insert(planned, i, month), nil
}

// forMonth says whether a thread is one of a digest of a month.
func forMonth(t newsletter.Listed) bool { return t.Via(newsletter.ChannelMail) && len(t.To) == 0 }

// ofMonth are the threads of the digest for what went out from begin to end.
func ofMonth(c Catalogue, begin, end, now time.Time) (list []newsletter.Listed) {
	for _, t := range c.Threads {
		if t.State(now) == newsletter.ThreadSent && forMonth(t) && !t.OutAt.Before(begin) && t.OutAt.Before(end) {
			list = append(list, t)
		}
	}
	slices.SortFunc(list, func(a, b newsletter.Listed) int { return cmp.Compare(a.OutNumber, b.OutNumber) })
	return list
}

// publishMonth publishes the digest of what went out from begin to end, if there
// is anything and anybody.
func (p *Publisher) publishMonth(ctx context.Context, month string, begin, end, now time.Time) (Outcome, error) {
	c, err := p.Sync(ctx)
	if err != nil {
		return Outcome{}, err
	}
	chosen, reached := ofMonth(c, begin, end, now), 0
	circle := p.circle(chosen)
	circle.Monthly = true
	if len(chosen) > 0 {
		if reached, _, err = p.o.Store.Reach(ctx, circle, now); err != nil {
			return Outcome{}, err
		}
	}
	if reached == 0 {
		return Outcome{}, p.o.Store.EndMonth(ctx, month)
	}
	c.together(chosen)
	issue, snap, err := p.monthly(ctx, month, chosen, circle, end.AddDate(0, -1, 0))
	if err != nil {
		return Outcome{}, err
	}
	n, err := p.o.Store.Publish(ctx, issue, nil, snap, p.o.Batch)
	if err != nil {
		return Outcome{}, err
	}
	p.o.Log.Info("digest of a month published", "issue", issue.Number, "month", month, "recipients", n)
	return Outcome{Issue: &issue, Recipients: n}, nil
}

// monthly composes the digest of a month.
func (p *Publisher) monthly(ctx context.Context, month string, chosen []newsletter.Listed, circle newsletter.Circle, of time.Time) (newsletter.Issue, newsletter.Snapshot, error) {
	fail := func(err error) (newsletter.Issue, newsletter.Snapshot, error) {
		return newsletter.Issue{}, newsletter.Snapshot{}, err
	}
	if p.o.MayPublish != nil {
		if err := p.o.MayPublish(ctx); err != nil {
			return fail(err)
		}
	}
	templates, err := p.o.Templates()
	if err != nil {
		return fail(err)
	}
	number, err := p.o.Store.NextIssue(ctx)
	if err != nil {
		return fail(err)
	}
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return fail(err)
	}
	issue := p.issue(templates, number, chosen, now)
	issue.Month, issue.Slug, issue.Circle = month, month, circle
	issue.Title = p.o.Publication.Title + ": " + templates.Month(p.o.Publication, of)
	issue.Subject = issue.Title
	issue.HeldUntil = issue.PublishedAt.Add(p.o.Grace)
	snap := p.snapshot()
	snap.Message, err = p.message(ctx, templates, issue)
	return issue, snap, err
}
