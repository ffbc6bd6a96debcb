package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"threadmill/internal/mailbox"
	"threadmill/internal/newsletter"
	"threadmill/internal/web"
	"threadmill/threads"
)

// demoReaders are the subscribers of the demo.
var demoReaders = []struct{ address, name string }{
	{"ada@example.com", "Ada"},
	{"grace@example.org", "Grace O’Hopper"},
	{"zoe@bücher.example", "Zoë 📚"},
}

func (a *app) demoCommand() *cobra.Command {
	var addr, dir string
	var once bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show all of it on this machine, with no set-up",
		Long: `Demo publishes sample threads to a mail server of its own, which keeps what it
gets. Pages, feeds and mails stand at the printed address, and a new issue
appears every few seconds. With --once it publishes one issue and ends.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.demo(cmd.Context(), addr, dir, once) },
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "the web server's `address`; port 0 takes a free one")
	cmd.Flags().StringVar(&dir, "dir", "", "keep everything in this `folder` instead of a new temporary one")
	cmd.Flags().BoolVar(&once, "once", false, "publish one issue, tell where everything is, and end")
	return cmd
}

func (a *app) demo(ctx context.Context, addr, dir string, once bool) (err error) {
	if dir == "" {
		if dir, err = os.MkdirTemp("", "threadmill-demo-*"); err != nil {
			return err
		}
	}
	log := a.log(slog.LevelWarn)
	box, err := mailbox.Listen(ctx, "127.0.0.1:0", filepath.Join(dir, "mail"), log)
	if err != nil {
		return err
	}
	defer box.Close()
	if once {
		p, err := a.demoPublication(ctx, dir, addr, box)
		if err != nil {
			return err
		}
		defer p.close()
		return a.demoOnce(ctx, p, dir, box)
	}
	var site http.Handler
	server, err := web.Listen(ctx, addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { site.ServeHTTP(w, r) }), log)
	if err != nil {
		return fmt.Errorf("%w (--addr 127.0.0.1:0 takes a free port)", err)
	}
	p, err := a.demoPublication(ctx, dir, server.Addr(), box)
	if err != nil {
		return err
	}
	defer p.close()
	if err := p.serves(ctx); err != nil {
		return err
	}
	if site, err = p.web(ctx, map[string]http.Handler{"/mail/": box.Handler(), "/" + manualPath: p.manual()}); err != nil {
		return err
	}
	lock, err := p.waitForLock(ctx)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	ctx, stop := lock.Context(ctx)
	defer stop()
	if _, err := p.publisher.PublishNow(ctx, "", false); err != nil { // something to see at once
		return err
	}
	a.printDemo(server.Addr(), dir)
	return p.daemon(ctx, server, p.runAlone)
}

// demoPublication makes a whole publication in dir, as its author would have.
func (a *app) demoPublication(ctx context.Context, dir, addr string, box *mailbox.Mailbox) (*publication, error) {
	_, port, err := net.SplitHostPort(box.Addr())
	if err != nil {
		return nil, err
	}
	a.config = filepath.Join(dir, "config.yaml")
	switch old, err := os.ReadFile(a.config); {
	case err == nil && !strings.HasPrefix(string(old), demoMark):
		return nil, &usageError{fmt.Errorf("--dir %s: there is a publication already; name another folder", dir)}
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if err := os.WriteFile(a.config, fmt.Appendf(nil, demoConfig, addr, port), 0o600); err != nil {
		return nil, err
	}
	if err := copyNew(threads.FS, filepath.Join(dir, "threads"), func(name string) bool { return filepath.Ext(name) != ".go" }); err != nil {
		return nil, fmt.Errorf("write the sample threads: %w", err)
	}
	p, err := a.open(ctx, slog.LevelWarn, true)
	if err != nil {
		return nil, err
	}
	p.private = true
	if err := p.upgrade(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	for _, r := range demoReaders {
		if _, _, err := p.audience.Add(ctx, r.address, r.name, nil); err != nil {
			return nil, errors.Join(err, p.close())
		}
	}
	return p, nil
}

// demoMark begins the config of a demo, which the next one may replace.
const demoMark = "# Written by threadmill demo.\n"

const demoConfig = demoMark + `publication:
  title: The Workbench
  description: Short threads about how things are made, and why they work.
  url: http://%s
  author: {name: "The Workbench", email: editor@workbench.example}
  address: 1 Sample Lane, Exampleton
schedule: {cron: "@every 5s"}
audience: {welcome: latest}
mail:
  from: The Workbench <editor@workbench.example>
  smtp: {host: 127.0.0.1, port: %s, tls: none, connections: 2}
`

// demoOnce publishes one issue and tells what became of it.
func (a *app) demoOnce(ctx context.Context, p *publication, dir string, box *mailbox.Mailbox) error {
	lock, err := p.lock(ctx, "demo")
	if err != nil {
		return err
	}
	defer lock.Unlock()
	outcome, err := p.publisher.PublishNow(ctx, "", false)
	if err != nil {
		return err
	}
	if outcome.Issue == nil {
		return errors.New("nothing was published: " + outcome.Reason)
	}
	if _, err := p.finish(ctx, time.Minute); err != nil {
		return err
	}
	public := p.Path(p.Output)
	first := outcome.Issue.Threads[0]
	printLines(a.stdout,
		fmt.Sprintf("Issue %d   “%s” (%s)", outcome.Issue.Number, outcome.Issue.Title, first.Counts()),
		fmt.Sprintf("Mail      %s accepted by the SMTP server at %s", plural(box.Count(), "message"), box.Addr()),
		"Page      "+filepath.Join(public, filepath.FromSlash(first.Path()), "index.html"),
		"Archive   "+filepath.Join(public, "index.html"),
		"RSS       "+filepath.Join(public, "feed.xml"),
		"Atom      "+filepath.Join(public, "atom.xml"),
		"JSON Feed "+filepath.Join(public, "feed.json"))
	for _, f := range box.Files() {
		fmt.Fprintln(a.stdout, "Mail      "+f)
	}
	fmt.Fprintf(a.stdout, "\nAll of it stays in %s; `threadmill --config %s status` works there.\n", dir, a.config)
	return p.demoComplete(ctx, outcome.Issue, box)
}

// demoComplete makes sure that the demo showed what it says.
func (p *publication) demoComplete(ctx context.Context, issue *newsletter.Issue, box *mailbox.Mailbox) error {
	row, err := p.store.Issue(ctx, issue.Number)
	if err != nil {
		return err
	}
	if row.Sent != row.Recipients || box.Count() < row.Recipients {
		return fmt.Errorf("%d of %d messages were sent: %w", row.Sent, row.Recipients, errPartly)
	}
	return nil
}

func (a *app) printDemo(addr, dir string) {
	base := "http://" + addr + "/"
	printLines(a.stdout,
		"Archive   "+base,
		"Feeds     "+strings.Join([]string{base + "feed.xml", base + "atom.xml", base + "feed.json"}, "  "),
		"Mails     "+base+"mail/",
		"Sign up   "+base+"subscribe/ with any address; the mail that asks you to confirm is among the mails",
		"Manual    "+base+manualPath,
		"Folder    "+dir,
		"",
		"A new issue goes out every five seconds while threads are left. Ctrl-C ends the demo.")
}
