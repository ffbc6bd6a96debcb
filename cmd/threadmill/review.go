package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"threadmill/internal/audience"
	"threadmill/internal/deliver"
	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
	"threadmill/internal/web"
)

const (
	// reviewLook is how often somebody looks for slots of which the author is to be
	// told, and answersLook for what they answered.
	reviewLook  = 20 * time.Second
	answersLook = 2 * time.Second
	// reportAfter is how long after an issue was sent the author gets the report:
	// by then most of what comes back has come.
	reportAfter = 24 * time.Hour
	reportLimit = 2 * time.Minute
	// reviewRetryMax bounds the wait between two tries to send the author a mail.
	reviewRetryMax = 10 * time.Minute
)

// reviews are the answers of the author, by the tokens of their links; nil where
// nobody is asked.
func (p *publication) reviews() web.Reviews {
	if p.Review == 0 {
		return nil
	}
	return reviews{p}
}

type reviews struct{ *publication }

// Review is what a token names.
func (r reviews) Review(ctx context.Context, token string) (newsletter.Review, error) {
	due, err := r.due(token)
	if err != nil {
		return newsletter.Review{}, err
	}
	found, err := r.publisher.ReviewOf(ctx, due)
	return found, asToken(err)
}

// Answer answers it.
func (r reviews) Answer(ctx context.Context, token string, answer newsletter.ReviewAnswer) (newsletter.Review, error) {
	due, err := r.due(token)
	if err != nil {
		return newsletter.Review{}, err
	}
	found, err := r.publisher.AnswerReview(ctx, due, answer)
	return found, asToken(err)
}

func (r reviews) due(token string) (time.Time, error) {
	_, due, err := r.tokens.VerifyFor(audience.PurposeReview, token)
	return time.UnixMilli(due).UTC(), err
}

// asToken makes a token for a review that nobody knows one that is not valid.
func asToken(err error) error {
	if errors.Is(err, newsletter.ErrNotFound) {
		return audience.ErrToken
	}
	return err
}

// tellAuthor sends the reviews that are due, and the reports of issues that were
// sent.
func (p *publication) tellAuthor(ctx context.Context, sender *deliver.Sender) error {
	if p.Review == 0 {
		return nil
	}
	if until, _, err := p.closedForLetters(ctx); err != nil || !until.IsZero() {
		return err // mail is held, this too
	}
	r := publish.Review{Before: p.Review, Send: sender.SendSingle}
	if p.Web.Listen != "" {
		r.Link = func(due time.Time) string {
			return p.Web.URL + "/review/" + p.tokens.SignFor(audience.PurposeReview, 0, due.UnixMilli())
		}
	}
	return errors.Join(p.publisher.Reviews(ctx, r), p.reportIssues(ctx, sender))
}

// keepReviews tells the author of what comes and what became of it, until ctx is
// done.
func (p *publication) keepReviews(ctx context.Context, sender *deliver.Sender) {
	wait := reviewLook
	for {
		if err := p.tellAuthor(ctx, sender); err == nil {
			wait = reviewLook
		} else if ctx.Err() == nil {
			wait = min(2*wait, reviewRetryMax)
			p.log.Error("tell the author", "err", err, "after", wait.String())
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// keepAnswers does what the author answered, until ctx is done.
func (p *publication) keepAnswers(ctx context.Context) {
	wait := answersLook
	for {
		if _, err := p.publisher.Answered(ctx); err == nil {
			wait = answersLook
		} else if ctx.Err() == nil {
			wait = min(2*wait, reviewRetryMax)
			p.log.Error("do what the author answered; it is tried again", "err", err, "after", wait.String())
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// reportIssues sends the author what became of each issue, once.
func (p *publication) reportIssues(ctx context.Context, sender *deliver.Sender) error {
	for ctx.Err() == nil {
		n, err := p.store.TakeReported(ctx, time.Now().Add(-reportAfter))
		if err != nil || n == 0 {
			return err
		}
		if err := p.reportIssue(ctx, sender, n); err != nil {
			return errors.Join(wrapIssue(n, err), p.store.ReturnReported(context.WithoutCancel(ctx), n))
		}
	}
	return nil
}

func (p *publication) reportIssue(ctx context.Context, sender *deliver.Sender, n int64) error {
	r, err := p.store.Issue(ctx, n)
	if err != nil || r.Recipients == 0 {
		return err
	}
	left, err := p.store.LeftBy(ctx, n)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reportLimit)
	defer cancel()
	from := p.letterhead().From
	now := time.Now()
	t, err := mail.Compose(mail.Letter{
		From:    from,
		Subject: fmt.Sprintf("%s: what became of issue %d", p.facts.Title, n),
		Text:    reportText(r, left, p.facts.Zone),
		Headers: map[string]string{"Auto-Submitted": "auto-generated"},
	}, mail.Slots{})
	if err != nil {
		return err
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	return sender.SendSingle(ctx, mail.Message{From: from.Address, To: p.facts.Author.Email, Data: t.Append(nil, mail.Recipient{
		Email:     p.facts.Author.Email,
		MessageID: mail.MessageID(p.idKey, 0, -n, domain), // the same if it has to be sent again
		Date:      now,
	})})
}

// reportText is what the author reads about an issue.
func reportText(r store.IssueRow, left int, zone *time.Location) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Issue %d, “%s”, of %s went to %s.\n\n", r.Number, r.Title, longTime(r.PublishedAt, zone), cmp.Or(plural(r.Recipients, "subscriber"), "nobody"))
	for _, line := range []struct {
		n    int
		what string
	}{
		{r.Sent, "sent"},
		{r.Pending + r.Deferred, "still on their way"},
		{r.Failed, "refused"},
		{r.Canceled, "canceled: they left before theirs was sent"},
		{r.InDoubt, "in doubt"},
		{r.Bounced, "came back after they were sent"},
		{r.Complained, "called it spam"},
		{left, "unsubscribed by its link"},
	} {
		if line.n > 0 {
			fmt.Fprintf(&b, "%8s %s\n", thousands(line.n), line.what)
		}
	}
	fmt.Fprintf(&b, "\n`threadmill issues show %d` names them.\n", r.Number)
	return b.String()
}
