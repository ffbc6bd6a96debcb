package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
)

func (a *app) archiveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "archive THREAD...",
		Short: "Mark threads as gone out elsewhere",
		Long:  `An archived thread stands on the site and in the feeds, and is never mailed.`,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				for _, id := range args {
					t, err := p.publisher.Archive(cmd.Context(), id)
					if err != nil {
						return badArgument(err)
					}
					note := "archived"
					if t.Issue > 0 {
						note = fmt.Sprintf("%s in issue %d already", newsletter.ThreadSent, t.Issue)
					}
					fmt.Fprintf(a.stdout, "%s: %s\n", t.ID, note)
				}
				_, err := p.store.AskRebuild(cmd.Context())
				return err
			})
		},
	}
}
