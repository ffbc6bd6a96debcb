package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// sentLater is who sends what a command made pending.
const sentLater = "by `threadmill run` or `threadmill publish`"

func (a *app) retryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "retry N",
		Short: "Send the failed deliveries of issue N again",
		Long: `Retry sends the failed deliveries of issue N again to those who still get mail.
Addresses that do not exist are off the list; "subscribers add --again" brings
back one that was refused by mistake.`,
		Args: one("which issue", "retry N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onIssue(cmd.Context(), args[0], a.retry)
		},
	}
}

// onIssue does something with one issue.
func (a *app) onIssue(ctx context.Context, number string, do func(ctx context.Context, p *publication, issue int64) error) error {
	n, err := issueNumber(number)
	if err != nil {
		return err
	}
	return a.withStore(ctx, func(p *publication) error {
		if _, err := p.store.Issue(ctx, n); err != nil {
			return badArgument(err)
		}
		return do(ctx, p, n)
	})
}

func (a *app) retry(ctx context.Context, p *publication, issue int64) error {
	again, err := p.store.Retry(ctx, issue)
	if errors.Is(err, store.ErrFolded) {
		return fmt.Errorf("retry issue %d: %w", issue, lastOf(err))
	}
	if err != nil {
		return err
	}
	left, err := p.store.Failed(ctx, issue)
	if err != nil {
		return err
	}
	total := again
	for _, n := range left {
		total += n
	}
	switch {
	case total == 0:
		fmt.Fprintf(a.stdout, "Issue %d: nothing has failed, so there is nothing to try again.\n", issue)
	case again == 0:
		fmt.Fprintf(a.stdout, "Issue %d: none of %s can be tried again: %s.\n", issue, thousands(total), whyNot(left))
	case again < total:
		fmt.Fprintf(a.stdout, "Issue %d: %s of %s will be tried again %s; the others cannot: %s.\n",
			issue, thousands(again), thousands(total), sentLater, whyNot(left))
	default:
		fmt.Fprintf(a.stdout, "Issue %d: %s will be tried again %s.\n", issue, deliveryCount(again), sentLater)
	}
	return nil
}

// whyNot tells why failed deliveries cannot be tried again, by what their
// subscribers are.
func whyNot(left map[newsletter.SubscriberStatus]int) string {
	var why []string
	if n := left[newsletter.SubscriberBounced]; n == 1 {
		why = append(why, "the relay said that 1 address does not exist, and it is off the list as bounced")
	} else if n > 1 {
		why = append(why, fmt.Sprintf("the relay said that %s addresses do not exist, and they are off the list as bounced", thousands(n)))
	}
	if n := left[newsletter.SubscriberActive]; n > 0 {
		why = append(why, "the issue is withdrawn")
	}
	gone := 0
	for status, n := range left {
		if status != newsletter.SubscriberBounced && status != newsletter.SubscriberActive {
			gone += n
		}
	}
	if gone > 0 {
		why = append(why, peopleCount(gone)+" left the list")
	}
	return strings.Join(why, "; ")
}

func (a *app) resolveCommand() *cobra.Command {
	var resend, skip bool
	cmd := &cobra.Command{
		Use:   "resolve N",
		Short: "Settle the deliveries of issue N that are in doubt",
		Long: `After a crash a relay may or may not have taken a message. Resolve sends those of
issue N again, with the same Message-ID, or takes them as sent.`,
		Args: one("which issue", "resolve N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if resend == skip {
				return &usageError{errors.New("resolve: say --resend to send them again, or --skip to take them as sent")}
			}
			return a.onIssue(cmd.Context(), args[0], func(ctx context.Context, p *publication, issue int64) error {
				return a.resolve(ctx, p, issue, skip)
			})
		},
	}
	cmd.Flags().BoolVar(&resend, "resend", false, "send them again")
	cmd.Flags().BoolVar(&skip, "skip", false, "take them as sent")
	return cmd
}

func (a *app) resolve(ctx context.Context, p *publication, issue int64, skip bool) error {
	what, change := "will be sent again "+sentLater, p.store.ResolveResend
	if skip {
		what, change = "taken as sent", p.store.ResolveSkip
	}
	switch changed, err := change(ctx, issue); {
	case err != nil:
		return err
	case changed == 0:
		fmt.Fprintf(a.stdout, "Issue %d: there is nothing to settle: no delivery in doubt can be changed.\n", issue)
	default:
		fmt.Fprintf(a.stdout, "Issue %d: %s %s.\n", issue, deliveryCount(changed), what)
	}
	return nil
}

// doubtNote tells how many deliveries are in doubt, and how to settle them;
// empty when none is.
func doubtNote(doubts []store.Doubt) string {
	if len(doubts) == 0 {
		return ""
	}
	total := 0
	var of []string
	for _, d := range doubts {
		total += d.N
		if len(doubts) == 1 {
			of = append(of, fmt.Sprint(d.Issue))
		} else {
			of = append(of, fmt.Sprintf("%d (%s)", d.Issue, thousands(d.N)))
		}
	}
	noun, rest := "issue ", ""
	if len(doubts) > 1 {
		noun, rest = "issues ", ", and so on for each"
	}
	return fmt.Sprintf("%s in doubt, of %s: `threadmill resolve %d --resend` or `--skip`%s",
		thousands(total), noun+strings.Join(of, ", "), doubts[0].Issue, rest)
}

func deliveryCount(n int) string {
	if n == 1 {
		return "1 delivery"
	}
	return thousands(n) + " deliveries"
}
