package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
)

// nextRow is a slot in `next --json`.
type nextRow struct {
	Slot    time.Time `json:"slot"`
	Key     string    `json:"key"`
	Threads []string  `json:"threads"`
	Title   string    `json:"title"`
	Paused  bool      `json:"paused,omitempty"`
	Out     string    `json:"left_out_by,omitempty"` // skipped, or excepted by schedule.except
	Month   string    `json:"month,omitempty"`       // of which it is the digest
	// Recipients is how many would get it now, null where there is nothing to get.
	Recipients *int `json:"recipients"`
	circleReport
}

// reached is how many would get what a slot carries, or the digest of a month, if
// it were now.
type reached struct {
	n    int
	left newsletter.LeftOut
}

// reaches counts who gets what the slots carry; many are for the same people.
func (p *publication) reaches(ctx context.Context, planned []publish.Planned) ([]reached, error) {
	list := make([]reached, len(planned))
	known := map[string]reached{}
	for i, s := range planned {
		if len(s.Threads) == 0 {
			continue
		}
		key := fmt.Sprintf("%q %q %t", s.To, s.Topics, s.Monthly)
		r, ok := known[key]
		if !ok {
			var err error
			if s.Month != "" {
				r.n, r.left, err = p.store.Reach(ctx, s.Circle, time.Now())
			} else {
				r.n, r.left, err = p.publisher.Reach(ctx, s.Threads, time.Now())
			}
			if err != nil {
				return nil, err
			}
			known[key] = r
		}
		list[i] = r
	}
	return list, nil
}

type nextFlags struct {
	n       int
	from    string
	json    bool
	ics     bool
	address bool
	renew   bool
}

func (a *app) nextCommand() *cobra.Command {
	var f nextFlags
	cmd := &cobra.Command{
		Use:   "next",
		Short: "Show the next slots and what each will carry",
		Long: `Next shows the next slots, what each will carry if nothing changes, and how long
the threads that are left will last.

With --ics it prints a calendar of the next 52 slots (RFC 5545) in the place of
that, and with --ics --url the address at which run answers with it, for a phone
or a calendar program. Whoever knows the address sees what is coming: --renew
makes another one, and the one before is nothing any more.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.n < 1 || f.n > 10000 {
				return &usageError{fmt.Errorf("-n %d: must be from 1 to 10000", f.n)}
			}
			if (f.address || f.renew) && !f.ics || f.renew && !f.address {
				return &usageError{errors.New("next: --url goes with --ics, and --renew with both")}
			}
			if f.ics && !cmd.Flags().Changed("number") {
				f.n = calendarSlots
			}
			p, err := a.open(cmd.Context(), slog.LevelWarn, false)
			if err != nil {
				return err
			}
			defer p.close()
			if f.address {
				return a.printCalendarAddress(cmd.Context(), p, f.renew)
			}
			return a.next(cmd.Context(), p, f)
		},
	}
	cmd.Flags().IntVarP(&f.n, "number", "n", 5, "how many slots")
	cmd.Flags().StringVar(&f.from, "from", "", "the `TIME` after which to look instead of now: RFC 3339, or a date")
	cmd.Flags().BoolVar(&f.json, "json", false, "print a JSON array")
	cmd.Flags().BoolVar(&f.ics, "ics", false, "print a calendar")
	cmd.Flags().BoolVar(&f.address, "url", false, "with --ics: print the private address of the calendar")
	cmd.Flags().BoolVar(&f.renew, "renew", false, "with --url: make another address, and end the one before")
	cmd.MarkFlagsMutuallyExclusive("json", "ics")
	return cmd
}

func (a *app) next(ctx context.Context, p *publication, f nextFlags) error {
	start, err := parseTime(f.from, p.facts.Zone)
	if err != nil {
		return err
	}
	planned, err := p.upcoming(ctx, start, f.n)
	if err != nil {
		return err
	}
	if f.ics {
		fmt.Fprint(a.stdout, p.calendar(planned, time.Now()))
		return nil
	}
	counts, err := p.reaches(ctx, planned)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(a.stdout, nextRows(planned, counts, p.facts.Zone))
	}
	return a.printNext(ctx, p, planned, counts)
}

func (a *app) printCalendarAddress(ctx context.Context, p *publication, renew bool) error {
	address, err := p.calendarAddress(ctx, renew)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, address)
	fmt.Fprintln(a.stderr, "Whoever knows this address sees what is coming; `threadmill next --ics --url --renew` ends it and makes another.")
	return nil
}

func nextRows(planned []publish.Planned, counts []reached, zone *time.Location) []nextRow {
	rows := []nextRow{}
	for i, s := range planned {
		r := nextRow{Slot: s.Due.In(zone), Key: s.Key, Threads: []string{}, Paused: s.Paused, Out: string(s.Out), Month: s.Month}
		for _, t := range s.Threads {
			r.Threads = append(r.Threads, t.ID)
		}
		r.Title = plannedTitle(s)
		if len(s.Threads) > 0 {
			r.Recipients, r.circleReport = &counts[i].n, newCircleReport(s.To, counts[i].left)
		}
		rows = append(rows, r)
	}
	return rows
}

func plannedTitle(s publish.Planned) string {
	if len(s.Threads) == 0 {
		return ""
	}
	if s.Month != "" {
		return "Digest of " + s.Month
	}
	title := s.Threads[0].Title
	if more := len(s.Threads) - 1; more > 0 {
		title += fmt.Sprintf(", and %d more", more)
	}
	return title
}

func (a *app) printNext(ctx context.Context, p *publication, planned []publish.Planned, counts []reached) error {
	if p.schedule == nil {
		fmt.Fprintln(a.stderr, "There is no schedule; set schedule.cron, or publish by hand with `threadmill publish --now`.")
		return nil
	}
	begun, err := p.publisher.Begun(ctx)
	if err != nil {
		return err
	}
	if !begun {
		fmt.Fprintln(a.stderr, "The schedule has not begun: it counts from the first `threadmill run` or `threadmill publish` that sees it; a slot before that is not taken.")
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for i, s := range planned {
		note := plannedNote(s)
		if counts[i].left.Sum() > 0 {
			note += "\t" + reachNote(counts[i].n, counts[i].left, s.To)
		}
		fmt.Fprintf(w, "%s\t%s\n", longTime(s.Due, p.facts.Zone), note)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return a.printOutlook(ctx, p)
}

// printOutlook tells how long the threads will last, and of those that no slot
// will carry.
func (a *app) printOutlook(ctx context.Context, p *publication) error {
	c, err := p.publisher.Catalogue(ctx)
	if err != nil {
		return err
	}
	o, err := p.publisher.Outlook(ctx, c)
	if err != nil {
		return err
	}
	now := time.Now()
	fmt.Fprintf(a.stderr, "%s.\n", leftNote(o, now, p.facts.Zone))
	for _, t := range o.Late {
		fmt.Fprintln(a.stderr, lateNote(t, p.Threads, p.facts.Zone))
	}
	if idle := idleNote(c, now); idle != "" {
		fmt.Fprintf(a.stderr, "Not in line: %s; `threadmill threads` names them.\n", idle)
	}
	return nil
}

// leftNote is "7 threads left: the last goes out on 18 January".
func leftNote(o publish.Outlook, now time.Time, zone *time.Location) string {
	note := plural(o.Left, "thread") + " left"
	if o.Last.IsZero() {
		return note
	}
	return note + ": the last goes out on " + farDay(o.Last, now, zone)
}

// farDay is the day of a time ahead, with its year where that is not plain.
func farDay(at, now time.Time, zone *time.Location) string {
	return at.In(zone).Format(publish.DayLayout(at, now))
}

// comingTime is a time ahead in the zone of the publication, with its year where
// that is not plain.
func comingTime(at, now time.Time, zone *time.Location) string {
	return at.In(zone).Format("Monday " + publish.DayLayout(at, now) + " 15:04")
}

// lateNote says of a thread that it expires before its turn.
func lateNote(t newsletter.Listed, label string, zone *time.Location) newsletter.Problem {
	return newsletter.Problem{
		File: label + "/" + t.File, Field: "expiryDate",
		Text: fmt.Sprintf("“%s” expires on %s, before its turn comes; give it a publishDate or a low weight, or take the date away", t.Title, longTime(t.ExpiryDate, zone)),
	}
}

// idleNote counts the threads by state that are in no line: "2 drafts, 1 expired".
func idleNote(c publish.Catalogue, now time.Time) string {
	counts := map[newsletter.ThreadState]int{newsletter.ThreadBroken: len(c.Broken)}
	for _, t := range c.Threads {
		counts[t.State(now)]++
	}
	var list []string
	for _, s := range []newsletter.ThreadState{newsletter.ThreadDraft, newsletter.ThreadExpired, newsletter.ThreadDuplicate, newsletter.ThreadWithdrawn, newsletter.ThreadBroken} {
		if counts[s] > 0 {
			list = append(list, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return strings.Join(list, ", ")
}

// plannedNote is what a slot will carry; the ids stand in a column of their own.
func plannedNote(s publish.Planned) string {
	switch {
	case s.Out != "":
		return outText(s.Out)
	case s.Paused:
		return "paused"
	case len(s.Threads) == 0:
		return "nothing: no thread is ready"
	}
	ids := make([]string, len(s.Threads))
	for i, t := range s.Threads {
		ids[i] = t.ID
	}
	return "“" + plannedTitle(s) + "”\t" + strings.Join(ids, " ")
}
