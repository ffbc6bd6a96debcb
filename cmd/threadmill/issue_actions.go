package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/store"
)

// The states of an issue, as people and programs read them.
const (
	issueWaiting   = "waiting"   // for its page and feeds
	issueGrace     = "grace"     // its mail is held for a while
	issueStopped   = "stopped"   // its mail is held until `issues go`
	issueSending   = "sending"   // something is left to send
	issueSent      = "sent"      // nothing is
	issueWithdrawn = "withdrawn" // for good
)

func issueState(r store.IssueRow) string {
	switch {
	case r.Hold != nil && r.Hold.Withdrawn:
		return issueWithdrawn
	case !r.FinishedAt.IsZero() && !r.SiteReady, r.Hold == nil && !r.SiteReady:
		return issueWaiting
	case !r.FinishedAt.IsZero():
		return issueSent
	case r.Hold != nil && r.Hold.Stopped():
		return issueStopped
	case r.Hold != nil:
		return issueGrace
	}
	return issueSending
}

// stateWord is the state of an issue for people: one of which nothing is left
// but doubts is not simply sent.
func stateWord(r store.IssueRow) string {
	if s := issueState(r); s != issueSent || r.InDoubt == 0 {
		return s
	}
	return "unsettled"
}

// holdNote tells why the mail of an issue does not leave; empty when it may.
func holdNote(r store.IssueRow, zone *time.Location) string {
	switch issueState(r) {
	case issueGrace:
		return fmt.Sprintf("leaves on %s; `threadmill issues stop %d` holds it, `issues go %d` lets it go now", longTime(r.Hold.Until, zone), r.Number, r.Number)
	case issueStopped:
		return fmt.Sprintf("is stopped; `threadmill issues go %d` lets it go, `issues withdraw %d` cancels it", r.Number, r.Number)
	case issueWithdrawn:
		return "is withdrawn; what had not left is canceled"
	}
	return ""
}

// issueAction is a subcommand of issues that changes one issue.
type issueAction struct {
	use, short, long string
	do               func(ctx context.Context, p *publication, r store.IssueRow) (told string, err error)
}

func (a *app) addIssueActions(parent *cobra.Command, asJSON *bool) {
	for _, action := range []issueAction{
		{
			"stop N", "Hold the mail of issue N", `Stop holds what has not left of issue N until go, across restarts.
Messages under way still end.`, stopIssue,
		},
		{
			"go N", "Let the mail of issue N go", `Go lets the mail of issue N leave that is stopped, or in its grace.`, goIssue,
		},
		{
			"withdraw N", "Cancel what has not left of issue N, and take it off the site", `Withdraw cancels what has not left of issue N. When it has mail and none has left,
the issue is undone and its threads are ready again; otherwise they are withdrawn:
off the site and the feeds, and never mailed again. A slot stays over.`, withdrawIssue,
		},
	} {
		parent.AddCommand(&cobra.Command{
			Use: action.use, Short: action.short, Long: action.long,
			Args: one("which issue", "issues "+action.use),
			RunE: func(cmd *cobra.Command, args []string) error {
				n, err := issueNumber(args[0])
				if err != nil {
					return err
				}
				return a.withStore(cmd.Context(), func(p *publication) error {
					return badArgument(a.actOnIssue(cmd.Context(), p, n, action, *asJSON))
				})
			},
		})
	}
}

func (a *app) actOnIssue(ctx context.Context, p *publication, number int64, action issueAction, asJSON bool) error {
	r, err := p.store.Issue(ctx, number)
	if err != nil {
		return err
	}
	told, err := action.do(ctx, p, r)
	if errors.Is(err, store.ErrWithdrawn) {
		return fmt.Errorf("issue %d is withdrawn and cannot %s", number, strings.TrimSuffix(action.use, " N"))
	}
	if err != nil {
		return err
	}
	if r, err = p.store.Issue(ctx, number); err != nil {
		return err
	}
	if asJSON {
		return printJSON(a.stdout, newIssueRow(r))
	}
	fmt.Fprintf(a.stdout, "Issue %d, “%s”, %s: %s.\n", r.Number, r.Title, told, progressNote(r.Counts))
	return nil
}

func stopIssue(ctx context.Context, p *publication, r store.IssueRow) (string, error) {
	if s := issueState(r); s == issueSent {
		return "", fmt.Errorf("stop issue %d: all of it has left; `threadmill issues withdraw %d` takes it off the site", r.Number, r.Number)
	}
	return "is stopped", p.store.StopIssue(ctx, r.Number)
}

func goIssue(ctx context.Context, p *publication, r store.IssueRow) (string, error) {
	return "goes on with `threadmill run` or `threadmill publish`", p.store.GoIssue(ctx, r.Number)
}

func withdrawIssue(ctx context.Context, p *publication, r store.IssueRow) (string, error) {
	undone, err := p.store.WithdrawIssue(ctx, r.Number)
	if err == nil {
		err = p.endRelayFault(ctx)
	}
	if err != nil {
		return "", err
	}
	if err := p.siteNow(ctx); err != nil {
		return "", fmt.Errorf("issue %d is withdrawn, but its pages are still on the site: %w", r.Number, err)
	}
	if undone {
		return "is undone, its threads are free again", nil
	}
	return "is withdrawn", nil
}

// siteNow writes the site, which the holder of the lock does by itself where
// there is one.
func (p *publication) siteNow(ctx context.Context) error {
	lock, err := p.lock(ctx, "build")
	if _, busy := errors.AsType[*store.LockedError](err); busy {
		return nil
	}
	if err != nil {
		return err
	}
	err = p.placeSite(ctx)
	p.compress(ctx)
	return errors.Join(err, lock.Unlock())
}
