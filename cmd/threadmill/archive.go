package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
)

func (a *app) archiveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "archive THREAD...",
		Short: "Mark threads as gone out elsewhere",
		Long:  `An archived thread stands on the site and in the feeds, and is never mailed.`,
		Args:  named("which thread", "archive THREAD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				return a.archive(cmd.Context(), p, args)
			})
		},
	}
}

// archive marks threads, and shows them on the site now, or lets the running
// daemon do so.
func (a *app) archive(ctx context.Context, p *publication, ids []string) error {
	list, err := p.publisher.Archive(ctx, ids)
	for _, t := range list {
		note := "archived"
		if t.Issue > 0 {
			note = fmt.Sprintf("%s in issue %d already", newsletter.ThreadSent, t.Issue)
		}
		fmt.Fprintf(a.stdout, "%s: %s\n", t.ID, note)
	}
	if err != nil {
		return badArgument(err)
	}
	built, err := a.buildIfFree(ctx, p)
	if !built && err == nil {
		_, err = p.store.AskRebuild(ctx)
	}
	return err
}
