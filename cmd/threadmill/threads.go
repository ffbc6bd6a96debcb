package main

import (
	"fmt"
	"log/slog"
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
			rows := threadRows(c, time.Now())
			if asJSON {
				return printJSON(a.stdout, rows)
			}
			return a.printThreads(rows, p.facts.Zone)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func threadRows(c publish.Catalogue, now time.Time) []threadRow {
	rows := []threadRow{}
	for _, t := range c.Threads {
		rows = append(rows, threadRow{
			ID: t.ID, Title: t.Title, Date: timeOrNull(t.Date), PublishDate: timeOrNull(t.PublishDate),
			Posts: len(t.Posts), Words: t.Words, Minutes: t.Minutes,
			State: t.State(now), File: t.File, Slug: t.Slug, Issue: t.Issue, DuplicateOf: t.DuplicateOf,
			Problem: pictureProblem(c, t.Thread),
		})
	}
	for _, file := range c.Broken {
		row := threadRow{ID: newsletter.DefaultID(file), State: newsletter.ThreadBroken, File: file}
		for _, p := range c.Problems {
			if p.Severity == newsletter.Error && row.Problem == "" && strings.HasSuffix(p.File, "/"+file) {
				row.Problem = p.String()
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// pictureProblem is the first fault of a thread's pictures, empty where they are
// well.
func pictureProblem(c publish.Catalogue, t newsletter.Thread) string {
	for _, p := range c.Problems {
		if len(t.Assets) == 0 || !strings.HasSuffix(p.File, "/"+t.File) {
			continue
		}
		for _, name := range t.Assets {
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
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\n", r.State, shortDate(r.Date, zone), r.Posts, r.Minutes, r.ID, title)
	}
	return w.Flush()
}
