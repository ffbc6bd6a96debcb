package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// statusReport is what `status --json` prints.
type statusReport struct {
	Publication    string            `json:"publication"`
	Holder         *store.Holder     `json:"running"` // who sends now
	Paused         bool              `json:"paused"`
	PausedUntil    *time.Time        `json:"paused_until"`
	LastSlot       *time.Time        `json:"last_slot"`
	NextSlot       *time.Time        `json:"next_slot"`
	DueSlot        *time.Time        `json:"due_slot"` // due and not claimed yet
	Skipped        []time.Time       `json:"skipped"`  // slots to come
	ThreadsLeft    int               `json:"threads_left"`
	LastThread     *time.Time        `json:"last_thread"`  // the slot of the last of them, where it is known
	Subscribers    int               `json:"subscribers"`  // active ones
	Rate           float64           `json:"rate"`         // mail.rate, 0 for no limit
	Daily          int               `json:"daily"`        // mail.daily, 0 for no limit
	SentToday      int               `json:"sent_today"`   // in 24 hours
	SendingRate    float64           `json:"sending_rate"` // messages a second that go out now
	Sending        []issueRow        `json:"sending"`
	OldestDeferred *time.Time        `json:"oldest_deferred"`
	NextAttempt    *time.Time        `json:"next_attempt"`
	LettersWaiting int               `json:"letters_waiting"` // mails to one person, such as confirmations
	OldestLetter   *time.Time        `json:"oldest_letter"`
	Holds          []newsletter.Hold `json:"holds"`
	Warnings       []store.Warning   `json:"warnings"`

	// Nodes are all who send, where they may be many.
	Nodes []store.NodeInfo `json:"nodes"`
	// Sites are the output folders that are kept up, where they may be many.
	Sites []store.SiteInfo `json:"sites"`
	// Hubs are the WebSub hubs that did not take the last change of a feed.
	Hubs []newsletter.Hub `json:"hubs"`

	left    string   // how long the threads will last
	held    []string // what keeps all mail back
	sending bool     // somebody sends
}

func (a *app) statusCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the publication is",
		Long: `Status shows what runs, what is due, what is being sent, and what stands in the
way. It ends with 1 while a warning stands.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				s, err := p.status(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					err = printJSON(a.stdout, s)
				} else {
					err = a.printStatus(s, p.facts.Zone)
				}
				if n := len(s.Warnings); n > 0 {
					err = errors.Join(err, fmt.Errorf("%s, see above", standing(n)))
				}
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func standing(n int) string {
	if n == 1 {
		return "a warning stands"
	}
	return plural(n, "warning") + " stand"
}

func (p *publication) status(ctx context.Context) (statusReport, error) {
	now := time.Now()
	s := statusReport{Publication: p.facts.Title, Rate: p.Mail.Rate, Sending: []issueRow{}, Holds: []newsletter.Hold{}, Warnings: []store.Warning{}}
	for _, step := range []func(context.Context, time.Time, *statusReport) error{p.statusHolder, p.statusSchedule, p.statusThreads, p.statusMail} {
		if err := step(ctx, now, &s); err != nil {
			return statusReport{}, err
		}
	}
	return s, nil
}

func (p *publication) statusHolder(ctx context.Context, _ time.Time, s *statusReport) (err error) {
	if s.Holder, err = p.store.LockHolder(ctx); err != nil {
		return err
	}
	if s.Nodes, err = p.store.Nodes(ctx); err != nil {
		return err
	}
	if s.Sites, err = p.store.Sites(ctx); err != nil {
		return err
	}
	s.Hubs, err = p.refusingHubs(ctx)
	return err
}

func (p *publication) statusSchedule(ctx context.Context, now time.Time, s *statusReport) error {
	pause, err := p.store.Pause(ctx)
	if err != nil {
		return err
	}
	if s.Paused = pause.Covers(now); s.Paused {
		s.PausedUntil = timeOrNull(pause.Until)
	}
	last, _, err := p.store.LastSlot(ctx, now)
	if err != nil {
		return err
	}
	s.LastSlot = timeOrNull(last)
	next, due, err := p.publisher.NextSlot(ctx, now)
	s.NextSlot = timeOrNull(next)
	if due != nil {
		s.DueSlot = timeOrNull(due.Due)
	}
	if err != nil {
		return err
	}
	s.Skipped, err = p.skipped(ctx, now)
	return err
}

func (p *publication) statusThreads(ctx context.Context, now time.Time, s *statusReport) error {
	c, err := p.publisher.Catalogue(ctx)
	if err != nil {
		return err
	}
	o, err := p.publisher.Outlook(ctx, c)
	if err != nil {
		return err
	}
	s.ThreadsLeft, s.LastThread, s.left = o.Left, timeOrNull(o.Last), strconv.Itoa(o.Left)
	if !o.Last.IsZero() {
		s.left += ": the last goes out on " + farDay(o.Last, now, p.facts.Zone)
	}
	for _, problem := range c.Problems {
		if problem.Severity == newsletter.Error {
			s.Warnings = append(s.Warnings, store.Warning{Kind: newsletter.WarningThreadBroken, Text: problem.String(), Since: now.UTC().Truncate(time.Second)})
		}
	}
	return nil
}

func (p *publication) statusMail(ctx context.Context, _ time.Time, s *statusReport) error {
	counts, err := p.store.CountSubscribers(ctx)
	if err != nil {
		return err
	}
	s.Subscribers = counts[newsletter.SubscriberActive]
	rows, err := p.store.UnfinishedIssues(ctx)
	if err != nil {
		return err
	}
	for _, r := range rows {
		s.Sending = append(s.Sending, newIssueRow(r))
	}
	oldest, next, err := p.store.Deferred(ctx)
	if err != nil {
		return err
	}
	s.OldestDeferred, s.NextAttempt = timeOrNull(oldest), timeOrNull(next)
	s.LettersWaiting, oldest, err = p.store.WaitingLetters(ctx)
	if err != nil {
		return err
	}
	s.OldestLetter = timeOrNull(oldest)
	if s.Holds, err = p.holds(ctx); err != nil {
		return err
	}
	sender, err := p.sendingNow(ctx)
	if err != nil {
		return err
	}
	if s.sending = sender != nil || len(s.Nodes) > 0; s.sending {
		if s.SendingRate, err = p.rate(ctx, s.Nodes); err != nil {
			return err
		}
	}
	s.Daily = p.Mail.Daily
	if s.SentToday, err = p.sentToday(ctx); err != nil {
		return err
	}
	if s.held, err = p.heldBy(ctx, newsletter.Counts{Pending: 1}); err != nil { // as if one waited
		return err
	}
	warnings, err := p.store.Warnings(ctx)
	for _, w := range warnings {
		if w.Kind != newsletter.WarningThreadBroken { // these were looked for just now
			s.Warnings = append(s.Warnings, w)
		}
	}
	return err
}

// holds are those that stand.
func (p *publication) holds(ctx context.Context) ([]newsletter.Hold, error) {
	list, err := p.store.Holds(ctx)
	return slices.DeleteFunc(list, func(h newsletter.Hold) bool { return h.Lifted }), err
}

// printHolds tells which mail is held, why, and when that is tried again.
func printHolds(w io.Writer, holds []newsletter.Hold, zone *time.Location) {
	for _, h := range holds {
		fmt.Fprintf(w, "Held\t%s since %s (%s): %s; it is tried again on %s\n",
			heldMail(h), longTime(h.Since, zone), h.Kind, h.Reason, longTime(h.ProbeAt, zone))
	}
}

// standing is how an unfinished issue stands, in one word and a note.
func (s statusReport) standing(r issueRow, zone *time.Location) (word, note string) {
	switch {
	case r.State == issueStopped:
		return "Stopped", fmt.Sprintf("; `threadmill issues go %d` lets it go, `issues withdraw %d` cancels it", r.Issue, r.Issue)
	case r.Pending+r.Deferred == 0:
		return "Unsettled", fmt.Sprintf("; settle it with `threadmill resolve %d --resend` or `--skip`", r.Issue)
	case !r.SiteReady:
		return "Waiting", "; its page is not written yet, and its mail waits for that"
	case r.State == issueGrace && r.HeldUntil != nil:
		return "In its grace", fmt.Sprintf(" until %s; `threadmill issues stop %d` holds it", longTime(*r.HeldUntil, zone), r.Issue)
	case r.Pending > 0 && len(s.held) > 0:
		return "Held", "; " + s.held[0]
	case !s.sending:
		return "Waiting", "; nobody sends: run `threadmill run` or `threadmill publish`"
	case r.Pending == 0:
		return "Waiting", ""
	case s.SendingRate > 0:
		return "Sending", fmt.Sprintf("; %.1f a second go out", s.SendingRate)
	}
	return "Sending", ""
}

// progressNote tells how far an issue is: "1,500 of 2,000 sent, 500 pending".
func progressNote(c newsletter.Counts) string {
	note := fmt.Sprintf("%s of %s sent", thousands(c.Sent), thousands(c.Recipients))
	c.Sent = 0
	if rest := countsNote(c); rest != "" {
		note += ", " + rest
	}
	return note
}

func (a *app) printStatus(s statusReport, zone *time.Location) error {
	when := func(t *time.Time, none string) string {
		if t == nil {
			return none
		}
		return longTime(*t, zone)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Publication\t%s\n", s.Publication)
	if s.Holder != nil {
		fmt.Fprintf(w, "Running\t%s\n", s.Holder)
	} else {
		fmt.Fprintf(w, "Running\tno\n")
	}
	printNodes(w, s.Nodes)
	printSites(w, s.Sites)
	printHubs(w, s.Hubs, zone)
	if s.Paused {
		fmt.Fprintf(w, "Paused\tuntil %s\n", when(s.PausedUntil, "`threadmill resume`"))
	}
	fmt.Fprintf(w, "Last slot\t%s\n", when(s.LastSlot, "none yet"))
	if s.DueSlot != nil {
		fmt.Fprintf(w, "Due now\t%s\n", when(s.DueSlot, ""))
	}
	fmt.Fprintf(w, "Next slot\t%s\n", when(s.NextSlot, "none; there is no schedule"))
	for _, at := range s.Skipped {
		fmt.Fprintf(w, "Skipped\t%s\n", longTime(at, zone))
	}
	fmt.Fprintf(w, "Threads left\t%s\n", s.left)
	fmt.Fprintf(w, "Subscribers\t%s\n", thousands(s.Subscribers))
	for _, r := range s.Sending {
		word, note := s.standing(r, zone)
		fmt.Fprintf(w, "%s\tissue %d, “%s”: %s%s\n", word, r.Issue, r.Title, progressNote(r.Counts), note)
	}
	if s.Daily > 0 {
		fmt.Fprintf(w, "Sent in 24 h\t%s of %s\n", thousands(s.SentToday), thousands(s.Daily))
	} else {
		fmt.Fprintf(w, "Sent in 24 h\t%s\n", thousands(s.SentToday))
	}
	if s.NextAttempt != nil {
		since := "not tried yet" // what waits behind a hold costs no attempt
		if s.OldestDeferred != nil {
			since = "since " + when(s.OldestDeferred, "")
		}
		fmt.Fprintf(w, "Deferred\t%s; the next attempt is on %s\n", since, when(s.NextAttempt, ""))
	}
	if s.LettersWaiting > 0 {
		fmt.Fprintf(w, "Letters\t%s to leave, the oldest since %s\n", plural(s.LettersWaiting, "mail"), when(s.OldestLetter, "–"))
	}
	printHolds(w, s.Holds, zone)
	for _, warning := range s.Warnings {
		fmt.Fprintf(w, "Warning\t%s (%s)\n", warning.Text, warning.Kind)
	}
	return w.Flush()
}

// rate is how many messages a second go out, from all nodes together.
func (p *publication) rate(ctx context.Context, nodes []store.NodeInfo) (rate float64, err error) {
	if len(nodes) == 0 {
		return p.store.Rate(ctx)
	}
	for _, n := range nodes {
		rate += n.Rate
	}
	return rate, nil
}
