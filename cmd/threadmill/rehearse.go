package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/config"
	"threadmill/internal/mail"
	"threadmill/internal/mailbox"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
	"threadmill/internal/web"
)

// The bounds of a rehearsal.
const (
	maxRehearsedWeeks = 520
	maxRehearsedSlots = 2000
)

type rehearseOptions struct {
	weeks int
	serve bool
	addr  string
	json  bool
}

func (a *app) rehearseCommand() *cobra.Command {
	var o rehearseOptions
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Play the coming year on a copy, and tell what will go wrong",
		Long: `Rehearse publishes every slot of the coming weeks, one after the other and
without waiting, from your own threads, templates and list: into a copy of the
database and a folder that are thrown away. Of each issue one mail, to the first
of its readers, is composed as it would go out; a mail server on this machine
takes it, and the others are counted. Nothing leaves the machine and nothing of
the publication changes; a daemon may be at work beside it.

It prints the calendar of those weeks, and below it what to mend, each with its
place: broken threads, missing pictures, duplicates, threads that expire before
their turn, mails that are cut off for their length, slots without a thread, and
when the threads end. With --serve it then shows the site and the mails in the
browser until Ctrl-C. It ends with 1 where there is something to mend.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.weeks < 1 || o.weeks > maxRehearsedWeeks {
				return &usageError{fmt.Errorf("--weeks %d: must be from 1 to %d", o.weeks, maxRehearsedWeeks)}
			}
			return a.rehearse(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.weeks, "weeks", 52, "how many weeks to play")
	f.BoolVar(&o.serve, "serve", false, "show the site and the mails in the browser afterwards")
	f.StringVar(&o.addr, "addr", "127.0.0.1:8080", "with --serve, the web server's `address`; port 0 takes a free one")
	f.BoolVar(&o.json, "json", false, "print a JSON document")
	return cmd
}

// rehearsal is a publication that is played on a copy.
type rehearsal struct {
	*publication
	box   *mailbox.Mailbox
	clock *playedClock
	from  time.Time
	until time.Time

	before publish.Catalogue // as the author left it
	report rehearsalReport
}

// playedClock is the time of a rehearsal. A web server may look at it.
type playedClock struct{ at atomic.Pointer[time.Time] }

func (c *playedClock) Now() time.Time   { return *c.at.Load() }
func (c *playedClock) set(at time.Time) { c.at.Store(&at) }
func newPlayedClock(at time.Time) (c *playedClock) {
	c = &playedClock{}
	c.set(at)
	return c
}

func (a *app) rehearse(ctx context.Context, o rehearseOptions) (err error) {
	dir, err := os.MkdirTemp("", "threadmill-rehearse-*") // readable by its owner only, as the list is in it
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	log := a.log(slog.LevelError)
	box, err := mailbox.Listen(ctx, "127.0.0.1:0", filepath.Join(dir, "mail"), log)
	if err != nil {
		return err
	}
	defer box.Close()
	var server *web.Server
	var site http.Handler
	address := ""
	if o.serve {
		server, err = web.Listen(ctx, o.addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { site.ServeHTTP(w, r) }), log)
		if err != nil {
			return fmt.Errorf("%w (--addr 127.0.0.1:0 takes a free port)", err)
		}
		address = "http://" + server.Addr()
	}
	r, err := a.stage(ctx, dir, address, box)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.play(ctx, o.weeks); err != nil {
		return err
	}
	if err := a.tellRehearsal(r, o.json); err != nil || server == nil {
		return errors.Join(err, r.verdict())
	}
	if site, err = r.web(ctx, map[string]http.Handler{"/mail/": box.Handler()}); err != nil {
		return err
	}
	printLines(a.stderr, "Archive   "+address+"/", "Mails     "+address+"/mail/", "Ctrl-C ends this and throws it away.")
	if err := r.daemon(ctx, server, func(ctx context.Context) error { <-ctx.Done(); return nil }); err != nil {
		return err
	}
	return r.verdict()
}

// stage makes the publication of the config that lives in dir: with a copy of
// the database, with its threads and templates, and with no way out but into the
// mailbox. An address takes the place of that of the site and of the web server.
func (a *app) stage(ctx context.Context, dir, address string, box *mailbox.Mailbox) (*rehearsal, error) {
	cfg, err := config.Load(a.config, a.env)
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings {
		fmt.Fprintf(a.stderr, "threadmill: warning: %s\n", w)
	}
	if cfg.Schedule.Cron == "" {
		return nil, &usageError{fmt.Errorf("%s: there is no schedule to rehearse; set schedule.cron", cfg.Position("schedule"))}
	}
	source := cfg.DatabaseSource()
	if err := harmless(&cfg, dir, address, box); err != nil {
		return nil, err
	}
	p := &publication{Config: cfg, private: true, stderr: a.stderr, log: a.log(slog.LevelError)}
	if err := p.settle(); err != nil {
		return nil, err
	}
	now := time.Now()
	r := &rehearsal{publication: p, box: box, clock: newPlayedClock(now), from: now}
	if p.store, err = store.Stage(ctx, source, cfg.DatabaseSource(), r.clock.Now, p.log); err != nil {
		return nil, err
	}
	if r.before, err = p.judged(ctx, true); err == nil {
		p.reader.Judge = nil // once is enough
		err = p.join(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return r, nil
}

// harmless takes out of a config whatever would reach beyond dir.
func harmless(cfg *config.Config, dir, address string, box *mailbox.Mailbox) error {
	_, port, err := net.SplitHostPort(box.Addr())
	if err != nil {
		return err
	}
	cfg.Output = filepath.Join(dir, "public")
	cfg.Database = config.Database(filepath.Join(dir, "threadmill.db"))
	cfg.Mail.Transport = "smtp"
	s := &cfg.Mail.SMTP
	s.Host, s.Username, s.Password, s.TLS = "127.0.0.1", "", "", "none"
	if s.Port, err = strconv.Atoi(port); err != nil {
		return err
	}
	cfg.Mail.DKIM, cfg.Feeds.Hub, cfg.Delivery.Grace = nil, nil, 0
	cfg.Hooks, cfg.Review, cfg.Backup = config.Hooks{}, 0, config.Backup{}
	if address != "" {
		cfg.Publication.URL, cfg.Web.URL, cfg.Web.TLS = address, address, "off"
	}
	return nil
}

// play publishes what is due now, and then slot after slot.
func (r *rehearsal) play(ctx context.Context, weeks int) error {
	r.until = r.from.AddDate(0, 0, 7*weeks)
	r.report.From, r.report.Until = r.from, r.until
	if err := r.publisher.Begin(ctx); err != nil {
		return err
	}
	tell, done := r.progress(weeks)
	defer done()
	r.review(ctx)
	if err := r.slot(ctx, r.from); err != nil {
		return r.breakOff(ctx, r.from, err)
	}
	for at := r.schedule.Next(r.from); !at.IsZero() && !at.After(r.until); at = r.schedule.Next(at) {
		if len(r.report.Calendar) >= maxRehearsedSlots {
			r.report.Notes = append(r.report.Notes, fmt.Sprintf("the rehearsal ends after %s, on %s; take fewer --weeks", plural(maxRehearsedSlots, "slot"), longTime(at, r.facts.Zone)))
			r.until, r.report.Until = at, at
			break
		}
		if err := r.slot(ctx, at); err != nil {
			return r.breakOff(ctx, at, err)
		}
		tell(at)
	}
	return r.conclude(ctx)
}

// breakOff ends the report at an instant that could not be played: on that day
// the publication would stand still, which is a problem like others.
func (r *rehearsal) breakOff(ctx context.Context, at time.Time, fault error) error {
	if ctx.Err() != nil {
		return fault
	}
	r.until, r.report.Until = at, at
	r.report.Problems = append(r.report.Problems, fault.Error()+"; the rehearsal ends there")
	return r.conclude(ctx)
}

// progress shows on a terminal how many weeks are played.
func (r *rehearsal) progress(weeks int) (tell func(time.Time), done func()) {
	if !terminal(r.stderr) {
		return func(time.Time) {}, func() {}
	}
	bar := newBar(r.stderr, int64(weeks), "weeks")
	return func(at time.Time) { _ = bar.Set64(int64(at.Sub(r.from) / (7 * 24 * time.Hour))) }, func() { _ = bar.Finish() }
}

// slot plays one instant of the schedule, as the daemon would.
func (r *rehearsal) slot(ctx context.Context, at time.Time) error {
	r.clock.set(at)
	due, err := r.publisher.PublishDue(ctx, "")
	if err != nil {
		return fmt.Errorf("the slot of %s: %w", longTime(at, r.facts.Zone), err)
	}
	month, err := r.publisher.PublishMonth(ctx)
	if err != nil {
		return fmt.Errorf("the digest of the month, on %s: %w", longTime(at, r.facts.Zone), err)
	}
	for _, o := range []publish.Outcome{due, month} {
		if o.Issue == nil {
			continue
		}
		if _, err := r.publisher.WriteSite(ctx); err != nil {
			return fmt.Errorf("the site on %s: %w", longTime(at, r.facts.Zone), err)
		}
		heavy, err := r.publisher.Weigh(ctx, *o.Issue)
		if err == nil {
			err = r.post(ctx, o, at)
		}
		if err != nil {
			return err
		}
		for _, w := range heavy {
			w.File = r.Threads + "/" + w.File
			r.problem(w)
		}
	}
	return r.enter(ctx, at, due, month)
}

// post sends one mail of an issue to the mailbox, and counts the others.
func (r *rehearsal) post(ctx context.Context, o publish.Outcome, at time.Time) error {
	reader, err := r.store.Enact(ctx, o.Issue.Number, at)
	if errors.Is(err, newsletter.ErrNotFound) {
		return nil // nobody gets it
	}
	if err != nil {
		return err
	}
	snap, err := r.store.Snapshot(ctx, o.Issue.Number)
	if err != nil {
		return err
	}
	var letter mail.Template
	if err := letter.UnmarshalBinary(snap.Message); err != nil {
		return fmt.Errorf("issue %d: %w", o.Issue.Number, err)
	}
	token := r.tokens.Sign(reader.ID, o.Issue.Number)
	m := mail.Message{From: mail.ReturnPath(snap.Sender).For(token), To: reader.Email, Data: letter.Append(nil, mail.Recipient{
		Email: reader.Email, Name: reader.Name,
		MessageID:      mail.MessageID(r.idKey, o.Issue.Number, reader.ID, snap.Domain),
		UnsubscribeURL: snap.UnsubscribeURL + token, UnsubscribeToken: token,
		Joined: r.day(reader.CreatedAt), Date: at,
	})}
	if err := send(ctx, r.transport(), m); err != nil {
		return fmt.Errorf("send issue %d to %s: %w", o.Issue.Number, reader.Email, err)
	}
	files := r.box.Files()
	return os.Chtimes(files[len(files)-1], at, at) // the mailbox shows when it came
}
