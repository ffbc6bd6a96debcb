package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
	"threadmill/internal/store"
)

// issueRow is an issue in `issues --json`.
type issueRow struct {
	publishReport
	State       string     `json:"state"` // see issueState
	Month       string     `json:"month,omitempty"`
	HeldUntil   *time.Time `json:"held_until"`
	PublishedAt time.Time  `json:"published_at"`
	SiteReady   bool       `json:"site_ready"`
	FinishedAt  *time.Time `json:"finished_at"`
	Bounced     int        `json:"bounced"` // whom reports named after it was sent, outside the sum of the counts
	Complained  int        `json:"complained"`
	FoldedAt    *time.Time `json:"folded_at,omitempty"`
}

// issueDetail is what `issues show --json` prints.
type issueDetail struct {
	issueRow
	Subject    string            `json:"subject"`
	Holds      []newsletter.Hold `json:"holds"` // that may keep mail of this issue back
	Deliveries []store.Unsettled `json:"deliveries"`
}

func (a *app) issuesCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "issues",
		Short: "List the issues and how far their mail is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error { return a.issues(cmd.Context(), p, asJSON) })
		},
	}
	cmd.PersistentFlags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.AddCommand(a.issueShowCommand(&asJSON))
	cmd.AddCommand(a.issueSendCommand(&asJSON))
	a.addIssueActions(cmd, &asJSON)
	return cmd
}

func (a *app) issueShowCommand(asJSON *bool) *cobra.Command {
	var all, asSent, diff bool
	cmd := &cobra.Command{
		Use:   "show N",
		Short: "Show one issue, and each recipient whose mail did not simply go out",
		Long: `Show tells how far the mail of issue N is, and names each recipient whose mail did
not simply go out. With --as-sent it prints the mail as readers got it, with
--diff what has changed since in the files of its threads: title and posts.`,
		Args: one("which issue", "issues show N"),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := issueNumber(args[0])
			if err != nil {
				return err
			}
			return a.withStore(cmd.Context(), func(p *publication) error {
				r, err := p.store.Issue(cmd.Context(), n)
				switch {
				case err != nil:
				case asSent:
					err = a.showSent(cmd.Context(), p, n, *asJSON)
				case diff:
					err = a.showDiff(cmd.Context(), p, r, *asJSON)
				default:
					err = a.showIssue(cmd.Context(), p, r, *asJSON, all)
				}
				return badArgument(err)
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "name also those whose mail was canceled")
	cmd.Flags().BoolVar(&asSent, "as-sent", false, "print the subject and the text of the mail as it went out")
	cmd.Flags().BoolVar(&diff, "diff", false, "print what changed in the threads since they were sent")
	cmd.MarkFlagsMutuallyExclusive("all", "as-sent", "diff")
	return cmd
}

func issueNumber(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 {
		return 0, &usageError{fmt.Errorf("%q is not the number of an issue; `threadmill issues` lists them", text)}
	}
	return n, nil
}

func newIssueRow(r store.IssueRow) issueRow {
	row := issueRow{publishReport: newPublishReport(r.Issue), State: issueState(r), PublishedAt: r.PublishedAt, SiteReady: r.SiteReady, FinishedAt: timeOrNull(r.FinishedAt), Bounced: r.Bounced, Complained: r.Complained, FoldedAt: timeOrNull(r.FoldedAt)}
	row.Threads = append(row.Threads, r.ThreadIDs...)
	row.Counts, row.Month = r.Counts, r.Month
	row.circleReport = newCircleReport(r.To, r.LeftOut)
	if r.Hold != nil {
		row.HeldUntil = timeOrNull(r.Hold.Until)
	}
	return row
}

func (a *app) issues(ctx context.Context, p *publication, asJSON bool) error {
	list, err := p.store.Issues(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		rows := []issueRow{}
		for _, r := range list {
			rows = append(rows, newIssueRow(r))
		}
		return printJSON(a.stdout, rows)
	}
	if len(list) == 0 {
		fmt.Fprintln(a.stderr, "There are no issues yet; `threadmill publish --now` makes one.")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ISSUE\tPUBLISHED\tSTATE\tRECIPIENTS\tPENDING\tSENT\tDEFERRED\tFAILED\tCANCELED\tIN DOUBT\tBOUNCED\tCOMPLAINED\tTITLE")
	for _, r := range list {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Number, r.PublishedAt.In(p.facts.Zone).Format("2006-01-02 15:04"),
			stateWord(r), thousands(r.Recipients), thousands(r.Pending), thousands(r.Sent), thousands(r.Deferred),
			thousands(r.Failed), thousands(r.Canceled), thousands(r.InDoubt), thousands(r.Bounced), thousands(r.Complained), r.Title)
	}
	return w.Flush()
}

func (a *app) showIssue(ctx context.Context, p *publication, r store.IssueRow, asJSON, all bool) error {
	deliveries, err := p.store.Unsettled(ctx, r.Number)
	if err != nil {
		return err
	}
	holds := []newsletter.Hold{}
	if r.Pending+r.Deferred > 0 {
		if holds, err = p.holds(ctx); err != nil {
			return err
		}
	}
	if asJSON {
		return printJSON(a.stdout, issueDetail{newIssueRow(r), r.Subject, holds, deliveries})
	}
	return a.printIssue(p, r, holds, deliveries, all)
}

func (a *app) printIssue(p *publication, r store.IssueRow, holds []newsletter.Hold, deliveries []store.Unsettled, all bool) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Issue\t%d, “%s”\n", r.Number, r.Title)
	fmt.Fprintf(w, "Subject\t%s\n", r.Subject)
	fmt.Fprintf(w, "Published\t%s\n", longTime(r.PublishedAt, p.facts.Zone))
	if r.Slot != "" {
		fmt.Fprintf(w, "Slot\t%s\n", slotText(r.Slot, p.facts.Zone))
	}
	if r.Month != "" {
		fmt.Fprintf(w, "Month\t%s, for who wants one mail a month\n", r.Month)
	}
	if !r.FoldedAt.IsZero() {
		fmt.Fprintf(w, "Kept\tcounts only, since %s (privacy.keep_deliveries)\n", longTime(r.FoldedAt, p.facts.Zone))
	}
	for _, id := range r.ThreadIDs {
		fmt.Fprintf(w, "Thread\t%s\n", id)
	}
	if !r.SiteReady {
		fmt.Fprintf(w, "Site\tnot written yet; the mail waits for it\n")
	}
	if note := holdNote(r, p.facts.Zone); note != "" {
		fmt.Fprintf(w, "Mail\t%s\n", strings.TrimPrefix(note, "is "))
	}
	fmt.Fprintf(w, "Recipients\t%s\n", strings.TrimSuffix(thousands(r.Recipients)+": "+countsNote(r.Counts), ": "))
	printCircle(w, r)
	printHolds(w, holds, p.facts.Zone)
	if r.InDoubt > 0 {
		fmt.Fprintf(w, "In doubt\t%s\n", doubtNote([]store.Doubt{{Issue: r.Number, N: r.InDoubt}}))
	}
	if r.Canceled > 0 && !all {
		fmt.Fprintf(w, "Canceled\t%s, of people who left the list or as it was withdrawn; `threadmill issues show %d --all` names them\n", thousands(r.Canceled), r.Number)
	}
	for _, d := range deliveries {
		if d.State == newsletter.DeliveryCanceled && !all {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", d.State, d.Email, deliveryNote(d, p.facts.Zone))
	}
	return w.Flush()
}

// printCircle says whom the issue was for, and what they told of it.
func printCircle(w io.Writer, r store.IssueRow) {
	if !r.To.All() {
		fmt.Fprintf(w, "To\t%s\n", r.To)
	}
	if left := r.LeftOut.Sum(); left > 0 {
		fmt.Fprintf(w, "Left out\t%s: %s\n", thousands(left), leftOutNote(r.LeftOut, r.To))
	}
	if r.Bounced+r.Complained > 0 {
		fmt.Fprintf(w, "Reports\t%s came back later, %s complained\n", thousands(r.Bounced), thousands(r.Complained))
	}
}

func deliveryNote(d store.Unsettled, zone *time.Location) string {
	note := d.Answer
	if d.Code != 0 {
		note = fmt.Sprintf("%d %s", d.Code, note)
	}
	then := ""
	switch {
	case d.Hold != "":
		then = "mail to " + d.Hold + " is held"
	case d.State == newsletter.DeliveryDeferred && d.NextAt != nil:
		then = "again on " + longTime(*d.NextAt, zone)
	}
	return strings.Join(filled(note, then), "; ")
}
