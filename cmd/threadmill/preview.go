package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"threadmill/internal/audience"
	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
)

func (a *app) previewCommand() *cobra.Command {
	var out, to string
	var noOpen bool
	cmd := &cobra.Command{
		Use:   "preview [THREAD]",
		Short: "Show a thread as it would go out",
		Long: `Preview writes the subject, both parts and the source of the mail, the page and
the feeds of a thread into a folder, as they would go out: of the given one,
drafts too, or of the next issue, which is a digest where threads_per_issue says
so. On a desktop's terminal it opens the mail and the page in the browser. With
--to it sends the mail as a test. Nothing is recorded.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.open(cmd.Context(), slog.LevelWarn, false)
			if err != nil {
				return err
			}
			defer p.close()
			thread := ""
			if len(args) > 0 {
				thread = args[0]
			}
			if to != "" {
				return badArgument(a.sendTest(cmd.Context(), p, thread, to))
			}
			return badArgument(a.preview(cmd.Context(), p, thread, out, !noOpen))
		},
	}
	cmd.Flags().StringVar(&out, "out", "preview", "the `folder` to write into")
	cmd.Flags().BoolVar(&noOpen, "no-open", false, "only write, and open nothing")
	cmd.Flags().StringVar(&to, "to", "", "send the mail to this `address` as “[Test] subject” instead")
	return cmd
}

func (a *app) preview(ctx context.Context, p *publication, thread, out string, open bool) error {
	if err := p.ReadyToSend(); err != nil {
		return err
	}
	v, err := p.publisher.Preview(ctx, thread, "reader@example.com", "")
	if err != nil {
		return err
	}
	if err := p.publisher.PreviewSite(ctx, thread, filepath.Join(out, "site")); err != nil {
		return err
	}
	signatures, err := p.signer.Sign(v.Message.Data)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"subject.txt": []byte(v.Mail.Subject + "\n"),
		"mail.html":   []byte(v.Mail.HTML),
		"mail.txt":    []byte(v.Mail.Text),
		"mail.eml":    append(signatures, v.Message.Data...),
	} {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return fmt.Errorf("write the preview: %w", err)
		}
	}
	shown := v.Issue.Threads[0].Path()
	if len(v.Issue.Threads) > 1 {
		shown = newsletter.IssuePath(v.Issue.Number)
	}
	mailFile, page := filepath.Join(out, "mail.html"), filepath.Join(out, "site", filepath.FromSlash(shown), "index.html")
	printLines(a.stdout,
		"Subject  "+v.Mail.Subject,
		"Length   "+length(v.Issue.Threads),
		"Mail     "+mailFile+", mail.txt, mail.eml",
		"Page     "+page,
		"Feeds    "+filepath.Join(out, "site", "feed.xml")+", atom.xml, feed.json")
	if open {
		a.show(ctx, mailFile)
		a.show(ctx, page)
	}
	return nil
}

// length says how long an issue is, a thread of a digest after the other.
func length(list []newsletter.Thread) string {
	var counts []string
	for _, t := range list {
		counts = append(counts, t.Counts())
	}
	return strings.Join(counts, ", ")
}

// sendTest sends one mail over the real transport, and records nothing.
func (a *app) sendTest(ctx context.Context, p *publication, thread, to string) error {
	if err := p.ReadyToSend(); err != nil {
		return err
	}
	addr, err := audience.ParseAddress(to)
	if err != nil {
		return &usageError{fmt.Errorf("--to: %w", err)}
	}
	v, err := p.publisher.Preview(ctx, thread, addr.Email, publish.TestPrefix)
	if err != nil {
		return err
	}
	if err := send(ctx, p.transport(), v.Message); err != nil {
		return fmt.Errorf("send the test to %s: %w", addr.Email, err)
	}
	fmt.Fprintf(a.stdout, "Sent “%s” to %s.\n", v.Mail.Subject, addr.Email)
	fmt.Fprintln(a.stdout, "Next: `threadmill subscribers add ADDRESS`, and `threadmill publish --now` when the thread is no draft.")
	return nil
}

func send(ctx context.Context, t mail.Transport, m mail.Message) error {
	conn, err := t.Dial(ctx)
	if err != nil {
		return err
	}
	return errors.Join(mail.Deliver(ctx, conn, m), conn.Close())
}
