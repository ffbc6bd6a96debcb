package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
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
	if err := errors.Join(p.ReadyToSend(), p.ReadyForReaders()); err != nil {
		return err
	}
	c, err := p.judged(ctx, true)
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
	for _, w := range c.Unlinked {
		fmt.Fprintln(a.stdout, w)
	}
	for _, w := range held(c, p.Threads, now) {
		fmt.Fprintln(a.stdout, w)
	}
	for _, w := range c.Contested(p.facts, p.Threads) {
		fmt.Fprintln(a.stdout, w)
	}
	for _, w := range p.unfilled() {
		fmt.Fprintln(a.stdout, w)
	}
	for _, w := range p.aboutPictures() {
		fmt.Fprintln(a.stdout, w)
	}
	wrong, heavy := p.publisher.Check(ctx, c)
	for _, w := range heavy {
		w.File = p.Threads + "/" + w.File
		fmt.Fprintln(a.stdout, w)
	}
	for _, fault := range wrong {
		fmt.Fprintln(a.stdout, fault)
		faults++
	}
	if faults > 0 {
		return fmt.Errorf("%s found", plural(faults, "error"))
	}
	return a.printReady(ctx, p)
}

// unfilled names what init wrote and nobody has changed, and a grace of which
// no author hears.
func (p *publication) unfilled() []string {
	var list []string
	warn := func(key, text string) {
		list = append(list, fmt.Sprintf("%s: warning: %s: %s", p.Position(key), key, text))
	}
	if u, err := url.Parse(p.Publication.URL); err == nil && u.Hostname() == "example.com" {
		warn("publication.url", "is still the example; write the public address of the site")
	}
	if p.letterhead().From.Address == "newsletter@example.com" {
		warn("mail.from", "is still the example; write the address that sends the mail")
	}
	if p.Delivery.Grace > 0 && p.Publication.Author.Email == "" {
		warn("publication.author.email", "is empty, so nobody gets the author's copy during the grace (delivery.grace)")
	}
	return list
}

// held names the threads that repeat others, and the entries of the queue that
// name none.
func held(c publish.Catalogue, label string, now time.Time) []newsletter.Problem {
	var list []newsletter.Problem
	for _, t := range c.Threads {
		if t.State(now) != newsletter.ThreadDuplicate {
			continue
		}
		problem := newsletter.Problem{File: label + "/" + t.File, Text: "opens like " + t.DuplicateOf + " and is held; give it an opening of its own, or delete it"}
		if t.ID == t.DuplicateOf {
			problem.Field, problem.Text = "params.id", "is that of "+t.DuplicateOf+", which another file holds; take it away, or delete this file"
		}
		list = append(list, problem)
	}
	for i, id := range c.Queue {
		if _, err := c.Find(id); err != nil {
			list = append(list, newsletter.Problem{File: label + "/QUEUE", Text: fmt.Sprintf("entry %d: there is no thread %q", i+1, id)})
		}
	}
	return list
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
		fmt.Fprintf(a.stdout, "%s: no thread is ready for it; %s\n", longTime(planned[0].Due, p.facts.Zone), people)
	default:
		fmt.Fprintf(a.stdout, "Ready: %s, “%s”, %s\n", longTime(planned[0].Due, p.facts.Zone), plannedTitle(planned[0]), people)
	}
	return nil
}
