package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"

	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
)

const (
	commandLimit = time.Minute
	// outputLimit is how many bytes of a command's output go into the log.
	outputLimit = 4 << 10
	beatLimit   = 10 * time.Second
	mailLimit   = 2 * time.Minute
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
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	event, err := json.Marshal(e)
	if err != nil {
		o.Log.Error("encode an event", "err", err)
		return
	}
	var out bounded
	cmd := exec.CommandContext(ctx, "sh", "-c", o.Command)
	cmd.Dir = o.Dir
	cmd.Stdin = bytes.NewReader(append(event, '\n'))
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second // for what it started and left behind
	err = cmd.Run()
	if ctx.Err() != nil {
		err = errors.Join(err, ctx.Err())
	}
	if err != nil {
		o.Log.Error("the operator's command ended badly", "event", e.Event, "output", out.String(), "err", err)
		return
	}
	o.Log.Info("the operator's command ended", "event", e.Event, "output", out.String())
}

// bounded keeps the beginning of what is written to it.
type bounded struct {
	kept bytes.Buffer // not embedded: io.Copy would find its ReadFrom
	cut  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := max(outputLimit-b.kept.Len(), 0)
	if len(p) > room {
		b.cut = true
		_, _ = b.kept.Write(p[:room]) // never fails
		return len(p), nil
	}
	return b.kept.Write(p)
}

func (b *bounded) String() string {
	text := strings.TrimSpace(strings.ToValidUTF8(b.kept.String(), "\uFFFD"))
	if b.cut {
		text += " …"
	}
	return text
}

// subject says in a few words what an event is about.
func subject(event string) string {
	switch event {
	case "slot_failed":
		return "a slot could not be published"
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
	_, _ = io.CopyN(io.Discard, res.Body, outputLimit) // so that the connection can be used again
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s", res.Status)
	}
	return nil
}
