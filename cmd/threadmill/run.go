package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/net/idna"
	"golang.org/x/sync/errgroup"

	"threadmill/internal/deliver"
	"threadmill/internal/metrics"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/store"
	"threadmill/internal/web"
)

// roles are the parts of the daemon that a node leaves to others.
type roles struct{ noWeb, noSend bool }

func (a *app) runCommand() *cobra.Command {
	var r roles
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: schedule, sender and web server",
		Long: `Run publishes an issue at each slot of the schedule, sends it, keeps the site in
step with the threads, and serves it. With a database in a file one process does
so for a publication. With PostgreSQL any number may run: all of them send, and
one of them publishes; when it dies another one does. SIGTERM ends it in order;
SIGHUP writes the site again and looks whether the warnings still stand.

Each node writes the site into an output folder of its own, which no other
process may write meanwhile, and has it in step with the database within
seconds; until it first is, /readyz says so. Threads, pictures and issues come
from the database, so that all folders hold the same bytes, as long as the nodes
have the same version, config and templates folder: those are each node's own.
The mail of an issue waits for the site of the node that publishes it.

Where several nodes share the work, --no-web leaves serving to others, and
--no-send sending: a node with --no-send publishes at the slots and writes its
site, and neither mails nor tells the operator of faults. One with --no-web
writes the site only while it is the one that publishes.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runDaemon(cmd.Context(), r) },
	}
	cmd.Flags().BoolVar(&r.noWeb, "no-web", false, "do not listen for the web")
	cmd.Flags().BoolVar(&r.noSend, "no-send", false, "send no mail")
	return cmd
}

func (a *app) runDaemon(ctx context.Context, r roles) error {
	p, err := a.open(ctx, slog.LevelInfo, true)
	if err != nil {
		return err
	}
	defer p.close()
	p.supervisor = newSupervisor(a.env)
	ready := p.ReadyToSend
	if r.noSend {
		ready = p.Config.ReadyToSend // the keys are for others
	}
	if err := ready(); err != nil {
		return err
	}
	hup := make(chan os.Signal, 1) // nobody listens until there is a site to write
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	if p.store.Shared() {
		return p.runShared(ctx, r)
	}
	lock, err := p.waitForLock(ctx)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if r.noSend {
		return p.serve(ctx, r, func(ctx context.Context) error { p.runs(); return p.keep(ctx, nil) })
	}
	return p.serve(ctx, r, p.runAlone)
}

// runShared is the daemon on a database that nodes share.
func (p *publication) runShared(ctx context.Context, r roles) error {
	if err := p.upgrade(ctx); err != nil {
		return err
	}
	if p.mirrors = !r.noWeb; p.mirrors {
		if err := p.claimForLife(ctx); err != nil {
			return err
		}
		if p.output != nil {
			defer func() { _ = p.output.Release() }() // as the end of the process does
		}
	}
	if r.noSend {
		return p.serve(ctx, r, p.runMute)
	}
	return p.serve(ctx, r, p.runNode)
}

// serve works beside the web server, if there is one.
func (p *publication) serve(ctx context.Context, r roles, work func(context.Context) error) error {
	var server *web.Server
	if p.Web.Listen != "" && !r.noWeb {
		if err := p.serves(ctx); err != nil {
			return err
		}
		hooks, err := p.webhooks()
		if err != nil {
			return err
		}
		extra := map[string]http.Handler{calendarPath: http.HandlerFunc(p.serveCalendar)}
		maps.Copy(extra, hooks)
		handler, err := p.web(ctx, extra)
		if err != nil {
			return err
		}
		if server, err = p.listen(ctx, handler); err != nil {
			return err
		}
	}
	post, err := p.listenForMail(ctx)
	if err != nil {
		return err
	}
	if post == nil {
		return p.daemon(ctx, server, work)
	}
	return p.daemon(ctx, server, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return post.Serve(ctx) })
		group.Go(func() error { return work(ctx) })
		return group.Wait()
	})
}

// listen takes the address of the web server, with TLS where it gets its own
// certificates.
func (p *publication) listen(ctx context.Context, h http.Handler) (*web.Server, error) {
	if p.Web.TLS != "auto" {
		server, err := web.Listen(ctx, p.Web.Listen, h, p.log)
		if err == nil {
			p.log.Info("web server", "address", "http://"+server.Addr()+"/")
		}
		return server, err
	}
	c := web.Certificates{Hosts: p.hosts(), Email: p.Web.ACMEEmail, Directory: p.Web.ACMEDirectory, Store: p.store}
	if host, port, err := net.SplitHostPort(p.Web.Listen); err == nil && port == "443" {
		c.Plain = net.JoinHostPort(host, "80")
	}
	server, err := web.ListenTLS(ctx, p.Web.Listen, c, h, p.log)
	if err == nil {
		p.log.Info("web server", "address", "https://"+server.Addr()+"/", "hosts", c.Hosts)
	}
	return server, err
}

// hosts are the names by which readers come: now, by the addresses in mails, and
// by those of before.
func (p *publication) hosts() []string {
	var list []string
	for _, address := range append([]string{p.Publication.URL, p.Web.URL}, p.Publication.FormerURLs...) {
		u, err := url.Parse(address)
		if err != nil {
			continue
		}
		host, err := idna.Lookup.ToASCII(u.Hostname())
		if err == nil && !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	return list
}

// waitForLock takes the lock, and waits while a `publish` holds it; a second
// daemon is refused.
func (p *publication) waitForLock(ctx context.Context) (*holding, error) {
	tick := time.NewTicker(followLook)
	defer tick.Stop()
	for told := false; ; told = true {
		lock, err := p.lock(ctx, "run")
		locked, busy := errors.AsType[*store.LockedError](err)
		if !busy {
			return lock, err
		}
		if locked.Holder.Command == "run" || locked.Holder.Command == "demo" {
			return nil, fmt.Errorf("%w; a second daemon would only be in its way", err)
		}
		if !told {
			p.log.Info("waiting until the publication is free", "holder", locked.Holder.String())
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, errInterrupted
		}
	}
}

// web is the handler of the publication's web server; extra handlers stand
// below their paths.
func (p *publication) web(ctx context.Context, extra map[string]http.Handler) (http.Handler, error) {
	if _, err := p.templates(); err != nil {
		return nil, err
	}
	id, err := p.store.PublicationID(ctx)
	if err != nil {
		return nil, err
	}
	counted := metrics.New(metrics.Options{Version: version, Read: p.figures, Log: p.log})
	return web.New(web.Options{
		Dir:         p.Path(p.Output),
		Publication: p.facts,
		Templates:   p.loaded.Load, // the site reads them anew when they change
		Hubs:        p.Feeds.Hub,
		Audience:    p.audience,
		SignUps:     p.signUps,
		Reviews:     p.reviews(),
		Next:        func() time.Time { return p.publisher.NextIssue() },
		Log:         p.log,
		Ready:       p.ready,
		Search:      p.store,
		Tags:        p.publisher.Tags,
		Extra:       extra,

		TrustedProxies: p.Web.TrustedProxies,
		MetricsFrom:    p.Web.MetricsFrom,
		AdminFrom:      p.Web.AdminFrom,
		Strict:         p.Web.TLS == "auto",
		Metrics:        counted.Handler(),
		Observe:        counted.Observe,
		AccessLog:      p.Web.AccessLog == "on",
		Health:         web.Health{Publication: id, URL: p.facts.URL},
	}), nil
}

// figures are the numbers that /metrics shows.
func (p *publication) figures(ctx context.Context) (newsletter.Figures, error) {
	f, err := p.store.Figures(ctx)
	if err != nil {
		return f, err
	}
	now := time.Now()
	next, due, err := p.publisher.NextSlot(ctx, now)
	if err != nil {
		return f, err
	}
	if f.NextSlot = next; due != nil { // and late
		f.NextSlot = due.Due
	}
	c, err := p.publisher.Catalogue(ctx)
	ready, waiting := c.Left(now)
	f.ThreadsLeft = ready + waiting
	return f, err
}

// ready tells what keeps the daemon from its work.
func (p *publication) ready(ctx context.Context) error {
	warnings, err := p.store.Warnings(ctx)
	if err != nil {
		return errors.New("the database cannot be read")
	}
	var kinds []string
	for _, w := range warnings {
		kinds = append(kinds, w.Kind)
	}
	if len(kinds) > 0 {
		return errors.New("warnings stand: " + strings.Join(kinds, ", "))
	}
	if p.mirrors && !p.shown.Load() {
		return errors.New("the site is not written yet")
	}
	return nil
}

// daemon runs schedule, sender and web server until ctx is done or one of them
// fails. The caller holds the lock, or shares the database with other nodes.
func (p *publication) daemon(ctx context.Context, server *web.Server, work func(context.Context) error) error {
	outer := ctx
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return work(ctx) })
	group.Go(func() error { p.supervised(ctx); return nil })
	if p.signer != nil {
		group.Go(func() error { onHangup(ctx, p.renewKeys); return nil })
	}
	if server != nil {
		group.Go(func() error { return server.Serve(ctx) })
	}
	err := group.Wait()
	p.log.Info("threadmill stopped")
	return orLost(outer, err)
}

// orLost is err, or that the lock was lost, which ends work in order.
func orLost(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err == nil && errors.Is(cause, store.ErrLockLost) {
		return cause
	}
	return err
}

// runs says that the daemon is at work.
func (p *publication) runs() {
	p.log.Info("threadmill runs", "version", version, "publication", p.facts.Title)
}

// runAlone is the daemon as the only one that sends.
func (p *publication) runAlone(ctx context.Context) error {
	return p.asNode(ctx, func(ctx context.Context, sender *deliver.Sender) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return sender.Run(ctx) })
		group.Go(func() error { return p.keep(ctx, sender) })
		p.runs()
		return group.Wait()
	})
}

// keep does what is done once for the publication, as the holder of the lock,
// until ctx is done or a part of it fails; without a sender it sends no mail and
// tells the operator nothing.
func (p *publication) keep(ctx context.Context, sender *deliver.Sender) error {
	group, ctx := errgroup.WithContext(ctx)
	released, again := func() {}, func() {}
	if sender != nil {
		released, again = p.keepSending(ctx, group, sender)
	}
	reload := make(chan struct{}, 1)
	after := p.afterSite(ctx, group)
	group.Go(func() error {
		wake := publish.Signals{Reload: reload, Notice: p.notice}
		return p.publisher.Run(ctx, wake, func() { p.showsSite(); released(); after() })
	})
	group.Go(func() error { onHangup(ctx, func() { again(); askFor(reload) }); return nil })
	group.Go(func() error { p.codings.Run(ctx); return nil })
	group.Go(func() error { p.followIssues(ctx); return nil })
	group.Go(func() error { p.keepAnswers(ctx); return nil })
	p.keepInbound(ctx, group)
	p.keepBackups(ctx, group)
	return group.Wait()
}

// showsSite notes that the output folder was written.
func (p *publication) showsSite() { p.shown.Store(true) }

// onHangup does something at each SIGHUP, until ctx is done.
func onHangup(ctx context.Context, do func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	for {
		select {
		case <-hup:
			do()
		case <-ctx.Done():
			return
		}
	}
}

// askFor leaves word on a channel that holds one, unless there is some.
func askFor(what chan<- struct{}) {
	select {
	case what <- struct{}{}:
	default:
	}
}

// keepSending does what a sender needs done once for the publication. released
// wakes the sender, and again looks whether the warnings still stand.
func (p *publication) keepSending(ctx context.Context, group *errgroup.Group, sender *deliver.Sender) (released, again func()) {
	sender.Keep()
	group.Go(func() error { p.copies(ctx, sender); return nil })
	group.Go(func() error { p.keepRate(ctx, sender); return nil })
	group.Go(func() error { p.letters(sender).Run(ctx); return nil })
	operator := p.operator(sender)
	group.Go(func() error { operator.Run(ctx, ctx); return nil })
	group.Go(func() error { p.keepReviews(ctx, sender); return nil })
	return sender.Wake, operator.Again
}
