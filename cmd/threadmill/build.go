package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/site"
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
	built, err := a.buildIfFree(ctx, p)
	if built || err != nil {
		return err
	}
	return a.askBuild(ctx, p)
}

// buildIfFree writes the site unless another process has the output folder.
func (a *app) buildIfFree(ctx context.Context, p *publication) (bool, error) {
	lock, err := p.lock(ctx, "build")
	write := p.publisher.WriteSite
	if _, busy := errors.AsType[*store.LockedError](err); busy && p.store.Shared() { // perhaps on another machine
		lock, err = p.holdFolder(ctx)
		write = p.publisher.MirrorSite
	}
	if _, busy := errors.AsType[*store.LockedError](err); busy {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	report, err := write(ctx)
	if err == nil {
		fmt.Fprintf(a.stdout, "Wrote %s into %s, %d unchanged.\n", plural(report.Written, "file"), p.Output, report.Unchanged)
		p.compress(ctx)
	}
	return true, errors.Join(err, lock.Unlock())
}

// askBuild lets the holder of the lock write the site, since only one process
// may, and does it itself when that one ends first.
func (a *app) askBuild(ctx context.Context, p *publication) error {
	n, err := p.store.AskRebuild(ctx)
	if err != nil {
		return err
	}
	end := time.Now().Add(buildPatience)
	tick := time.NewTicker(followLook)
	defer tick.Stop()
	for time.Now().Before(end) {
		done, err := p.store.RebuildDone(ctx, p.place(), n)
		if done && err == nil {
			err = p.elsewhere(ctx)
		}
		if done && err == nil {
			fmt.Fprintln(a.stdout, "The site was written by the running threadmill.")
		}
		if done || err != nil {
			return err
		}
		if built, err := a.buildIfFree(ctx, p); built || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errInterrupted
		}
	}
	return errors.New("the running threadmill did not write the site yet; it will when it can (`threadmill status` tells what is in its way)")
}

// elsewhere is an error when the process that just wrote the site did so into
// another folder than this config names: that one nobody has claimed then. On a
// shared database each folder is known by its own name.
func (p *publication) elsewhere(ctx context.Context) error {
	if p.store.Shared() {
		return nil
	}
	claim, err := p.claim(ctx)
	if errors.Is(err, site.ErrClaimed) {
		return nil
	}
	if err != nil {
		return err
	}
	holder, err := p.store.LockHolder(ctx)
	if err := errors.Join(err, claim.Release()); err != nil || holder == nil {
		return err
	}
	return p.wrong("output", fmt.Errorf("%s writes another folder than %s; stop it first, or name its folder here", holder, p.Output))
}
