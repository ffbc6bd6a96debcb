package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
	"threadmill/internal/thread"
	"threadmill/internal/witness"
)

func (a *app) recoverCommand() *cobra.Command {
	var from string
	cmd := &cobra.Command{
		Use:   "recover --from URL|DIR",
		Short: "Mark as sent what the public feeds show",
		Long: `Recover reads the feeds of the public site and their archives, from its address or
from a copy of its folder, and marks as sent each thread that they show: the one with
the same id in the feed, else with the same page, else with the same text. Those
threads are never mailed again; numbers of issues go on after the last one.

Use it after a restore, or where only the site is left of a publication. The feeds do
not tell who reads: import the subscribers from elsewhere.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if from == "" {
				return &usageError{errors.New("--from is missing; name the address of the site, or its folder")}
			}
			return a.withStore(cmd.Context(), func(p *publication) error { return a.recover(cmd.Context(), p, from) })
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the `SITE`: its address, or its folder")
	return cmd
}

func (a *app) recover(ctx context.Context, p *publication, from string) error {
	public := witness.From(from)
	mark, err := public.Mark(ctx)
	if err != nil {
		return fmt.Errorf("recover from %s: %w", from, err)
	}
	shown, err := public.Shown(ctx)
	if err != nil {
		return fmt.Errorf("recover from %s: %w", from, err)
	}
	c, err := p.publisher.Sync(ctx)
	if err != nil {
		return err
	}
	found, unknown := newsletter.Recall(c.Threads, shown, thread.Plain)
	fresh, err := p.store.RecoverThreads(ctx, found)
	if err != nil {
		return err
	}
	if mark.Publication != "" {
		err = p.store.Accept(ctx, mark)
	}
	if err == nil { // its digest may have gone out, and nothing tells
		err = p.store.EndMonth(ctx, time.Now().In(p.facts.Zone).AddDate(0, -1, 0).Format("2006-01"))
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s shows %s; %d of them were not marked as sent, and are now.\n", from, plural(len(shown), "thread"), fresh)
	for i, s := range unknown {
		if i == maxUnknown {
			fmt.Fprintf(a.stderr, "threadmill: and %d more\n", len(unknown)-i)
			break
		}
		fmt.Fprintf(a.stderr, "threadmill: no thread here is “%s” (%s)\n", s.Title, s.URL)
	}
	restored, err := p.store.Restored(ctx)
	if !restored.IsZero() {
		fmt.Fprintln(a.stdout, "`threadmill resume` lets the publication go on.")
	}
	return err
}

// maxUnknown bounds how many threads of a feed are named that are not here.
const maxUnknown = 20
