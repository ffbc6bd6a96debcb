package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

type issueSendOptions struct {
	to     []string
	missed bool
	yes    bool
}

func (a *app) issueSendCommand(asJSON *bool) *cobra.Command {
	var o issueSendOptions
	cmd := &cobra.Command{
		Use:   "send N",
		Short: "Send issue N to people who have not got it",
		Long: `Send gives issue N, as it went out, to people on the list who have not got it: those
named with --to, or with --missed all for whom it would be if it were published
now. Nobody gets an issue twice: whoever was sent it once is left out, however
that ended (` + "`threadmill retry`" + ` tries again what failed).`,
		Args: one("which issue", "issues send N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(o.to) > 0) == o.missed {
				return &usageError{errors.New("issues send: say --to ADDR for one person, or --missed for all who have not got it")}
			}
			n, err := issueNumber(args[0])
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(p *publication) error {
				r, err := p.store.Issue(cmd.Context(), n)
				if err == nil {
					err = a.sendIssue(cmd.Context(), p, r, o, *asJSON)
				}
				return badArgument(err)
			})
		},
	}
	cmd.Flags().StringSliceVar(&o.to, "to", nil, "the `ADDR` of somebody on the list; may be given several times")
	cmd.Flags().BoolVar(&o.missed, "missed", false, "send it to all who have not got it")
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	return cmd
}

func (a *app) sendIssue(ctx context.Context, p *publication, r store.IssueRow, o issueSendOptions, asJSON bool) error {
	var added int
	var err error
	if o.missed {
		added, err = a.sendMissed(ctx, p, r, o.yes || asJSON)
	} else {
		added, err = p.sendTo(ctx, r.Number, o.to)
	}
	switch {
	case errors.Is(err, store.ErrWithdrawn), errors.Is(err, store.ErrFolded), errors.Is(err, store.ErrNotMailed):
		return fmt.Errorf("issue %d goes to nobody any more: %w", r.Number, lastOf(err))
	case err != nil:
		return err
	case asJSON:
		if r, err = p.store.Issue(ctx, r.Number); err != nil {
			return err
		}
		return printJSON(a.stdout, newIssueRow(r))
	case added == 0:
		fmt.Fprintf(a.stdout, "Issue %d, “%s”: everybody has got it.\n", r.Number, r.Title)
	default:
		fmt.Fprintf(a.stdout, "Issue %d, “%s”, goes to %s %s.\n", r.Number, r.Title, morePeople(added), sentLater)
	}
	return nil
}

// morePeople counts those who get an issue later than others: "1 more person".
func morePeople(n int) string {
	if n == 1 {
		return "1 more person"
	}
	return thousands(n) + " more people"
}

// lastOf is the error that others only wrap.
func lastOf(err error) error {
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return err
}

// sendMissed sends an issue to all who have not got it, and asks on a terminal.
func (a *app) sendMissed(ctx context.Context, p *publication, r store.IssueRow, yes bool) (int, error) {
	missed, err := p.store.Missed(ctx, r.Number)
	if err != nil || len(missed) == 0 {
		return 0, err
	}
	if !yes && terminal(a.stdin) && terminal(a.stdout) {
		question := fmt.Sprintf("Send issue %d, “%s”, to %s?", r.Number, r.Title, morePeople(len(missed)))
		if err := a.confirm(ctx, question, "nothing was sent"); err != nil {
			return 0, err
		}
	}
	return p.store.SendMissed(ctx, r.Number, p.Delivery.Batch)
}

// sendTo sends an issue to those with the addresses, or to none of them where
// one is not on the list.
func (p *publication) sendTo(ctx context.Context, issue int64, addresses []string) (int, error) {
	var list []int64
	for _, address := range addresses {
		addr, err := audience.ParseAddress(address)
		if err != nil {
			return 0, &usageError{err}
		}
		sub, err := p.store.SubscriberByKey(ctx, addr.Key)
		switch {
		case errors.Is(err, newsletter.ErrNotFound):
			return 0, fmt.Errorf("%s is not on the list; nothing was sent", strings.TrimSpace(address))
		case err != nil:
			return 0, err
		case sub.Status != newsletter.SubscriberActive:
			return 0, fmt.Errorf("%s is %s and gets no mail; nothing was sent", sub.Email, sub.Status)
		}
		list = append(list, sub.ID)
	}
	return p.store.SendIssue(ctx, issue, list...)
}
