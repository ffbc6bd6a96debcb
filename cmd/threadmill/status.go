package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// statusReport is what `status --json` prints.
type statusReport struct {
	Publication    string          `json:"publication"`
	Holder         *store.Holder   `json:"running"` // who sends now
	Paused         bool            `json:"paused"`
	PausedUntil    *time.Time      `json:"paused_until"`
	LastSlot       *time.Time      `json:"last_slot"`
	NextSlot       *time.Time      `json:"next_slot"`
	DueSlot        *time.Time      `json:"due_slot"` // due and not claimed yet
	ThreadsLeft    int             `json:"threads_left"`
	Subscribers    int             `json:"subscribers"` // active ones
	Rate           float64         `json:"rate"`        // mail.rate, 0 for no limit
	Sending        []issueRow      `json:"sending"`
	OldestDeferred *time.Time      `json:"oldest_deferred"`
	NextAttempt    *time.Time      `json:"next_attempt"`
	Warnings       []store.Warning `json:"warnings"`
}

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the publication is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				s, err := p.status(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.stdout, s)
				}
				return a.printStatus(s, p.facts.Zone)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func (p *publication) status(ctx context.Context) (statusReport, error) {
	now := time.Now()
	s := statusReport{Publication: p.facts.Title, Rate: p.Mail.Rate, Holder: store.LockHolder(p.store.Path()), Sending: []issueRow{}, Warnings: []store.Warning{}}
	for _, step := range []func(context.Context, time.Time, *statusReport) error{p.statusSchedule, p.statusThreads, p.statusMail} {
		if err := step(ctx, now, &s); err != nil {
			return statusReport{}, err
		}
	}
	return s, nil
}

func (p *publication) statusSchedule(ctx context.Context, now time.Time, s *statusReport) error {
	pause, err := p.store.Pause(ctx)
	if err != nil {
		return err
	}
	if s.Paused = pause.Covers(now); s.Paused {
		s.PausedUntil = timeOrNull(pause.Until)
	}
	last, _, err := p.store.LastSlot(ctx, now)
	if err != nil {
		return err
	}
	s.LastSlot = timeOrNull(last)
	next, due, err := p.publisher.NextSlot(ctx, now)
	s.NextSlot = timeOrNull(next)
	if due != nil {
		s.DueSlot = timeOrNull(due.Due)
	}
	return err
}

func (p *publication) statusThreads(ctx context.Context, now time.Time, s *statusReport) error {
	c, err := p.publisher.Catalogue(ctx)
	if err != nil {
		return err
	}
	for _, t := range c.Threads {
		if state := t.State(now); state == newsletter.ThreadReady || state == newsletter.ThreadWaiting {
			s.ThreadsLeft++
		}
	}
	for _, problem := range c.Problems {
		if problem.Severity == newsletter.Error {
			s.Warnings = append(s.Warnings, store.Warning{Kind: "thread", Text: problem.String(), Since: now.UTC().Truncate(time.Second)})
		}
	}
	return nil
}

func (p *publication) statusMail(ctx context.Context, _ time.Time, s *statusReport) error {
	counts, err := p.store.CountSubscribers(ctx)
	if err != nil {
		return err
	}
	s.Subscribers = counts[newsletter.SubscriberActive]
	rows, err := p.store.UnfinishedIssues(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		s.Sending = append(s.Sending, newIssueRow(r))
	}
	oldest, next, err := p.store.Deferred(ctx)
	if err != nil {
		return err
	}
	s.OldestDeferred, s.NextAttempt = timeOrNull(oldest), timeOrNull(next)
	warnings, err := p.store.Warnings(ctx)
	s.Warnings = append(s.Warnings, warnings...)
	return err
}

func (a *app) printStatus(s statusReport, zone *time.Location) error {
	when := func(t *time.Time, none string) string {
		if t == nil {
			return none
		}
		return longTime(*t, zone)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Publication\t%s\n", s.Publication)
	if s.Holder != nil {
		fmt.Fprintf(w, "Running\t%s\n", s.Holder)
	} else {
		fmt.Fprintf(w, "Running\tno\n")
	}
	if s.Paused {
		fmt.Fprintf(w, "Paused\tuntil %s\n", when(s.PausedUntil, "`threadmill resume`"))
	}
	fmt.Fprintf(w, "Last slot\t%s\n", when(s.LastSlot, "none yet"))
	if s.DueSlot != nil {
		fmt.Fprintf(w, "Due now\t%s\n", when(s.DueSlot, ""))
	}
	fmt.Fprintf(w, "Next slot\t%s\n", when(s.NextSlot, "none; there is no schedule"))
	fmt.Fprintf(w, "Threads left\t%d\n", s.ThreadsLeft)
	fmt.Fprintf(w, "Subscribers\t%s\n", thousands(s.Subscribers))
	for _, r := range s.Sending {
		if r.State == issueStopped {
			fmt.Fprintf(w, "Stopped\tissue %d; `threadmill issues go %d` lets it go\n", r.Issue, r.Issue)
		}
		if r.State == issueGrace {
			fmt.Fprintf(w, "Held\tissue %d leaves on %s\n", r.Issue, when(r.HeldUntil, ""))
		}
		fmt.Fprintf(w, "Sending\tissue %d, “%s”: %d of %d sent, %d pending, %d deferred, %d failed, %d in doubt\n",
			r.Issue, r.Title, r.Sent, r.Recipients, r.Pending, r.Deferred, r.Failed, r.InDoubt)
		if !r.SiteReady {
			fmt.Fprintf(w, "\tits page is not written yet, and its mail waits for that\n")
		}
	}
	if s.NextAttempt != nil {
		fmt.Fprintf(w, "Deferred\tsince %s; the next attempt is on %s\n", when(s.OldestDeferred, "–"), when(s.NextAttempt, ""))
	}
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "Warning\t%s (%s)\n", warning.Text, warning.Kind)
	}
	return w.Flush()
}
