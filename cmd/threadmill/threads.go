package main

import (
	"fmt"
	"log/slog"
	"path"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
)

// threadRow is a thread in `threads --json`.
type threadRow struct {
	ID          string                 `json:"id"`
	Title       string                 `json:"title"`
	Date        *time.Time             `json:"date"`
	PublishDate *time.Time             `json:"publish_date,omitempty"`
	ExpiryDate  *time.Time             `json:"expiry_date,omitempty"`
	Posts       int                    `json:"posts"`
	Words       int                    `json:"words"`
	Minutes     int                    `json:"minutes"`
	State       newsletter.ThreadState `json:"state"`
	File        string                 `json:"file"`
	Slug        string                 `json:"slug"`
	Issue       int64                  `json:"issue,omitempty"`
	DuplicateOf string                 `json:"duplicate_of,omitempty"`
	Problem     string                 `json:"problem,omitempty"`
}

func (a *app) threadsCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "threads",
		Short: "List every thread and where it stands",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			p, err := a.open(cmd.Context(), slog.LevelWarn, false)
			if err != nil {
				return err
			}
			defer p.close()
			c, err := p.judged(cmd.Context(), false)
			if err != nil {
				return err
			}
			for _, w := range c.Unlinked {
				fmt.Fprintln(a.stderr, w)
			}
			rows := threadRows(c, p.reader.Label, time.Now())
			if asJSON {
				return printJSON(a.stdout, rows)
			}
			return a.printThreads(rows, p.facts.Zone)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

// threadRows are the threads, and the files that are none. label is how the
// author names the threads folder.
func threadRows(c publish.Catalogue, label string, now time.Time) []threadRow {
	problems := map[string][]newsletter.Problem{}
	for _, p := range c.Problems {
		problems[p.File] = append(problems[p.File], p)
	}
	rows := []threadRow{}
	for _, t := range c.Threads {
		rows = append(rows, threadRow{
			ID: t.ID, Title: t.Title, Date: timeOrNull(t.Date), PublishDate: timeOrNull(t.PublishDate), ExpiryDate: timeOrNull(t.ExpiryDate),
			Posts: len(t.Posts), Words: t.Words, Minutes: t.Minutes,
			State: t.State(now), File: t.File, Slug: t.Slug, Issue: t.Issue, DuplicateOf: t.DuplicateOf,
			Problem: pictureProblem(problems[path.Join(label, t.File)], t.Assets),
		})
	}
	for _, file := range c.Broken {
		row := threadRow{ID: newsletter.DefaultID(file), State: newsletter.ThreadBroken, File: file}
		for _, p := range problems[path.Join(label, file)] {
			if p.Severity == newsletter.Error && row.Problem == "" {
				row.Problem = p.String()
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// pictureProblem is the first of a file's problems that is about its pictures,
// empty where they are well.
func pictureProblem(problems []newsletter.Problem, pictures []string) string {
	for _, p := range problems {
		for _, name := range pictures {
			if strings.HasPrefix(p.Text, "picture "+name+": ") {
				return p.String()
			}
		}
	}
	return ""
}

func (a *app) printThreads(rows []threadRow, zone *time.Location) error {
	if len(rows) == 0 {
		fmt.Fprintln(a.stderr, "There are no threads yet; write one, or bring some along with `threadmill import`.")
		return nil
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STATE\tDATE\tPOSTS\tMIN\tID\tTITLE")
	for _, r := range rows {
		title := r.Title
		switch {
		case r.Problem != "" && r.State == newsletter.ThreadBroken:
			title = r.Problem
		case r.Problem != "":
			title += " (" + r.Problem + ")"
		case r.DuplicateOf != "":
			title += " (opens like " + r.DuplicateOf + ")"
		case r.State == newsletter.ThreadWaiting:
			title += " (until " + longTime(*r.PublishDate, zone) + ")"
		case r.State == newsletter.ThreadExpired:
			title += " (since " + longTime(*r.ExpiryDate, zone) + ")"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", r.State, shortDate(r.Date, zone), r.Posts, r.Minutes, r.ID, title)
	}
	return w.Flush()
}
