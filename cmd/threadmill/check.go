package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check config, threads, templates and feeds",
		Long: `Check reads everything as publishing would and tells what is wrong, with file and
line. It ends with 0 when there are only warnings, with 1 on errors in threads
or templates, and with 2 on errors in the config.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context()) },
	}
}

func (a *app) check(ctx context.Context) error {
	p, err := a.open(ctx, slog.LevelWarn, false)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.ReadyToSend(); err != nil {
		return err
	}
	c, err := p.publisher.Catalogue(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	faults := 0
	for _, problem := range c.Problems {
		fmt.Fprintln(a.stdout, problem)
		if problem.Severity == newsletter.Error {
			faults++
		}
	}
	for _, t := range c.Threads {
		if t.State(now) == newsletter.ThreadDuplicate {
			fmt.Fprintf(a.stdout, "%s/%s: warning: opens like %s and is held; give it an opening of its own, or delete it\n", p.Threads, t.File, t.DuplicateOf)
		}
	}
	for _, t := range newsletter.Queue(c.Threads, newsletter.Order(p.Schedule.Order), c.Queue, now) {
		if _, err := p.publisher.Preview(ctx, t.ID, "reader@example.com", ""); err != nil {
			fmt.Fprintln(a.stdout, err)
			faults++
		}
	}
	if err := p.checkSite(ctx); err != nil {
		fmt.Fprintln(a.stdout, err)
		faults++
	}
	if faults > 0 {
		return fmt.Errorf("%s found; threads with an error are left out until they are mended", plural(faults, "error"))
	}
	return a.printReady(ctx, p)
}

// checkSite writes the site into a folder that nobody sees.
func (p *publication) checkSite(ctx context.Context) error {
	t, err := p.templates()
	if err != nil {
		return err
	}
	c, err := p.publisher.Catalogue(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "threadmill-check-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	_, err = p.site(t, dir).Write(ctx, c.Entries(), nil)
	return err
}

// printReady sums up what will happen next.
func (a *app) printReady(ctx context.Context, p *publication) error {
	counts, err := p.store.CountSubscribers(ctx)
	if err != nil {
		return err
	}
	people := peopleCount(counts[newsletter.SubscriberActive])
	planned, err := p.publisher.Upcoming(ctx, time.Now(), 1)
	switch {
	case err != nil:
		return err
	case len(planned) == 0:
		fmt.Fprintf(a.stdout, "Ready: no schedule, by hand with `threadmill publish --now`, %s\n", people)
	case len(planned[0].Threads) == 0:
		fmt.Fprintf(a.stdout, "Ready: %s, but no thread is ready for it; %s\n", longTime(planned[0].Due, p.facts.Zone), people)
	default:
		fmt.Fprintf(a.stdout, "Ready: %s, “%s”, %s\n", longTime(planned[0].Due, p.facts.Zone), plannedTitle(planned[0]), people)
	}
	return nil
}
