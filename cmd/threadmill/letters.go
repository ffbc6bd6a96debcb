package main

import (
	"context"
	"time"

	"threadmill/internal/audience"
	"threadmill/internal/deliver"
)

// newSignUps takes in who signs up; nil where no mail is sent that could ask
// them.
func (p *publication) newSignUps() *audience.SignUps {
	if p.Mail.From == "" {
		return nil
	}
	return audience.NewSignUps(audience.SignUpOptions{
		Store:      p.store,
		Tokens:     p.tokens,
		Within:     p.Audience.ConfirmWithin,
		Limits:     audience.Limits(p.Audience.Limits),
		NetworkKey: p.idKey, // the one that never rotates
		Proof:      p.Audience.Proof,
		Tags:       p.Audience.FormTags,
		Welcome:    p.welcome(),
	})
}

// letters sends the mails to single persons, as the one who keeps the
// publication.
func (p *publication) letters(sender *deliver.Sender) *audience.Letters {
	head := p.letterhead()
	writer := &audience.Writer{
		Publication:  p.facts,
		Templates:    p.templates,
		Tokens:       p.tokens,
		Base:         p.Web.URL,
		Within:       p.Audience.ConfirmWithin,
		From:         head.From,
		ReplyTo:      head.ReplyTo,
		ReturnPath:   head.ReturnPath,
		Headers:      p.Mail.Headers,
		Replies:      p.readsReplies(),
		ReplyMode:    p.Mail.Bounce.Mode,
		ReplyDomain:  p.Mail.Bounce.Domain,
		MessageIDKey: p.idKey,
	}
	return audience.NewLetters(audience.LetterOptions{
		Store:    p.store,
		Write:    writer.Write,
		Send:     sender.SendSingle,
		Closed:   p.closedForLetters,
		Within:   p.Audience.ConfirmWithin,
		Reminder: p.Audience.Reminder,
		Log:      p.log,
	})
}

// sendLetters sends the letters that are due now, for a command that ends when
// its work is done. They may arise while no daemon sends, and wait for the next
// call then.
func (p *publication) sendLetters(ctx context.Context, sender *deliver.Sender) {
	letters := p.letters(sender)
	err := letters.Remind(ctx)
	if err == nil {
		err = letters.SendDue(ctx)
	}
	if err != nil && ctx.Err() == nil {
		p.log.Error("send letters", "err", err)
	}
}

// pausedLook is when a letter is looked at again while somebody holds all mail
// without an end.
const pausedLook = time.Minute

// closedForLetters is until when no mail may leave, and why; the zero time where
// it may.
func (p *publication) closedForLetters(ctx context.Context) (until time.Time, why string, err error) {
	now := time.Now()
	pause, err := p.store.Pause(ctx)
	if err != nil {
		return until, "", err
	}
	if pause.Sending && pause.Covers(now) {
		if until = now.Add(pausedLook); !pause.Until.IsZero() && pause.Until.Before(until) {
			until = pause.Until
		}
		return until, "sending is paused", nil
	}
	if until, err = p.closedUntil(ctx); err != nil || !until.After(now) {
		return time.Time{}, "", err
	}
	return until, "the relay takes no mail now", nil
}
