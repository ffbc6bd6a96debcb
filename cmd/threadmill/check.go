package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/config"
	"threadmill/internal/mailcheck"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
)

type checkFlags struct {
	net      bool
	eml      string
	resolver string
	json     bool
}

func (a *app) checkCommand() *cobra.Command {
	var f checkFlags
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check config, threads, templates and feeds",
		Long: `Check reads everything as publishing would and tells what is wrong, with file and
line. With --net it also asks DNS (SPF, DKIM, DMARC, MX, PTR), the relay (TLS,
login, SIZE) and the web server (one-click unsubscribe), and says what to put
into DNS; docs/dns.md explains the records. It ends with 0 when there are only
warnings, with 1 on errors in threads, templates or the net, and with 2 on
errors in the config.

With --eml it reads the source of a mail that was received, such as a test of
preview --to, and tells what the relay changed and which signatures hold.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.eml != "" {
				return a.checkMail(cmd.Context(), f)
			}
			return a.check(cmd.Context(), f)
		},
	}
	cmd.Flags().BoolVar(&f.net, "net", false, "look at DNS, the relay and the web server too")
	cmd.Flags().StringVar(&f.resolver, "resolver", "", "name server to ask, as `host:port`, in the place of the system's (also THREADMILL_RESOLVER)")
	cmd.Flags().StringVar(&f.eml, "eml", "", "look at the source of a received mail in this `file` instead")
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
	return cmd
}

func (a *app) check(ctx context.Context, f checkFlags) error {
	report := &checkReport{out: a.stdout}
	if f.json {
		report.out = a.stderr
	}
	err := a.checkAll(ctx, f, report)
	if f.json && report.Problems != nil {
		err = errors.Join(err, printJSON(a.stdout, report))
	}
	return err
}

// checkReport gathers what a check finds.
type checkReport struct {
	out      io.Writer
	Errors   int                 `json:"errors"`
	Missing  []string            `json:"missing"`
	Problems []string            `json:"problems"`
	Net      []mailcheck.Finding `json:"net,omitempty"`
}

func (r *checkReport) add(problem any) {
	line := fmt.Sprint(problem)
	r.Problems = append(r.Problems, line)
	fmt.Fprintln(r.out, line)
}

// miss gathers what must be done before an issue can go out.
func (r *checkReport) miss(things ...string) { r.Missing = append(r.Missing, things...) }

// printMissing is the end of a check that found something missing.
func (r *checkReport) printMissing() {
	fmt.Fprintln(r.out, "\nMissing before the next issue can go out:")
	for i, thing := range r.Missing {
		fmt.Fprintf(r.out, "%3d. %s\n", i+1, thing)
	}
}

func addAll[T any](r *checkReport, problems []T) {
	for _, p := range problems {
		r.add(p)
	}
}

// addUnfilled adds what init left for the author to fill in.
func (r *checkReport) addUnfilled(places []string) {
	addAll(r, places)
	for _, u := range places {
		if !strings.Contains(u, "author.email") { // a copy is no need
			r.miss(strings.Replace(u, ": warning: ", ": ", 1))
		}
	}
}

func (a *app) checkAll(ctx context.Context, f checkFlags, r *checkReport) error {
	p, err := a.open(ctx, slog.LevelWarn, false)
	if invalid, ok := errors.AsType[*config.InvalidError](err); ok {
		return numbered(invalid)
	}
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.fit(ctx); err != nil {
		return err
	}
	c, err := p.judged(ctx, true)
	if err != nil {
		return err
	}
	now := time.Now()
	r.Problems, r.Missing = []string{}, []string{}
	addAll(r, p.Traps())
	for _, problem := range c.Problems {
		r.add(problem)
		if problem.Severity == newsletter.Error {
			r.Errors++
			r.miss(fmt.Sprint(problem))
		}
	}
	addAll(r, c.Unlinked)
	addAll(r, held(c, p.Threads, now))
	calendar, err := p.calendarFaults(ctx, c, now)
	if err != nil {
		return err
	}
	addAll(r, calendar)
	addAll(r, c.Contested(p.facts, p.Threads))
	r.addUnfilled(p.unfilled())
	addAll(r, p.welcomeFaults(c))
	addAll(r, p.aboutPictures())
	wrong, heavy := p.publisher.Check(ctx, c)
	for _, w := range heavy {
		w.File = p.Threads + "/" + w.File
		r.add(w)
	}
	for _, fault := range wrong {
		r.add(fault)
		r.Errors++
		r.miss(fmt.Sprint(fault))
	}
	if f.net {
		if err := a.checkNet(ctx, p, f.resolver, r); err != nil {
			return err
		}
	}
	if err := p.lacking(ctx, c, r); err != nil {
		return err
	}
	return a.endCheck(ctx, p, c, r)
}

// endCheck prints what is missing or, with nothing missing, that all is ready.
func (a *app) endCheck(ctx context.Context, p *publication, c publish.Catalogue, r *checkReport) error {
	if len(r.Missing) > 0 {
		r.printMissing()
	}
	if r.Errors > 0 {
		return fmt.Errorf("%s found", plural(r.Errors, "error"))
	}
	if len(r.Missing) > 0 {
		a.tellTest(c, r.out)
		return nil
	}
	return a.printReady(ctx, p, c, r.out)
}

// numbered tells the faults of a config as a list, where they are more than one.
func numbered(err *config.InvalidError) error {
	if len(err.Problems) < 2 {
		return err
	}
	lines := make([]string, len(err.Problems))
	for i, p := range err.Problems {
		lines[i] = fmt.Sprintf("%3d. %s", i+1, p)
	}
	return &usageError{errors.New("wrong in the config:\n" + strings.Join(lines, "\n"))}
}

// fit tells everything that keeps the config from use, numbered where it is
// more than one fault.
func (p *publication) fit(ctx context.Context) error {
	faults := []error{p.ReadyToSend(), p.ReadyForReaders(), p.CheckSender(), p.exposed}
	for _, leak := range p.leaks(ctx) {
		faults = append(faults, &usageError{errors.New(leak)})
	}
	faults = slices.DeleteFunc(faults, func(err error) bool { return err == nil })
	if len(faults) < 2 {
		return errors.Join(faults...)
	}
	for i, err := range faults {
		faults[i] = fmt.Errorf("%3d. %w", i+1, err)
	}
	return fmt.Errorf("missing in the config:\n%w", errors.Join(faults...))
}

// lacking adds readers and threads where there are none.
func (p *publication) lacking(ctx context.Context, c publish.Catalogue, r *checkReport) error {
	counts, err := p.store.CountSubscribers(ctx)
	if err != nil {
		return err
	}
	if counts[newsletter.SubscriberActive] == 0 {
		r.miss("nobody is subscribed; add yourself with `threadmill subscribers add ADDRESS`")
	}
	draft := ""
	for _, t := range c.Threads {
		switch t.State(time.Now()) {
		case newsletter.ThreadReady, newsletter.ThreadWaiting:
			return nil
		case newsletter.ThreadDraft:
			draft = cmp.Or(draft, t.File)
		}
	}
	if draft == "" {
		r.miss(p.Threads + ": no thread is ready; write one")
		return nil
	}
	r.miss(fmt.Sprintf("%s/%s:%d: no thread is ready, and this one is a draft; take the line out when it may go out", p.Threads, draft, p.draftLine(draft)))
	return nil
}

// draftLine is the line of a thread's file that makes it a draft, 1 where it
// says so by other words.
func (p *publication) draftLine(file string) int {
	text, err := os.ReadFile(filepath.Join(p.Path(p.Threads), filepath.FromSlash(file)))
	if err != nil {
		return 1
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		if n++; strings.HasPrefix(line, "draft:") {
			return n
		}
	}
	return 1
}

// tellTest tells how to see a thread as readers would.
func (a *app) tellTest(c publish.Catalogue, out io.Writer) {
	for _, t := range c.Threads {
		if s := t.State(time.Now()); s == newsletter.ThreadReady || s == newsletter.ThreadDraft {
			fmt.Fprintf(out, "\nNext: `threadmill preview %s --to ADDRESS` sends a thread to yourself, as a test.\n", t.ID)
			return
		}
	}
}

// unfilled names what init wrote and nobody has changed, a grace of which no
// author hears, an address that no issue may leave with, and a folder for
// reports that is not there.
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
	if p.unreachable() {
		key := p.webKey()
		warn(key, "is not https, so readers could not unsubscribe by one click and nothing will be published (docs/server.md); or set mail.unsubscribe to mailto")
	}
	if dir := p.Mail.Bounce.Maildir; dir != "" {
		if info, err := os.Stat(filepath.Join(p.Path(dir), "new")); err != nil || !info.IsDir() {
			warn("mail.bounce.maildir", "there is no folder "+filepath.Join(dir, "new")+", so no report is read; name a Maildir, or make it with new, cur and tmp")
		}
	}
	return list
}

// held names the threads that repeat others.
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
	return list
}

// printReady sums up what will happen next, and how long the threads last.
func (a *app) printReady(ctx context.Context, p *publication, c publish.Catalogue, out io.Writer) error {
	counts, err := p.store.CountSubscribers(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	next, _, err := p.publisher.NextSlot(ctx, now) // which is not left out
	if err != nil {
		return err
	}
	planned, err := p.publisher.Upcoming(ctx, next.Add(-time.Nanosecond), 1)
	if err != nil {
		return err
	}
	people := peopleCount(counts[newsletter.SubscriberActive])
	if len(planned) == 0 {
		fmt.Fprintf(out, "Ready: no schedule, by hand with `threadmill publish --now`, %s\n", people)
		return nil
	}
	due := comingTime(planned[0].Due, now, p.facts.Zone)
	if len(planned[0].Threads) == 0 {
		fmt.Fprintf(out, "%s: no thread is ready for it; %s\n", due, people)
		return nil
	}
	n, left, err := p.publisher.Reach(ctx, planned[0].Threads, now)
	if err != nil {
		return err
	}
	o, err := p.publisher.Outlook(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "Ready: %s, “%s”, %s\n", due, plannedTitle(planned[0]), reachNote(n, left, planned[0].To)+p.paceNote(n))
	fmt.Fprintf(out, "%s.\n", leftNote(o, now, p.facts.Zone))
	return nil
}

// paceNote is how long the mail of an issue to n people takes, where the config
// bounds it.
func (p *publication) paceNote(n int) string {
	note := ""
	if p.Mail.Rate > 0 && n > 0 {
		note = fmt.Sprintf(", about %s at %v/s", roughly(time.Duration(float64(n)/p.Mail.Rate*float64(time.Second))), p.Mail.Rate)
	}
	if p.Mail.Daily > 0 && n > p.Mail.Daily {
		note = fmt.Sprintf(", over %s at %s a day", plural((n+p.Mail.Daily-1)/p.Mail.Daily, "day"), thousands(p.Mail.Daily))
	}
	return note
}

// roughly is a length of time as people say it, rather too long than too short.
func roughly(d time.Duration) string {
	up := func(unit time.Duration) int { return int((d + unit - 1) / unit) }
	switch {
	case d <= time.Minute:
		return plural(up(time.Second), "second")
	case d <= 2*time.Hour:
		return plural(up(time.Minute), "minute")
	}
	return plural(up(time.Hour), "hour")
}
