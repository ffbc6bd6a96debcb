package deliver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// ErrDaily says that the relay takes no more today.
var ErrDaily = errors.New("the daily limit is reached")

// SendSingle sends one message that is no delivery, such as the author's copy,
// over a connection of its own, within the rates of the relay.
func (s *Sender) SendSingle(ctx context.Context, m mail.Message) (err error) {
	if !s.daily.take(time.Now()) {
		return ErrDaily
	}
	defer func() {
		if err != nil {
			s.daily.back(time.Now())
		}
	}()
	if err := s.limit.Wait(ctx); err != nil {
		return err
	}
	conn, err := s.Transport.Dial(ctx)
	if err != nil {
		return err
	}
	return errors.Join(mail.Deliver(ctx, conn, m), conn.Close())
}

// CopyStore is what the author's copies need of the database.
type CopyStore interface {
	// TakeCopy returns a copy that is due, and notes that it was sent; its
	// Issue is 0 when none is.
	TakeCopy(ctx context.Context) (newsletter.AuthorCopy, error)
	// ReturnCopy says that it was not.
	ReturnCopy(ctx context.Context, issue int64) error
}

const (
	copyRetryFirst = 5 * time.Second
	copyRetryMax   = 5 * time.Minute
)

// SendCopies sends the author's copies that are due. A copy that may have been
// sent is not sent again.
func (s *Sender) SendCopies(ctx context.Context, store CopyStore, name, unsubscribe string) error {
	for ctx.Err() == nil {
		c, err := store.TakeCopy(ctx)
		if err != nil || c.Issue == 0 {
			return err
		}
		if err := s.sendCopy(ctx, c, name, unsubscribe); err != nil {
			if maybeSent(err) {
				return fmt.Errorf("send the author's copy of issue %d: %w", c.Issue, err)
			}
			return errors.Join(fmt.Errorf("send the author's copy of issue %d: %w", c.Issue, err),
				store.ReturnCopy(context.WithoutCancel(ctx), c.Issue))
		}
		s.Log.Info("the author has a copy", "issue", c.Issue)
	}
	return nil
}

// maybeSent tells whether a message must not be tried again: the relay may
// have taken it, or will not, or there is none.
func maybeSent(err error) bool {
	if errors.Is(err, errUnreadable) {
		return true
	}
	if fault, ok := errors.AsType[*mail.Fault](err); ok {
		return fault.InDoubt()
	}
	refusal, ok := errors.AsType[*mail.Refusal](err)
	return ok && !refusal.Temporary() && refusal.Stage != mail.StageAuth && refusal.Stage != mail.StageConnect
}

// copyToken stands where the tokens of readers do; it names no delivery.
const copyToken = "copy"

func (s *Sender) sendCopy(ctx context.Context, c newsletter.AuthorCopy, name, unsubscribe string) error {
	l, err := s.open(ctx, c.Issue)
	if err != nil {
		return err
	}
	return s.SendSingle(ctx, mail.Message{From: mail.ReturnPath(l.Sender).For(copyToken), To: c.Email, Data: l.Append(nil, mail.Recipient{
		Email:            c.Email,
		Name:             name,
		MessageID:        mail.MessageID(s.MessageIDKey, c.Issue, 0, l.Domain),
		UnsubscribeURL:   unsubscribe,
		UnsubscribeToken: copyToken,
		Joined:           s.day(time.Now()), // as readers get it, who signed up some day
		Date:             time.Now(),
	})})
}

// RunCopies sends the author's copies until ctx is done.
func (s *Sender) RunCopies(ctx context.Context, store CopyStore, name, unsubscribe string) {
	wait, retry := look, copyRetryFirst
	for sleep(ctx, wait) {
		wait = look
		err := s.SendCopies(ctx, store, name, unsubscribe)
		if err == nil || ctx.Err() != nil {
			retry = copyRetryFirst
			continue
		}
		s.Log.Error("the author has no copy yet", "err", err, "next_try", retry.String())
		wait, retry = retry, min(2*retry, copyRetryMax)
	}
}
