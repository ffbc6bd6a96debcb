package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
)

func (a *app) skipCommand() *cobra.Command {
	var undo bool
	cmd := &cobra.Command{
		Use:   "skip [SLOT]",
		Short: "Leave one slot out",
		Long: `Skip leaves the next slot out, or the one at SLOT: a day such as 2026-12-07, or a
time on it such as 2026-12-07T09:00. It holds across restarts, nothing makes up
for the slot, and the thread that it would have carried goes out at the next one.
With --undo the slot counts again, of several that are skipped the first.
Days that are known long before stand better in schedule.except.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				var at time.Time
				if len(args) > 0 {
					var err error
					if at, err = parseTime(args[0], p.facts.Zone); err != nil {
						return err
					}
				}
				return a.skip(cmd.Context(), p, at, undo)
			})
		},
	}
	cmd.Flags().BoolVar(&undo, "undo", false, "let the slot count again")
	return cmd
}

func (a *app) skip(ctx context.Context, p *publication, at time.Time, undo bool) error {
	slot, err := p.publisher.Skip(ctx, at, undo)
	if err != nil {
		return err
	}
	if err := p.nextOnSite(ctx); err != nil {
		return err
	}
	next, _, err := p.publisher.NextSlot(ctx, time.Now())
	if err != nil {
		return err
	}
	what := "is skipped; `threadmill skip --undo " + slotArgument(slot.Due, p.facts.Zone) + "` takes that back"
	if undo {
		what = "counts again"
	}
	fmt.Fprintf(a.stdout, "The slot of %s %s.\n", longTime(slot.Due, p.facts.Zone), what)
	if !next.IsZero() {
		fmt.Fprintf(a.stdout, "The next slot is %s.\n", longTime(next, p.facts.Zone))
	}
	return nil
}

// slotArgument is a slot as skip takes it.
func slotArgument(due time.Time, zone *time.Location) string {
	if due.Second() > 0 {
		return due.In(zone).Format(time.RFC3339)
	}
	return due.In(zone).Format("2006-01-02T15:04")
}

// skipped are the slots to come that somebody has left out.
func (p *publication) skipped(ctx context.Context, now time.Time) ([]time.Time, error) {
	list := []time.Time{}
	skips, err := p.store.Skips(ctx)
	for _, s := range skips {
		if s.Due.After(now) {
			list = append(list, s.Due.UTC())
		}
	}
	return list, err
}

// outText is why a slot carries nothing that is left out.
func outText(why newsletter.SlotOutcome) string {
	if why == newsletter.SlotSkipped {
		return "skipped"
	}
	return "left out (schedule.except)"
}
