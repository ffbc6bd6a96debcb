package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"threadmill/internal/audience"
	"threadmill/internal/inbound"
	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/webhook"
)

// newReports takes in the mail that comes back.
func (p *publication) newReports() *audience.Reports {
	p.store.SuppressAfter(p.Mail.Bounce.SuppressAfter)
	return audience.NewReports(audience.ReportOptions{
		Store:        p.store,
		Tokens:       p.tokens,
		MessageIDKey: p.idKey,
		Unsubscribe:  p.audience.Unsubscribe,
		Confirm:      p.confirmReply,
		Log:          p.log,
	})
}

// confirmReply confirms a sign-up by an answer to the letter that asked for it,
// and tells whether a mail was one.
func (p *publication) confirmReply(ctx context.Context, from string, answers []string) (bool, error) {
	if p.signUps == nil {
		return false, nil
	}
	token, ok := audience.ReplyToken(answers...)
	if !ok {
		return false, nil
	}
	err := p.signUps.ConfirmReply(ctx, token, from)
	return err == nil, err
}

// takeBy takes in mail that comes by a way such as "smtp".
func (p *publication) takeBy(way string) inbound.Take {
	return func(ctx context.Context, envelope string, raw []byte) (bool, error) {
		result, err := p.reports.Take(ctx, envelope, raw, way)
		return result.Ours(), err
	}
}

// readsReplies tells whether an answer to a letter is read by the program, so
// that it confirms.
func (p *publication) readsReplies() bool {
	b := p.Mail.Bounce
	return b.Listen != "" || b.Maildir != "" || b.IMAP.Host != ""
}

// keepInbound fetches the mail that comes back, as the one who keeps the
// publication.
func (p *publication) keepInbound(ctx context.Context, group *errgroup.Group) {
	b := p.Mail.Bounce
	if b.Maildir != "" {
		m := &inbound.Maildir{Dir: p.Path(b.Maildir), Take: p.takeBy("maildir"), Log: p.log}
		group.Go(func() error { m.Run(ctx); return nil })
	}
	if b.IMAP.Host != "" {
		m := &inbound.IMAP{
			Host: b.IMAP.Host, Port: b.IMAP.Port, Username: b.IMAP.Username, Password: b.IMAP.Password.Reveal(),
			Folder: b.IMAP.Folder, TLS: b.IMAP.TLS, Take: p.takeBy("imap"), Log: p.log,
		}
		group.Go(func() error { m.Run(ctx); return nil })
	}
}

// listenForMail is the mail server for what comes back; nil where there is none.
func (p *publication) listenForMail(ctx context.Context) (*inbound.Server, error) {
	if p.Mail.Bounce.Listen == "" {
		return nil, nil
	}
	_, domain, _ := strings.Cut(string(p.letterhead().ReturnPath), "@")
	s, err := inbound.Listen(ctx, inbound.ServerOptions{
		Listen: p.Mail.Bounce.Listen, Domain: domain,
		Accepts: func(address string) bool { return p.reports.Accepts(address) },
		Take:    p.takeBy("smtp"), Log: p.log,
	})
	if err == nil {
		p.log.Info("mail server for reports", "address", s.Addr(), "domain", domain)
	}
	return s, err
}

// webhooks are the handlers for providers that report by HTTP, by their path.
func (p *publication) webhooks() (map[string]http.Handler, error) {
	w := p.Mail.Webhooks
	o := webhook.Options{
		SES: w.SES, Postmark: w.Postmark.Reveal(), Mailgun: w.Mailgun.Reveal(), SendGrid: w.SendGrid, Log: p.log,
		Take: func(ctx context.Context, r mail.Report, provider string) error {
			_, err := p.reports.Told(ctx, r, provider)
			return err
		},
	}
	if o.SES+o.Postmark+o.Mailgun+o.SendGrid == "" {
		return nil, nil
	}
	h, err := webhook.New(o)
	return map[string]http.Handler{"/webhooks/": h}, err
}

// The share of mail that comes back because of us of which the operator hears.
const (
	blamedMany = 10
	blamedTime = 24 * time.Hour
	blamedLook = time.Minute
)

// lookForBlame tells when many servers took our mail and refused it later
// because of how it is sent.
func (p *publication) lookForBlame(ctx context.Context) (map[string]string, error) {
	n, words, err := p.store.Blamed(ctx, time.Now().Add(-blamedTime))
	if err != nil || n < blamedMany {
		return nil, err
	}
	return map[string]string{newsletter.WarningBlamed: fmt.Sprintf(
		"many mails came back in 24 hours because of how we send and not of who gets them, which nobody was taken off the list for; the last: %s; `threadmill check --net` looks at what receivers ask for", words)}, nil
}

// tempFailError has whoever hands us a mail try again later.
type tempFailError struct{ error }

func (e *tempFailError) Unwrap() error { return e.error }

// maxPiped bounds what is read from a pipe; the report stands at the begin.
const maxPiped = 64 << 20

func (a *app) bounceCommand() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "bounce < MESSAGE",
		Short: "Take in a mail that came back: a bounce, a complaint, an answer",
		Long: `Bounce reads one mail from stdin, for a mail server that hands it over by a pipe,
as in "|threadmill --config /srv/letters/config.yaml bounce" of an alias. Bounces
and complaints change the list, whatever else comes is ignored with status 0, so
that nobody gets a bounce of a bounce. Any fault ends it with 75 (EX_TEMPFAIL):
the mail server keeps the mail and tries again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if terminal(a.stdin) {
				return &usageError{errors.New("bounce reads a mail from stdin: threadmill bounce < MESSAGE")}
			}
			if err := a.bounce(cmd.Context(), to); err != nil {
				return &tempFailError{err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the `address` that it came to, if the environment does not name it as ORIGINAL_RECIPIENT or RECIPIENT")
	return cmd
}

func (a *app) bounce(ctx context.Context, to string) error {
	raw, err := io.ReadAll(io.LimitReader(a.stdin, maxPiped))
	if err != nil {
		return fmt.Errorf("read the mail: %w", err)
	}
	for _, name := range []string{"ORIGINAL_RECIPIENT", "RECIPIENT"} { // of Postfix and Exim
		if value, ok := a.env(name); ok && to == "" {
			to = value
		}
	}
	return a.withStore(ctx, func(p *publication) error {
		result, err := p.reports.Take(ctx, to, raw, "pipe")
		if err != nil {
			return err
		}
		fmt.Fprintln(a.stderr, bounceNote(result))
		return nil
	})
}

// bounceNote says what became of a mail.
func bounceNote(r audience.ReportResult) string {
	kind := string(r.Kind)
	if kind == "" {
		kind = "mail"
	}
	text := fmt.Sprintf("%s: %s", kind, r.Outcome)
	if r.Class != "" {
		text += fmt.Sprintf(" (%s)", r.Class)
	}
	if r.Subscriber != 0 {
		text += fmt.Sprintf(", subscriber %d", r.Subscriber)
	}
	if r.Issue != 0 {
		text += fmt.Sprintf(", issue %d", r.Issue)
	}
	return text
}
