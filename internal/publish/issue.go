package publish

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/render"
)

// Outcome is what a try to publish came to.
type Outcome struct {
	Issue      *newsletter.Issue // nil when nothing was published
	Recipients int
	LeftOut    newsletter.LeftOut // who is active and does not get it; of a dry run only
	Reason     string             // why nothing was published
}

// PublishDue publishes what is due now. It may be called at any time by any
// number of processes: a slot publishes at most one issue.
func (p *Publisher) PublishDue(ctx context.Context, thread string) (Outcome, error) {
	hooked, chosen := false, given(thread)
	return p.again(ctx, func() (Outcome, error) {
		now, err := p.o.Store.Now(ctx)
		if err != nil {
			return Outcome{}, err
		}
		pause, err := p.o.Store.Pause(ctx)
		if err != nil {
			return Outcome{}, err
		}
		if pause.Covers(now) { // also what was due before: a pause is a pause
			return Outcome{Reason: "the schedule is paused"}, nil
		}
		slot, err := p.due(ctx, now)
		switch {
		case err != nil:
			return Outcome{}, err
		case slot == nil:
			reason, err := p.leave(ctx, now)
			if err == nil && reason == "" {
				reason, err = p.nothingDue(ctx, now)
			}
			return Outcome{Reason: reason}, err
		case pause.Covers(slot.Due):
			return Outcome{Reason: "the slot of " + p.longTime(slot.Due) + " fell into a pause and is over"}, p.over(ctx, *slot, newsletter.SlotPaused, now)
		case !p.onTime(slot.Due, now):
			return Outcome{Reason: "the slot of " + p.longTime(slot.Due) + " was missed, and schedule.catch_up leaves it"}, p.over(ctx, *slot, newsletter.SlotMissed, now)
		}
		if !hooked { // also where another process was first meanwhile
			hooked = true
			p.beforeSlot(ctx, *slot)
		}
		return p.publish(ctx, slot, chosen, p.o.Grace)
	})
}

// PublishNow publishes the next thread, or the given one, whether a slot is
// due or not; one that is due is claimed. Its mail may leave at once unless
// graced: whoever publishes by hand has looked.
func (p *Publisher) PublishNow(ctx context.Context, thread string, graced bool) (Outcome, error) {
	return p.publishNow(ctx, given(thread), graced)
}

// given are the ids of the threads that somebody asked for by one; none stand
// for the head of the queue.
func given(id string) []string {
	if id == "" {
		return nil
	}
	return []string{id}
}

// publishNow does it with threads of several ids.
func (p *Publisher) publishNow(ctx context.Context, ids []string, graced bool) (Outcome, error) {
	var grace time.Duration
	if graced {
		grace = p.o.Grace
	}
	return p.again(ctx, func() (Outcome, error) {
		now, err := p.o.Store.Now(ctx)
		if err != nil {
			return Outcome{}, err
		}
		slot, err := p.due(ctx, now)
		if err != nil {
			return Outcome{}, err
		}
		return p.publish(ctx, slot, ids, grace)
	})
}

// tries bounds how often publishing starts anew because another process was
// first.
const tries = 10

func (p *Publisher) again(ctx context.Context, try func() (Outcome, error)) (o Outcome, err error) {
	for range tries {
		if o, err = try(); !errors.Is(err, newsletter.ErrTaken) || ctx.Err() != nil {
			return o, err
		}
	}
	return o, err
}

func (p *Publisher) nothingDue(ctx context.Context, now time.Time) (string, error) {
	if p.o.Schedule == nil {
		return "there is no schedule; publish by hand with --now, or set schedule.cron", nil
	}
	fresh, err := p.fresh(ctx, now)
	if err != nil {
		return "", err
	}
	next := "there is no other"
	g, err := p.gaps(ctx)
	if at := g.next(now); !at.IsZero() {
		next = "the next is " + p.longTime(at)
	}
	return "no slot is due; " + next + fresh, err
}

// longTime is how people read a time.
func (p *Publisher) longTime(t time.Time) string {
	return t.In(p.o.Publication.Zone).Format("Monday 2 January 2006 15:04 MST")
}

// fresh says that a new schedule left a slot out which it would have had
// lately; empty when it did not.
func (p *Publisher) fresh(ctx context.Context, now time.Time) (string, error) {
	begun, err := p.Begun(ctx)
	if err != nil || begun && p.began.IsZero() {
		return "", err
	}
	since, text := p.began, ". The schedule is new and counts from now; the slot of %s was not taken"
	if !begun {
		since, text = now, ". The schedule is new and counts from the first `threadmill run` or `threadmill publish` on; the slot of %s is not taken"
	}
	next := p.o.Schedule.Next(since)
	slot, ok := p.o.Schedule.Last(since.Add(next.Sub(p.o.Schedule.Next(next))), since)
	if !ok {
		return "", nil
	}
	if last, _, err := p.o.Store.LastSlot(ctx, now); err != nil || !last.Before(slot) {
		return "", err
	}
	text = fmt.Sprintf(text, p.longTime(slot))
	c, err := p.Catalogue(ctx)
	if chosen := p.pick(c, now); len(chosen) > 0 {
		text += ". `threadmill publish --now` sends “" + p.issue(p.spoken(), 0, chosen, now).Title + "”"
	}
	return text, err
}

// publish makes an issue, for a slot or for none, whose mail waits for grace.
func (p *Publisher) publish(ctx context.Context, slot *newsletter.Slot, ids []string, grace time.Duration) (Outcome, error) {
	c, err := p.Sync(ctx)
	if err != nil {
		return Outcome{}, err
	}
	p.logProblems(c)
	now, err := p.o.Store.Now(ctx) // not before the last edit was noticed
	if err != nil {
		return Outcome{}, err
	}
	chosen, err := p.choose(c, ids, now)
	if err != nil {
		return Outcome{}, err
	}
	if len(chosen) == 0 {
		o := Outcome{Reason: emptyQueue(c, now)}
		if slot == nil {
			return o, nil
		}
		if err := p.missed(ctx, &o); err != nil { // before the slot is over: a crash between is caught up, and nobody gets it twice
			return o, err
		}
		if err := p.over(ctx, *slot, newsletter.SlotEmpty, now); err != nil {
			return o, err
		}
		return o, p.o.Store.Warn(ctx, newsletter.WarningSlotEmpty, "the slot of "+p.longTime(slot.Due)+" passed: "+o.Reason)
	}
	c.together(chosen)
	issue, snap, err := p.prepare(ctx, c, chosen, slot, now)
	if err != nil {
		return Outcome{}, err
	}
	issue.HeldUntil = issue.PublishedAt.Add(grace)
	n, err := p.o.Store.Publish(ctx, issue, slot, snap, p.o.Batch)
	if err != nil {
		return Outcome{}, err
	}
	if err := p.o.Store.Unwarn(ctx, newsletter.WarningSlotEmpty); err != nil {
		p.o.Log.Error("clear a warning", "kind", newsletter.WarningSlotEmpty, "err", err)
	}
	p.o.Log.Info("issue published", "issue", issue.Number, "title", issue.Title, "slot", issue.Slot, "recipients", n)
	return Outcome{Issue: &issue, Recipients: n}, nil
}

// missed sends the latest issue to those who have not got it, where the config
// has an empty slot do so.
func (p *Publisher) missed(ctx context.Context, o *Outcome) error {
	if !p.o.SendMissed {
		return nil
	}
	if p.o.MayPublish != nil {
		if err := p.o.MayPublish(ctx); err != nil {
			return err
		}
	}
	latest, err := p.o.Store.LatestIssue(ctx)
	if err != nil || latest == 0 {
		return err
	}
	n, err := p.o.Store.SendMissed(ctx, latest, p.o.Batch)
	if n > 0 {
		o.Reason += fmt.Sprintf("; issue %d goes to those who had not got it: %d", latest, n)
		p.o.Log.Info("issue sent to those who had not got it", "issue", latest, "recipients", n)
	}
	return err
}

// DryRun tells what PublishDue or, with anyhow, PublishNow would publish, and
// publishes nothing.
func (p *Publisher) DryRun(ctx context.Context, thread string, anyhow bool) (Outcome, error) {
	now, err := p.o.Store.Now(ctx)
	if err != nil {
		return Outcome{}, err
	}
	if slot, err := p.due(ctx, now); err != nil || slot == nil && !anyhow {
		if err != nil {
			return Outcome{}, err
		}
		reason, err := p.nothingDue(ctx, now)
		return Outcome{Reason: reason}, err
	}
	c, err := p.Catalogue(ctx)
	if err != nil {
		return Outcome{}, err
	}
	chosen, err := p.choose(c, given(thread), now)
	if err != nil || len(chosen) == 0 {
		return Outcome{Reason: emptyQueue(c, now)}, err
	}
	number, err := p.o.Store.NextIssue(ctx)
	issue := p.issue(p.spoken(), number, chosen, now)
	n, left, rerr := p.Reach(ctx, chosen, now)
	return Outcome{Issue: &issue, Recipients: n, LeftOut: left}, cmp.Or(err, rerr)
}

func (p *Publisher) logProblems(c Catalogue) {
	for _, problem := range c.Problems {
		if problem.Severity == newsletter.Error {
			p.o.Log.Warn("a thread is left out", "problem", problem.String())
		}
	}
}

// choose takes the given threads, or those at the head of the queue.
func (p *Publisher) choose(c Catalogue, ids []string, now time.Time) ([]newsletter.Listed, error) {
	if len(ids) == 0 {
		return p.pick(c, now), nil
	}
	var chosen []newsletter.Listed
	for _, id := range ids {
		t, err := c.Find(id)
		if err != nil {
			return nil, err
		}
		switch s := t.State(now); s {
		case newsletter.ThreadReady, newsletter.ThreadWaiting:
			chosen = append(chosen, t)
		default:
			return nil, fmt.Errorf("thread %q is %s and cannot be published", id, s)
		}
	}
	return chosen, nil
}

func emptyQueue(c Catalogue, now time.Time) string {
	var waiting, drafts int
	for _, t := range c.Threads {
		switch t.State(now) {
		case newsletter.ThreadWaiting:
			waiting++
		case newsletter.ThreadDraft:
			drafts++
		}
	}
	return fmt.Sprintf("no thread is ready (waiting for their date: %d, drafts: %d, broken: %d)", waiting, drafts, len(c.Broken))
}

// prepare composes an issue and proves that its site can be written, before
// anything is claimed.
func (p *Publisher) prepare(ctx context.Context, c Catalogue, chosen []newsletter.Listed, slot *newsletter.Slot, now time.Time) (newsletter.Issue, newsletter.Snapshot, error) {
	fail := func(err error) (newsletter.Issue, newsletter.Snapshot, error) {
		return newsletter.Issue{}, newsletter.Snapshot{}, err
	}
	if p.o.MayPublish != nil {
		if err := p.o.MayPublish(ctx); err != nil {
			return fail(err)
		}
	}
	mailed := viaMail(chosen)
	if len(mailed) > 0 && p.o.MayMail != nil {
		if err := p.o.MayMail(ctx); err != nil {
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
	issue := p.issue(templates, number, chosen, now)
	if slot != nil {
		issue.Slot = slot.Key
	}
	if err := p.rehearse(ctx, templates, c, chosen, issue); err != nil {
		return fail(err)
	}
	snap := p.snapshot()
	if len(mailed) > 0 {
		mail := p.issue(templates, number, mailed, now)
		if mail.Next, err = p.nextIssue(ctx, c.without(chosen)); err != nil {
			return fail(err)
		}
		if snap.Message, err = p.message(ctx, templates, mail); err != nil {
			return fail(err)
		}
	}
	return issue, snap, nil
}

// snapshot is what all issues freeze, without a message.
func (p *Publisher) snapshot() newsletter.Snapshot {
	return newsletter.Snapshot{
		Sender:         string(p.o.Letterhead.returnPath()),
		Domain:         domainOf(p.o.Letterhead.From.Address),
		UnsubscribeURL: p.o.Letterhead.UnsubscribeURL,
	}
}

// rehearse renders the pages of the issue beside all others and tries the
// output folder.
func (p *Publisher) rehearse(ctx context.Context, templates *render.Templates, c Catalogue, chosen []newsletter.Listed, issue newsletter.Issue) error {
	s := p.o.Site(templates, "")
	slugs := map[string]string{}
	for _, e := range c.Entries() {
		slugs[e.Slug] = e.ID
	}
	for _, t := range chosen {
		if other, taken := slugs[t.Slug]; taken {
			return fmt.Errorf("thread %s has the page of %s: give it a slug of its own", t.ID, other)
		}
		t.Issue, t.OutAt = issue.Number, issue.PublishedAt
		if _, err := templates.ThreadPage(p.o.Publication, t.Entry(), nil, nil); err != nil {
			return fmt.Errorf("render the page of %s: %w", t.ID, err)
		}
	}
	return s.Probe(ctx)
}

// issue gives the chosen threads a number and a title.
func (p *Publisher) issue(words *render.Templates, number int64, chosen []newsletter.Listed, now time.Time) newsletter.Issue {
	first := chosen[0]
	issue := newsletter.Issue{
		Number:      number,
		Slug:        first.Slug,
		Title:       first.Title,
		Subject:     first.MailSubject(),
		PublishedAt: now.UTC().Truncate(time.Millisecond),
		AuthorCopy:  p.o.Publication.Author.Email,
		Circle:      p.circle(chosen),
	}
	for _, t := range chosen {
		issue.Threads = append(issue.Threads, t.Thread)
	}
	if more := len(chosen) - 1; more > 0 {
		issue.Title = p.andMore(words, issue.Title, more)
		issue.Subject = p.andMore(words, issue.Subject, more)
	}
	return issue
}

// andMore names an issue of several threads after the first of them. Without
// words it speaks English.
func (p *Publisher) andMore(words *render.Templates, title string, more int) string {
	if words != nil {
		if text, err := words.Sentence(p.o.Publication, "and_more", "title", title, "n", more); err == nil {
			return text
		}
	}
	return fmt.Sprintf("%s, and %d more", title, more)
}

// spoken are the templates for what only tells of an issue; nil where they
// cannot be read, which is told where they are needed.
func (p *Publisher) spoken() *render.Templates {
	t, err := p.o.Templates()
	if err != nil {
		return nil
	}
	return t
}

// viaMail are those of the threads that go out by mail.
func viaMail(chosen []newsletter.Listed) []newsletter.Listed {
	return slices.DeleteFunc(slices.Clone(chosen), func(t newsletter.Listed) bool { return !t.Via(newsletter.ChannelMail) })
}

// message composes the mail of an issue once for all recipients.
func (p *Publisher) message(ctx context.Context, templates *render.Templates, issue newsletter.Issue) ([]byte, error) {
	var err error
	s := p.o.Site(templates, "")
	if issue.Threads, err = s.Pictured(ctx, issue.Threads); err != nil {
		return nil, err
	}
	pictures, err := p.embed(ctx, s, issue.Threads)
	if err != nil {
		return nil, err
	}
	t, err := p.compose(templates, issue, pictures, "")
	if err != nil {
		return nil, err
	}
	return t.MarshalBinary()
}

// compose renders an issue's mail and compiles it, with those of the pictures
// that it shows; prefix stands before the subject.
func (p *Publisher) compose(templates *render.Templates, issue newsletter.Issue, pictures []mail.Inline, prefix string) (*mail.Template, error) {
	slots := mail.NewSlots()
	var greeting mail.Greeting
	var err error
	if !p.o.Letterhead.Greeting {
		slots.Greeting = ""
	} else if greeting, err = p.greeting(templates, issue, slots.Name); err != nil {
		return nil, err
	}
	preferences := p.o.Letterhead.PreferencesURL
	if preferences != "" {
		preferences += slots.Token
	}
	m, err := templates.Mail(p.o.Publication, issue, render.Recipient{
		Email: slots.Email, Name: slots.Name, UnsubscribeURL: slots.UnsubscribeURL, PreferencesURL: preferences, Joined: slots.Joined, Greeting: slots.Greeting,
	})
	if err != nil {
		return nil, fmt.Errorf("render the mail of %q: %w", issue.Title, err)
	}
	letter := mail.Letter{
		From:              p.o.Letterhead.From,
		ReplyTo:           p.o.Letterhead.ReplyTo,
		Subject:           prefix + m.Subject,
		HTML:              m.HTML,
		Text:              m.Text,
		Inline:            shown(pictures, m.HTML),
		ListID:            fmt.Sprintf("%s <newsletter.%s>", p.o.Publication.Title, p.o.Publication.Host()),
		Archive:           p.o.Publication.Link(""),
		UnsubscribeMailto: p.o.Letterhead.From.Address,
		OneClick:          p.o.Letterhead.OneClick,
		FeedbackID:        mail.FeedbackID(issue.Number, p.o.Publication.Language, p.o.Publication.Host()),
		Greeting:          greeting,
		Headers:           p.o.Letterhead.Headers,
	}
	if p.o.Letterhead.ReplyTo.Address != "" {
		letter.UnsubscribeMailto = p.o.Letterhead.ReplyTo.Address
	}
	t, err := mail.Compose(letter, slots)
	if err != nil {
		return nil, fmt.Errorf("compose the mail of %q: %w", issue.Title, err)
	}
	return t, nil
}

// returnPath is the envelope sender of all mail to readers.
func (l Letterhead) returnPath() mail.ReturnPath {
	return cmp.Or(l.ReturnPath, mail.ReturnPath(l.From.Address))
}

// greeting is what greets the readers of an issue; mark stands for a name.
func (p *Publisher) greeting(templates *render.Templates, issue newsletter.Issue, mark string) (mail.Greeting, error) {
	named, err := templates.Greeting(p.o.Publication, issue, mark)
	if err != nil {
		return mail.Greeting{}, err
	}
	var g mail.Greeting
	g.Before, g.After, _ = strings.Cut(named, mark)
	g.Nameless, err = templates.Greeting(p.o.Publication, issue, "")
	return g, err
}

func domainOf(address string) string {
	_, domain, _ := strings.Cut(address, "@")
	return domain
}
