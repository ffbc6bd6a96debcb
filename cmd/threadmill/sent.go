package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"threadmill/internal/mail"
	"threadmill/internal/publish"
	"threadmill/internal/store"
)

// sentIssue is what `issues show --as-sent --json` prints.
type sentIssue struct {
	Issue int64 `json:"issue"`
	mail.Sent
}

// showSent prints the mail of an issue as people got it.
func (a *app) showSent(ctx context.Context, p *publication, number int64, asJSON bool) error {
	sent, err := p.publisher.AsSent(ctx, number)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(a.stdout, sentIssue{number, sent})
	}
	_, err = fmt.Fprintf(a.stdout, "Subject: %s\n\n%s\n", sent.Subject, strings.TrimRight(sent.Text, "\n"))
	return err
}

// revision is a thread in `issues show --diff --json`.
type revision struct {
	ID      string `json:"id"`
	File    string `json:"file"`
	Gone    bool   `json:"gone"` // its file is, or cannot be read
	Changed bool   `json:"changed"`
	Diff    string `json:"diff"`
}

// showDiff prints how the threads of an issue differ from what was sent.
func (a *app) showDiff(ctx context.Context, p *publication, r store.IssueRow, asJSON bool) error {
	threads, err := p.publisher.Revisions(ctx, r.ThreadIDs)
	if err != nil {
		return err
	}
	list := make([]revision, len(threads))
	changed := false
	for i, t := range threads {
		list[i] = p.revision(t, r.Number)
		changed = changed || list[i].Changed
	}
	if asJSON {
		return printJSON(a.stdout, list)
	}
	for _, t := range list {
		if t.Gone {
			fmt.Fprintf(a.stderr, "The file of %s is gone or broken; what was last seen of it counts.\n", t.ID)
		}
		fmt.Fprint(a.stdout, t.Diff)
	}
	if !changed {
		fmt.Fprintf(a.stderr, "Nothing changed since issue %d was sent.\n", r.Number)
	}
	return nil
}

// revision compares the forms of a thread.
func (p *publication) revision(t publish.Revised, issue int64) revision {
	r := revision{ID: t.ID, File: t.File, Gone: t.Gone, Changed: t.Sent != t.Now}
	if r.Changed {
		name := p.reader.Label + "/" + cmp.Or(t.File, t.ID)
		text := diff.Diff(fmt.Sprintf("%s (issue %d)", name, issue), []byte(t.Sent), name, []byte(t.Now))
		_, after, _ := strings.Cut(string(text), "\n") // the command that would show it
		r.Diff = after
	}
	return r
}
