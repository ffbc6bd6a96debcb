package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/audience"
	"threadmill/internal/newsletter"
)

func (a *app) subscribersUnsubscribe() *cobra.Command {
	return &cobra.Command{
		Use:   "unsubscribe ADDRESS...",
		Short: "End subscriptions, as their readers could",
		Long: `Unsubscribe ends subscriptions at once: an issue that is on its way does not reach
them any more. Who was unsubscribed may come back by the links in their mails or
by signing up; see remove and forget for those who must not get mail again.`,
		Args: named("which address", "subscribers unsubscribe ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				return eachAddress(args, func(address string) error {
					sub, left, err := p.audience.End(cmd.Context(), address)
					switch {
					case err != nil:
						return badAddress(err)
					case left:
						fmt.Fprintf(a.stdout, "%s: unsubscribed\n", sub.Email)
					default:
						fmt.Fprintf(a.stdout, "%s: is %s already\n", sub.Email, sub.Status)
					}
					return nil
				})
			})
		},
	}
}

func (a *app) subscribersForget() *cobra.Command {
	return &cobra.Command{
		Use:   "forget ADDRESS...",
		Short: "Erase all that is kept of people",
		Long: `Forget erases people: address, name, tags, history, letters, and what mail servers
said about them. The counts of the issues stay. Only a keyed hash of the address
is left, so that no add and no import brings it back; whoever owns it may sign up
again. Backups and exports that were made before still hold them.`,
		Args: named("which address", "subscribers forget ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				return eachAddress(args, func(address string) error {
					known, err := p.audience.Forget(cmd.Context(), address)
					switch {
					case err != nil:
						return badAddress(err)
					case known:
						fmt.Fprintf(a.stdout, "%s: forgotten\n", address)
					default:
						fmt.Fprintf(a.stdout, "%s: was not on the list; it will not come onto it either\n", address)
					}
					return nil
				})
			})
		},
	}
}

func (a *app) subscribersShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show ADDRESS",
		Short: "Show all that is kept of one person",
		Long: `Show prints what a person chose, each step of their subscription, and what became
of each mail to them, with the answer of the server.`,
		Args: one("which address", "subscribers show ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				d, err := p.audience.Show(cmd.Context(), args[0])
				if err != nil {
					return badAddress(err)
				}
				if asJSON {
					return printJSON(a.stdout, d)
				}
				return showPerson(a.stdout, p.facts.Zone, d)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// showPerson prints a person for the eye.
func showPerson(out io.Writer, zone *time.Location, d *audience.Document) error {
	when := func(t time.Time) string { return t.In(zone).Format("2006-01-02 15:04") }
	s := sheet{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	status := fmt.Sprintf("%s since %s", d.Status, when(d.StatusSince))
	if d.StatusReason != "" {
		status += " (" + d.StatusReason + ")"
	}
	s.row("address", d.Email)
	s.row("name", d.Name)
	s.row("status", status)
	s.row("on the list", "since "+when(d.CreatedAt))
	s.row("tags", strings.Join(d.Tags, ", "))
	s.row("wants", wants(d))
	if until := d.PausedUntil; until != nil && until.After(time.Now()) {
		s.row("paused", pausedText(*until, when))
	}
	if d.Bounces > 0 {
		s.row("refused mail", plural(d.Bounces, "time"))
	}
	if d.Import != nil {
		s.row("imported from", d.Import.File)
		s.row("consent", d.Import.Consent)
	}
	s.head("history", len(d.Events))
	for _, e := range d.Events {
		s.row(when(e.At), strings.Join(filled(string(e.Kind), issueOf(e.Issue), e.Form, e.Text), ", "))
	}
	s.head("issues", len(d.Issues))
	for _, i := range d.Issues {
		at := "not tried"
		if tried := cmp.Or(i.FirstAt, i.ChangedAt); tried != nil && (i.FirstAt != nil || i.Code > 0) {
			at = when(*tried) // what we are refused for costs no attempt
		}
		s.row(at, strings.Join(filled(issueOf(i.Issue), i.Title, string(i.State), answerOf(i.Code, i.Answer)), ", "))
	}
	s.head("letters", len(d.Letters))
	for _, l := range d.Letters {
		sent := "not sent"
		if l.SentAt != nil {
			sent = "sent " + when(*l.SentAt)
		}
		s.row(when(l.CreatedAt), strings.Join(filled(string(l.Kind), l.To, sent, l.Answer), ", "))
	}
	s.head("reports", len(d.Reports))
	for _, r := range d.Reports {
		s.row(when(r.At), strings.Join(filled(r.Kind, r.Class, issueOf(r.Issue), r.Status, "by "+r.Source, r.Text), ", "))
	}
	return s.Flush()
}

// sheet is a table of two columns. What others wrote stands on one line.
type sheet struct{ *tabwriter.Writer }

func (s sheet) row(name, text string) {
	if text != "" {
		fmt.Fprintf(s, "%s\t%s\n", name, audience.CleanName(text))
	}
}

func (s sheet) head(title string, n int) {
	if n > 0 {
		fmt.Fprintf(s, "\n%s\n", title)
	}
}

func wants(d *audience.Document) string {
	what := "everything"
	if len(d.Wants) > 0 {
		what = strings.Join(d.Wants, ", ")
	}
	if d.Frequency == newsletter.FrequencyMonthly {
		return what + ", once a month"
	}
	return what
}

func pausedText(until time.Time, when func(time.Time) string) string {
	if until.Equal(newsletter.UntilLifted) {
		return "until they end it"
	}
	return "until " + when(until)
}

func issueOf(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("issue %d", n)
}

func answerOf(code int, answer string) string {
	if answer == "" && code > 0 {
		return fmt.Sprint(code)
	}
	return answer
}

// filled are the parts that say something.
func filled(parts ...string) []string {
	var list []string
	for _, p := range parts {
		if p != "" {
			list = append(list, p)
		}
	}
	return list
}
