package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/shell"
)

const (
	commandLimit = time.Minute
	beatLimit    = 10 * time.Second
	mailLimit    = 2 * time.Minute
	// answerLimit is how much is read of what a heartbeat's address answers.
	answerLimit = 4 << 10
)

// tell starts all that an event sets off.
func (o *Operator) tell(ctx context.Context, e Event) {
	what := "there is news, and operator names nobody to tell"
	if o.Command != "" || o.Email != "" {
		what = "the operator is told"
	}
	o.Log.Warn(what, "event", e.Event, "kind", e.Kind, "text", e.Text)
	if o.Command != "" {
		o.telling.Go(func() { o.run(ctx, e) })
	}
	if o.Email != "" && !e.allMail {
		o.telling.Go(func() {
			if err := o.write(ctx, e); err != nil {
				o.Log.Error("the operator's mail was not sent", "event", e.Event, "err", err)
			}
		})
	}
}

// run runs the command with the event on its stdin.
func (o *Operator) run(ctx context.Context, e Event) {
	out, err := shell.Command{Line: o.Command, Dir: o.Dir, Timeout: commandLimit}.Run(ctx, e)
	if err != nil {
		o.Log.Error("the operator's command ended badly", "event", e.Event, "output", out, "err", err)
		return
	}
	o.Log.Info("the operator's command ended", "event", e.Event, "output", out)
}

// subject says in a few words what an event is about.
func subject(event string) string {
	switch event {
	case "slot_failed":
		return "a slot could not be published"
	case newsletter.EventHookFailed:
		return "a hook failed"
	case newsletter.WarningSlotEmpty:
		return "a slot had no thread"
	case newsletter.WarningThreadsLow:
		return "few threads are left"
	case newsletter.WarningThreadBroken:
		return "a thread cannot be read"
	case newsletter.WarningThreadExpiring:
		return "a thread expires unpublished"
	case newsletter.WarningInDoubt:
		return "deliveries are in doubt"
	case newsletter.WarningDiskLow:
		return "little disk is left"
	case newsletter.WarningBounces:
		return "many mails of an issue came back"
	case newsletter.WarningComplaints:
		return "readers complained about an issue"
	case newsletter.WarningBlamed:
		return "mail comes back because of how it is sent"
	}
	return "mail is held by a fault"
}

// write sends the mail about an event.
func (o *Operator) write(ctx context.Context, e Event) error {
	ctx, cancel := context.WithTimeout(ctx, mailLimit)
	defer cancel()
	now := time.Now()
	t, err := mail.Compose(mail.Letter{
		From:    o.From,
		Subject: fmt.Sprintf("%s: %s", o.Publication, subject(e.Event)),
		Text: fmt.Sprintf("%s\n\n(%s, since %s)\n\n`threadmill status` shows what stands now. You hear of this again when it was over and comes back.\n",
			e.Text, e.Event, e.Since.UTC().Format(time.RFC1123)),
		Headers: map[string]string{"Auto-Submitted": "auto-generated"},
	}, mail.Slots{})
	if err != nil {
		return err
	}
	_, domain, _ := strings.Cut(o.From.Address, "@")
	return o.Send(ctx, mail.Message{From: o.From.Address, To: o.Email, Data: t.Append(nil, mail.Recipient{
		Email:     o.Email,
		MessageID: mail.MessageID([]byte(now.String()+e.Kind), 0, 0, domain), // another one each time
		Date:      now,
	})})
}

// beat calls the heartbeat's address. It is not tried again: a missing beat is
// what the other side listens for.
func (o *Operator) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, beatLimit)
	defer cancel()
	if err := o.get(ctx); err != nil {
		o.Log.Error("the heartbeat did not get through", "err", err)
	}
}

func (o *Operator) get(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.Heartbeat, nil)
	if err != nil {
		return err
	}
	res, err := o.Client.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the address, which may be a secret
		}
		return err
	}
	defer res.Body.Close()
	_, _ = io.CopyN(io.Discard, res.Body, answerLimit) // so that the connection can be used again
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", res.Status)
	}
	return nil
}
