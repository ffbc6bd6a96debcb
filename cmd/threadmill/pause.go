package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) pauseCommand() *cobra.Command {
	var until string
	var sending bool
	cmd := &cobra.Command{
		Use:   "pause",
		Short: "Hold the schedule",
		Long:  `Pause holds the schedule until resume, across restarts. Slots that pass are over.`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				var end time.Time
				if until != "" {
					var err error
					if end, err = parseTime(until, p.facts.Zone); err != nil {
						return err
					}
				}
				if err := p.publisher.Pause(cmd.Context(), end, sending); err != nil {
					return err
				}
				if err := p.nextOnSite(cmd.Context()); err != nil {
					return err
				}
				what := "The schedule is paused"
				if sending {
					what = "The schedule and all mail are paused"
				}
				if end.IsZero() {
					fmt.Fprintln(a.stdout, what+"; `threadmill resume` ends that.")
				} else {
					fmt.Fprintf(a.stdout, "%s until %s.\n", what, longTime(end, p.facts.Zone))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "end the pause on this `DATE` or at this time")
	cmd.Flags().BoolVar(&sending, "sending", false, "hold all mail too")
	return cmd
}

// nextOnSite brings a site that was written before to the next issue that it
// names, after a change of the schedule.
func (p *publication) nextOnSite(ctx context.Context) error {
	state, err := p.store.SiteState(ctx, p.place())
	if err != nil || state.Revision == 0 {
		return err
	}
	if err := p.siteNow(ctx); err != nil {
		return fmt.Errorf("the schedule is changed, but the site still names another next issue: %w", err)
	}
	return nil
}

func (a *app) resumeCommand() *cobra.Command {
	var takeOver bool
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "End a pause, or the hold of a restored backup",
		Long: `Resume ends a pause, and lets a restored backup go on. It first looks at the
public site: where another server of the publication wrote it, or it shows issues
that this database does not know, nothing is resumed and it says what to do.

After a real move stop the old server and call resume --take-over here: this
database goes on, and every other copy of it refuses to publish as soon as the
site is written from here.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				if err := p.goOn(cmd.Context(), takeOver); err != nil {
					return err
				}
				if err := p.publisher.Resume(cmd.Context()); err != nil {
					return err
				}
				if err := p.nextOnSite(cmd.Context()); err != nil {
					return err
				}
				next, _, err := p.publisher.NextSlot(cmd.Context(), time.Now())
				if err != nil || next.IsZero() {
					fmt.Fprintln(a.stdout, "The pause is over.")
					return err
				}
				fmt.Fprintf(a.stdout, "The pause is over; the next slot is %s.\n", longTime(next, p.facts.Zone))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&takeOver, "take-over", false, "publish from this database from now on, and from no other copy of it")
	return cmd
}
