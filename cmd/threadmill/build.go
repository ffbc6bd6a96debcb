package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/store"
)

// buildPatience is how long build waits for a daemon to do the work.
const buildPatience = 2 * time.Minute

func (a *app) buildCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "build",
		Short: "Write pages and feeds again; send nothing",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return a.build(cmd.Context()) },
	}
}

func (a *app) build(ctx context.Context) error {
	p, err := a.open(ctx, slog.LevelWarn, false)
	if err != nil {
		return err
	}
	defer p.close()
	lock, err := p.lock(ctx, "build")
	if locked, busy := errors.AsType[*store.LockedError](err); busy {
		return a.askBuild(ctx, p, locked.Holder)
	}
	if err != nil {
		return err
	}
	defer lock.Unlock()
	report, err := p.publisher.WriteSite(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "Wrote %s into %s, %d unchanged.\n", plural(report.Written, "file"), p.Output, report.Unchanged)
	return nil
}

// askBuild lets the daemon write the site, since only one process may.
func (a *app) askBuild(ctx context.Context, p *publication, holder store.Holder) error {
	n, err := p.store.AskRebuild(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, buildPatience)
	defer cancel()
	tick := time.NewTicker(followLook)
	defer tick.Stop()
	for {
		done, err := p.store.RebuildDone(ctx, n)
		if err != nil {
			return err
		}
		if done {
			fmt.Fprintf(a.stdout, "The site was written by %s.\n", holder)
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%s did not write the site yet; it will when it can: %w", holder, context.Cause(ctx))
		}
	}
}
