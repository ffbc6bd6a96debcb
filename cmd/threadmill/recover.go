package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	if err := p.holdCopy(ctx, from); err != nil {
		return err
	}
	c, err := p.publisher.Sync(ctx)
	if err != nil {
		return err
	}
	gone, err := withdrawn(ctx, public, c.Threads, shown)
	if err != nil {
		return fmt.Errorf("recover from %s: %w", from, err)
	}
	found, unknown := newsletter.Recall(unseen(c.Threads, gone), shown, thread.Plain)
	found = append(found, gone...)
	fresh, err := p.store.RecoverThreads(ctx, found)
	if err != nil {
		return err
	}
	if err := p.publisher.EndMonths(ctx); err != nil { // its digest may have gone out, and nothing tells
		return err
	}
	if mark.Publication != "" { // at last: whoever was stopped before does it again
		if err := p.store.Accept(ctx, mark); err != nil {
			return err
		}
	}
	fmt.Fprintf(a.stdout, "%s shows %s; %d of them were not marked as sent, and are now.\n", from, plural(len(shown)+len(gone), "thread"), fresh)
	a.tellUnsure(c.Threads, found, unknown)
	restored, err := p.store.Restored(ctx)
	if !restored.IsZero() {
		fmt.Fprintln(a.stdout, "`threadmill resume` lets the publication go on.")
	}
	return err
}

// tellUnsure names what the site does not tell for sure.
func (a *app) tellUnsure(threads []newsletter.Listed, found []newsletter.Recovered, unknown []newsletter.Shown) {
	for i, s := range unknown {
		if i == maxUnknown {
			fmt.Fprintf(a.stderr, "threadmill: and %d more\n", len(unknown)-i)
			break
		}
		fmt.Fprintf(a.stderr, "threadmill: no thread here is “%s” (%s)\n", s.Title, s.URL)
	}
	for _, r := range found {
		i := slices.IndexFunc(threads, func(t newsletter.Listed) bool { return t.ID == r.ID })
		if i >= 0 && !r.Withdrawn && threads[i].Title != r.Shown.Title {
			fmt.Fprintf(a.stderr, "threadmill: “%s” is taken for “%s” there\n", threads[i].Title, r.Shown.Title)
		}
	}
	for _, t := range unseen(threads, found) {
		if s := t.State(time.Now()); !t.Via(newsletter.ChannelWeb) && (s == newsletter.ThreadReady || s == newsletter.ThreadWaiting) {
			fmt.Fprintf(a.stderr, "threadmill: “%s” goes out by mail alone, and no site tells whether it did; `threadmill archive %s` if so\n", t.Title, t.ID)
		}
	}
}

// maxUnknown bounds how many threads of a feed are named that are not here.
const maxUnknown = 20

// unseen are the threads that were not found.
func unseen(threads []newsletter.Listed, found []newsletter.Recovered) []newsletter.Listed {
	return slices.DeleteFunc(slices.Clone(threads), func(t newsletter.Listed) bool {
		return t.ID == "" || t.Second || slices.ContainsFunc(found, func(r newsletter.Recovered) bool { return r.ID == t.ID })
	})
}

// withdrawn are the threads that the site says it had and has no more: no feed
// shows them, and they must not go out again.
func withdrawn(ctx context.Context, site witness.Site, threads []newsletter.Listed, shown []newsletter.Shown) (list []newsletter.Recovered, err error) {
	gone, err := site.Gone(ctx)
	if err != nil {
		return nil, err
	}
	there := map[string]bool{"": true}
	for _, s := range shown {
		there[s.Slug()] = true
	}
	for _, t := range threads {
		if there[t.Slug] || t.Out() || t.Withdrawn || t.Second || !t.Via(newsletter.ChannelWeb) {
			continue
		}
		is, err := gone(t.Path())
		if err != nil {
			return nil, err
		}
		if is {
			list = append(list, newsletter.Recovered{ID: t.ID, Withdrawn: true})
		}
	}
	return list, nil
}
