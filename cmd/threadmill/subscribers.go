package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/newsletter"
)

// subscriberRow is a subscriber in `subscribers list --json`.
type subscriberRow struct {
	Email     string                      `json:"email"`
	Name      string                      `json:"name"`
	Status    newsletter.SubscriberStatus `json:"status"`
	Tags      []string                    `json:"tags"`
	CreatedAt time.Time                   `json:"created_at"`
}

func (a *app) subscribersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "subscribers",
		Short: "Keep the list of those who get the mail",
	}
	cmd.AddCommand(a.subscribersAdd(), a.subscribersList(), a.subscribersImport(), a.subscribersExport(), a.subscribersRemove(),
		a.subscribersShow(), a.subscribersUnsubscribe(), a.subscribersForget())
	return cmd
}

func (a *app) subscribersAdd() *cobra.Command {
	var name string
	var tags []string
	var again bool
	cmd := &cobra.Command{
		Use:   "add ADDRESS...",
		Short: "Add people; they are active at once",
		Long: `Add puts people on the list. Whoever unsubscribed, complained or was removed stays
away. So does an address that bounced, unless --again says that it is good now.`,
		Args: named("which address", "subscribers add ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				return eachAddress(args, func(address string) error {
					add := p.audience.Add
					if again {
						add = p.audience.Readd
					}
					result, sub, err := add(cmd.Context(), address, name, tags)
					if err == nil {
						fmt.Fprintf(a.stdout, "%s: %s\n", sub.Email, addNote(result, sub))
					}
					return badAddress(err)
				})
			})
		},
	}
	cmd.Flags().BoolVar(&again, "again", false, "also an address that bounced")
	cmd.Flags().StringVar(&name, "name", "", "the person's `name`")
	cmd.Flags().StringSliceVar(&tags, "tags", nil, "tags, separated by commas")
	return cmd
}

func addNote(r newsletter.AddResult, sub newsletter.Subscriber) string {
	switch r {
	case newsletter.Kept:
		if sub.Status == newsletter.SubscriberBounced {
			return fmt.Sprintf("is bounced and stays so; if it is good now: `threadmill subscribers add --again %s`", sub.Email)
		}
		if sub.ID == 0 {
			return "asked to be forgotten and gets no mail; who owns it may sign up again"
		}
		return fmt.Sprintf("is %s and stays so", sub.Status)
	case newsletter.Unchanged:
		return "is on the list already"
	case newsletter.Completed:
		return "is on the list already; completed"
	}
	return string(r)
}

func (a *app) subscribersList() *cobra.Command {
	var asJSON bool
	var who filter
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List every subscriber",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				if err := who.check(); err != nil {
					return err
				}
				if asJSON {
					return a.listJSON(cmd.Context(), p, who)
				}
				return a.list(cmd.Context(), p, who)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	cmd.Flags().StringVar(&who.status, "status", "", "only those with this `status`")
	cmd.Flags().StringVar(&who.tag, "tag", "", "only those with this `tag`")
	return cmd
}

// filter chooses subscribers; what is empty chooses all.
type filter struct{ status, tag string }

func (f filter) check() error {
	_, err := statusFlag(f.status)
	return err
}

func (f filter) wants(sub newsletter.Subscriber) bool {
	return (f.status == "" || f.status == string(sub.Status)) && (f.tag == "" || slices.ContainsFunc(sub.Tags, f.names))
}

// names tells whether a tag is the one asked for, however it is spelt.
func (f filter) names(tag string) bool { return newsletter.TagPath(tag) == newsletter.TagPath(f.tag) }

func (a *app) list(ctx context.Context, p *publication, who filter) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "EMAIL\tNAME\tSTATUS\tTAGS\tSINCE")
	n := 0
	for sub, err := range p.store.Subscribers(ctx) {
		if err != nil {
			return err
		}
		if !who.wants(sub) {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", sub.Email, sub.Name, sub.Status, strings.Join(sub.Tags, ","), sub.CreatedAt.In(p.facts.Zone).Format(time.DateOnly))
		if n++; n%1000 == 0 { // columns are aligned a thousand rows at a time, so that memory stays flat
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return w.Flush()
}

// listJSON writes the array row by row, so that memory stays flat.
func (a *app) listJSON(ctx context.Context, p *publication, who filter) error {
	before := "["
	for sub, err := range p.store.Subscribers(ctx) {
		if err != nil {
			return err
		}
		if !who.wants(sub) {
			continue
		}
		row := subscriberRow{Email: sub.Email, Name: sub.Name, Status: sub.Status, Tags: append([]string{}, sub.Tags...), CreatedAt: sub.CreatedAt}
		if _, err := io.WriteString(a.stdout, before); err != nil {
			return err
		}
		if err := printJSON(a.stdout, row); err != nil {
			return err
		}
		before = ","
	}
	if before == "[" {
		_, err := io.WriteString(a.stdout, "[]\n")
		return err
	}
	_, err := io.WriteString(a.stdout, "]\n")
	return err
}

func (a *app) subscribersRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove ADDRESS...",
		Short: "Take people off the list for good",
		Long:  `Remove leaves a suppression: no later import brings these addresses back.`,
		Args:  named("which address", "subscribers remove ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(p *publication) error {
				return eachAddress(args, func(address string) error {
					known, err := p.audience.Remove(cmd.Context(), address)
					switch {
					case err != nil:
						return badAddress(err)
					case known:
						fmt.Fprintf(a.stdout, "%s: removed\n", address)
					default:
						fmt.Fprintf(a.stdout, "%s: was not on the list; it will not come onto it either\n", address)
					}
					return nil
				})
			})
		},
	}
}

// eachAddress does all of them, whatever becomes of one.
func eachAddress(addresses []string, do func(string) error) error {
	var errs []error
	for _, address := range addresses {
		errs = append(errs, do(address))
	}
	return errors.Join(errs...)
}
