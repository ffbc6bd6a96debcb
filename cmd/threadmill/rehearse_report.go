package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
)

// rehearsalReport is what `rehearse --json` prints.
type rehearsalReport struct {
	From     time.Time      `json:"from"`
	Until    time.Time      `json:"until"`
	Calendar []rehearsedRow `json:"calendar"`
	Issues   int            `json:"issues"`
	Mails    int            `json:"mails"`
	Left     int            `json:"left"` // threads, at the end
	Problems []string       `json:"problems"`
	Notes    []string       `json:"notes"` // that are no fault
}

// rehearsedRow is a slot, or the digest of a month.
type rehearsedRow struct {
	Slot       time.Time              `json:"slot"`
	Outcome    newsletter.SlotOutcome `json:"outcome"`
	Issue      int64                  `json:"issue,omitempty"`
	Title      string                 `json:"title,omitempty"`
	Reason     string                 `json:"reason,omitempty"` // why there is no issue
	Threads    []string               `json:"threads"`
	Files      []string               `json:"files"`
	Recipients int                    `json:"recipients"`
}

func (r *rehearsal) problem(p newsletter.Problem) {
	p.Severity = newsletter.Error // it is not said that it is only a warning
	if line := p.String(); !slices.Contains(r.report.Problems, line) {
		r.report.Problems = append(r.report.Problems, line)
	}
}

// note keeps what is no fault.
func (r *rehearsal) note(p newsletter.Problem) {
	p.Severity = newsletter.Error // as of a problem
	r.report.Notes = append(r.report.Notes, p.String())
}

// review notes what is wrong with the threads before any goes out.
func (r *rehearsal) review(ctx context.Context) {
	c := r.before
	for _, problem := range c.Problems {
		if problem.Severity == newsletter.Error || strings.HasPrefix(problem.Text, "picture ") && !strings.HasPrefix(problem.Text, "picture without") {
			r.problem(problem)
		} else {
			r.note(problem)
		}
	}
	for _, problem := range held(c, r.Threads, r.from) {
		problem.Line = r.line(problem)
		r.problem(problem)
	}
	all := c // those too whose day is yet to come
	all.Threads = slices.Clone(c.Threads)
	for i := range all.Threads {
		if all.Threads[i].PublishDate.After(r.from) {
			all.Threads[i].PublishDate = time.Time{}
		}
	}
	faults, heavy := r.publisher.Check(ctx, all)
	for _, w := range heavy {
		w.File = r.Threads + "/" + w.File
		r.problem(w)
	}
	for _, err := range faults {
		r.report.Problems = append(r.report.Problems, err.Error())
	}
}

// line is the line of a thread that a problem means which names none: that of
// the field, or of the first post.
func (r *rehearsal) line(p newsletter.Problem) int {
	for _, t := range r.before.Threads {
		if t.File == "" || r.Threads+"/"+t.File != p.File {
			continue
		}
		if p.Field != "" {
			return fieldLine(t.Source, p.Field)
		}
		if len(t.Posts) > 0 {
			return t.Posts[0].Line
		}
	}
	return p.Line
}

// fieldLine is the line of a key of the front matter such as params.id; 0 where
// it is not found.
func fieldLine(source, field string) int {
	key := strings.ToLower(field[strings.LastIndexByte(field, '.')+1:])
	n := 0
	for line := range strings.Lines(source) {
		n++
		line = strings.TrimSpace(line)
		if n > 1 && line == "---" {
			return 0
		}
		if name, _, ok := strings.Cut(line, ":"); ok && strings.ToLower(strings.Trim(name, `"' `)) == key {
			return n
		}
	}
	return 0
}

// enter adds what became of an instant to the calendar.
func (r *rehearsal) enter(ctx context.Context, at time.Time, due, month publish.Outcome) error {
	outcome, err := r.store.SlotOutcome(ctx, r.schedule.Key(at))
	if err != nil {
		return err
	}
	if pause, err := r.store.Pause(ctx); err != nil {
		return err
	} else if outcome == "" && pause.Covers(at) {
		outcome = newsletter.SlotPaused
	}
	slot := !at.Equal(r.from)
	switch {
	case due.Issue != nil:
		r.published(at, due)
	case slot:
		r.report.Calendar = append(r.report.Calendar, rehearsedRow{Slot: at.In(r.facts.Zone), Outcome: outcome, Reason: due.Reason, Threads: []string{}, Files: []string{}})
	}
	if month.Issue != nil {
		r.published(at, month)
	}
	return nil
}

func (r *rehearsal) published(at time.Time, o publish.Outcome) {
	row := rehearsedRow{Slot: at.In(r.facts.Zone), Outcome: newsletter.SlotPublished, Issue: o.Issue.Number, Title: o.Issue.Title, Recipients: o.Recipients}
	for _, t := range o.Issue.Threads {
		row.Threads = append(row.Threads, t.ID)
		row.Files = append(row.Files, r.Threads+"/"+t.File)
		if first, again := r.outIn(t.ID); again && o.Issue.Month == "" {
			r.problem(newsletter.Problem{File: r.Threads + "/" + t.File, Text: fmt.Sprintf("goes out in issue %d and again in issue %d", first, o.Issue.Number)})
		}
	}
	r.report.Calendar = append(r.report.Calendar, row)
	r.report.Issues++
	r.report.Mails += o.Recipients
}

// outIn is the issue of the rehearsal that carried a thread.
func (r *rehearsal) outIn(id string) (int64, bool) {
	for _, row := range r.report.Calendar {
		if slices.Contains(row.Threads, id) {
			return row.Issue, true
		}
	}
	return 0, false
}

// conclude notes what only the end shows.
func (r *rehearsal) conclude(ctx context.Context) error {
	c, err := r.publisher.Catalogue(ctx)
	if err != nil {
		return err
	}
	ready, waiting := c.Left(r.until)
	r.report.Left = ready + waiting
	for _, t := range r.before.Threads {
		was := t.State(r.from)
		_, out := r.outIn(t.ID)
		switch {
		case out || t.ExpiryDate.IsZero() || t.File == "":
		case was == newsletter.ThreadExpired:
			r.note(r.expiry(t, "was over before it went out"))
		case (was == newsletter.ThreadReady || was == newsletter.ThreadWaiting) && !t.ExpiryDate.After(r.until):
			r.problem(r.expiry(t, "comes before its turn, so that it never goes out; give it an earlier publishDate, or a later end"))
		}
	}
	r.emptySlots()
	return nil
}

func (r *rehearsal) expiry(t newsletter.Listed, what string) newsletter.Problem {
	return newsletter.Problem{
		File: r.Threads + "/" + t.File, Line: fieldLine(t.Source, "expiryDate"), Field: "expiryDate",
		Text: longTime(t.ExpiryDate, r.facts.Zone) + " " + what,
	}
}

// emptySlots names the slots for which no thread was ready: each run of them
// between two issues, and those after the last one.
func (r *rehearsal) emptySlots() {
	var last time.Time // issue
	var run []time.Time
	for _, row := range r.report.Calendar {
		switch {
		case row.Issue == 0 && row.Outcome == newsletter.SlotEmpty:
			run = append(run, row.Slot)
		case row.Issue > 0:
			if len(run) > 0 {
				r.emptied(fmt.Sprintf("no thread is ready for %s, %s", plural(len(run), "slot"), r.span(run)))
			}
			last, run = row.Slot, nil
		}
	}
	switch {
	case len(run) == 0:
	case last.IsZero():
		r.emptied(fmt.Sprintf("no thread goes out: %s without one, %s", plural(len(run), "slot"), r.span(run)))
	default:
		r.emptied(fmt.Sprintf("the last thread goes out on %s; %s after it without one, %s", longTime(last, r.facts.Zone), plural(len(run), "slot"), r.span(run)))
	}
}

// span is from when to when slots are.
func (r *rehearsal) span(run []time.Time) string {
	first, last := longTime(run[0], r.facts.Zone), longTime(run[len(run)-1], r.facts.Zone)
	if len(run) == 1 {
		return first
	}
	return first + " to " + last
}

func (r *rehearsal) emptied(text string) {
	r.report.Problems = append(r.report.Problems, r.Position("schedule.cron")+": schedule.cron: "+text)
}

// verdict is an error where there is something to mend.
func (r *rehearsal) verdict() error {
	if n := len(r.report.Problems); n > 0 {
		return fmt.Errorf("%s found", plural(n, "problem"))
	}
	return nil
}

// what is what a slot came to; its parts stand in columns of their own.
func (row rehearsedRow) what() string {
	switch {
	case row.Issue > 0:
		return fmt.Sprintf("issue %d\t“%s”\t%s\t%s", row.Issue, row.Title, peopleCount(row.Recipients), strings.Join(row.Files, " "))
	case row.Outcome == newsletter.SlotEmpty || row.Reason == "":
		return string(row.Outcome)
	}
	return string(cmp.Or(row.Outcome, "nothing")) + ": " + row.Reason
}

// tellRehearsal prints the report.
func (a *app) tellRehearsal(r *rehearsal, asJSON bool) error {
	rep := r.report
	if asJSON {
		if rep.Problems == nil {
			rep.Problems = []string{}
		}
		if rep.Notes == nil {
			rep.Notes = []string{}
		}
		return printJSON(a.stdout, rep)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, row := range rep.Calendar {
		fmt.Fprintf(w, "%s\t%s\n", longTime(row.Slot, r.facts.Zone), row.what())
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\n%s in %s, %s; threads left on %s: %d. Nothing was sent, and nothing of the publication changed.\n",
		plural(rep.Issues, "issue"), plural(len(rep.Calendar), "slot"), plural(rep.Mails, "mail"), longTime(r.until, r.facts.Zone), rep.Left)
	for _, note := range rep.Notes {
		fmt.Fprintf(a.stdout, "note: %s\n", note)
	}
	for i, problem := range rep.Problems {
		fmt.Fprintf(a.stdout, "%d. %s\n", i+1, problem)
	}
	return nil
}
