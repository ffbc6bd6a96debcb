package audience

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

// LetterStore keeps the letters that are to be sent.
type LetterStore interface {
	// TakeLetter returns a letter that is due and keeps it from others for the
	// time of the lease; newsletter.ErrNotFound when none is due.
	TakeLetter(ctx context.Context, lease time.Duration) (newsletter.Letter, error)
	LetterSent(ctx context.Context, id int64) error
	// LetterOver says that a letter is not sent, and why.
	LetterOver(ctx context.Context, id int64, why string) error
	LetterLater(ctx context.Context, id int64, at time.Time, why string, tried bool) error
	// Remind writes the reminders to those who were asked before a time, by a
	// letter that is younger than since.
	Remind(ctx context.Context, before, since time.Time) (int64, error)
	// ForgetPending deletes some of those who were asked before a time and did
	// not answer.
	ForgetPending(ctx context.Context, before time.Time) (int64, error)
	Subscriber(ctx context.Context, id int64) (newsletter.Subscriber, error)
	AddEvent(ctx context.Context, e newsletter.SubscriberEvent) error
}

// LetterOptions say how letters are sent.
type LetterOptions struct {
	Store LetterStore
	// Write makes the message of a letter to a subscriber.
	Write func(newsletter.Letter, newsletter.Subscriber) (mail.Message, error)
	// Send sends it by the transport of the publication.
	Send func(context.Context, mail.Message) error
	// Closed tells until when no mail may leave, and why; the zero time where it
	// may.
	Closed func(context.Context) (until time.Time, why string, err error)
	// Within is how long the link of a letter works, after which who did not
	// confirm is forgotten, and Reminder when they are asked once more; zero for
	// never.
	Within, Reminder time.Duration
	Log              *slog.Logger
}

// Letters sends the mails to single persons. One process at a time does so.
type Letters struct{ o LetterOptions }

// NewLetters returns the one who sends letters.
func NewLetters(o LetterOptions) *Letters { return &Letters{o} }

const (
	// letterLook is how often somebody looks for letters that are due, and
	// pendingLook for those who did not answer.
	letterLook  = time.Second
	pendingLook = time.Minute
	// letterLease is more than a relay may take for one message: 10 minutes for
	// the last answer alone (RFC 5321, section 4.5.3.2.6).
	letterLease   = 15 * time.Minute
	letterTimeout = 12 * time.Minute
	// A letter is tried again after letterFirst, then ever later, and given up
	// after letterGiveUp: who waits for it has long gone.
	letterFirst  = time.Minute
	letterMax    = time.Hour
	letterGiveUp = 24 * time.Hour
)

// Run sends letters until ctx is done.
func (l *Letters) Run(ctx context.Context) {
	tick := time.NewTicker(letterLook)
	defer tick.Stop()
	var looked time.Time
	for {
		if now := time.Now(); now.Sub(looked) >= pendingLook {
			looked = now
			if err := l.Remind(ctx); err != nil && ctx.Err() == nil {
				l.o.Log.Error("look after those who did not confirm", "err", err)
			}
		}
		if err := l.SendDue(ctx); err != nil && ctx.Err() == nil {
			l.o.Log.Error("send letters", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Remind writes the reminders that are due, and forgets who did not answer in
// time.
func (l *Letters) Remind(ctx context.Context) error {
	now := now()
	since := now.Add(-l.o.Within)
	if l.o.Reminder > 0 {
		n, err := l.o.Store.Remind(ctx, now.Add(-l.o.Reminder), since)
		if err != nil {
			return err
		}
		if n > 0 {
			l.o.Log.Info("reminders are due", "people", n)
		}
	}
	for ctx.Err() == nil {
		n, err := l.o.Store.ForgetPending(ctx, since)
		if err != nil || n == 0 {
			return err
		}
		l.o.Log.Info("forgot who did not confirm", "people", n)
	}
	return nil
}

// SendDue sends the letters that are due. The error is one of the database.
func (l *Letters) SendDue(ctx context.Context) error {
	for ctx.Err() == nil {
		letter, err := l.o.Store.TakeLetter(ctx, letterLease)
		if errors.Is(err, newsletter.ErrNotFound) {
			return nil
		}
		if err == nil {
			// What was sent is noted even at the end of a process.
			err = l.settle(context.WithoutCancel(ctx), letter, l.send(ctx, letter))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// errNotWanted says that a letter has no reason any more.
var errNotWanted = errors.New("not wanted any more")

// closedError says that no mail may leave.
type closedError struct {
	until time.Time
	why   string
}

func (e *closedError) Error() string { return e.why }

func (l *Letters) send(ctx context.Context, letter newsletter.Letter) error {
	until, why, err := l.o.Closed(ctx)
	if err != nil {
		return err
	}
	if !until.IsZero() {
		return &closedError{until, why}
	}
	sub, err := l.o.Store.Subscriber(ctx, letter.Subscriber)
	if errors.Is(err, newsletter.ErrNotFound) || err == nil && !wanted(letter, sub) {
		return errNotWanted
	}
	if err != nil {
		return err
	}
	m, err := l.o.Write(letter, sub)
	if err != nil {
		return &unwritten{err}
	}
	ctx, cancel := context.WithTimeout(ctx, letterTimeout)
	defer cancel()
	return l.o.Send(ctx, m)
}

// unwritten says that a letter could not be made.
type unwritten struct{ error }

// wanted tells whether a letter still fits the one it goes to.
func wanted(l newsletter.Letter, sub newsletter.Subscriber) bool {
	switch l.Kind {
	case newsletter.LetterConfirm, newsletter.LetterRemind:
		return sub.Status != newsletter.SubscriberActive && sub.Status != newsletter.SubscriberSuppressed
	case newsletter.LetterKnown:
		return sub.Status == newsletter.SubscriberActive
	case newsletter.LetterSilent:
		return false
	}
	return sub.Status != newsletter.SubscriberSuppressed
}

// settle keeps what became of a letter.
func (l *Letters) settle(ctx context.Context, letter newsletter.Letter, sent error) error {
	log := l.o.Log.With("letter", letter.ID, "kind", letter.Kind)
	if sent == nil {
		log.Info("letter sent")
		return l.o.Store.LetterSent(ctx, letter.ID)
	}
	if errors.Is(sent, errNotWanted) {
		return l.o.Store.LetterOver(ctx, letter.ID, sent.Error())
	}
	if closed, ok := errors.AsType[*closedError](sent); ok {
		return l.o.Store.LetterLater(ctx, letter.ID, closed.until, closed.why, false)
	}
	if refused(sent) {
		log.Warn("letter refused", "err", sent)
		event := newsletter.SubscriberEvent{Subscriber: letter.Subscriber, Kind: newsletter.EventBounced, Text: fmt.Sprintf("letter (%s): %v", letter.Kind, sent)}
		return errors.Join(l.o.Store.LetterOver(ctx, letter.ID, sent.Error()), l.o.Store.AddEvent(ctx, event))
	}
	now := time.Now()
	if now.Sub(letter.CreatedAt) >= letterGiveUp {
		log.Error("letter given up", "err", sent)
		return l.o.Store.LetterOver(ctx, letter.ID, sent.Error())
	}
	wait := min(letterFirst<<min(max(letter.Attempts-1, 0), 10), letterMax)
	log.Warn("letter is tried again", "err", sent, "after", wait.String())
	return l.o.Store.LetterLater(ctx, letter.ID, now.Add(wait), sent.Error(), true)
}

// refused tells whether the relay said no for good, and about this letter: a
// refusal before the recipient is about us, and passes.
func refused(err error) bool {
	refusal, ok := errors.AsType[*mail.Refusal](err)
	if !ok || refusal.Temporary() {
		return false
	}
	return refusal.Stage == mail.StageRcpt || refusal.Stage == mail.StageData || refusal.Stage == mail.StageFinal
}
