package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"threadmill/internal/audience"
	"threadmill/internal/config"
	"threadmill/internal/deliver"
	"threadmill/internal/mail"
	"threadmill/internal/newsletter"
	"threadmill/internal/publish"
	"threadmill/internal/render"
	"threadmill/internal/schedule"
	"threadmill/internal/site"
	"threadmill/internal/store"
	"threadmill/internal/thread"
	"threadmill/templates"
)

// publication is an opened publication: its config and database, and the
// parts made from them.
type publication struct {
	config.Config
	configFile string
	stderr     io.Writer
	log        *slog.Logger
	private    bool // nobody else can know of it: a demo, a rehearsal
	older      bool // the schema must be migrated before use
	store      *store.Store
	facts      newsletter.Publication
	logoFile   []byte // nil for a logo elsewhere, or none
	schedule   *schedule.Schedule
	reader     thread.Reader
	tokens     *audience.Tokens
	idKey      []byte
	signer     *mail.Signer // of ReadyToSend
	exposed    error        // files of its keys that others can read
	audience   *audience.Audience
	signUps    *audience.SignUps // nil where no mail is sent
	reports    *audience.Reports
	publisher  *publish.Publisher
	codings    *site.Compressor
	keeper     atomic.Bool                      // this process holds the lock, among many nodes
	plans      site.Plans                       // for pictures, of every folder that is written
	loaded     atomic.Pointer[render.Templates] // as they were read last without a fault

	output  *site.Claim     // of a process that has its output folder as long as it runs
	mirrors bool            // it keeps that up whoever keeps the publication
	shown   atomic.Bool     // it has done so
	notice  <-chan struct{} // the site changed, where the database tells

	supervisor supervisor // of the daemon
}

// open opens the publication of the config file. Only a command that may
// migrate opens an older database.
func (a *app) open(ctx context.Context, level slog.Level, mayMigrate bool) (*publication, error) {
	cfg, err := config.Load(a.config, a.env)
	if err != nil {
		return nil, err
	}
	log := a.log(level)
	for _, w := range cfg.Warnings {
		fmt.Fprintf(a.stderr, "threadmill: warning: %s\n", w)
	}
	p := &publication{Config: cfg, configFile: a.config, stderr: a.stderr, log: log}
	if err := p.settle(); err != nil {
		return nil, err
	}
	p.store, err = store.Open(ctx, cfg.DatabaseSource(), log)
	p.older = errors.Is(err, store.ErrOlder)
	if err != nil && !(p.older && mayMigrate) {
		if p.store != nil {
			err = errors.Join(err, p.store.Close())
		}
		return nil, err
	}
	if p.older { // the keys are read after the migration
		return p, nil
	}
	if err := p.join(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// withStore opens the publication for a command that leaves the lock alone.
func (a *app) withStore(ctx context.Context, fn func(*publication) error) error {
	p, err := a.open(ctx, slog.LevelWarn, false)
	if err != nil {
		return err
	}
	defer p.close()
	return fn(p)
}

func (p *publication) close() error { return p.store.Close() }

// settle turns the config into what the parts want.
func (p *publication) settle() error {
	zone, err := time.LoadLocation(p.Schedule.Timezone)
	if err != nil {
		return p.wrong("schedule.timezone", err)
	}
	if p.Schedule.Cron != "" {
		if p.schedule, err = schedule.Parse(p.Schedule.Cron, p.Schedule.Timezone); err != nil {
			return p.wrong("schedule.cron", err)
		}
	}
	pub := p.Publication
	p.facts = newsletter.Publication{
		Title:       pub.Title,
		Description: pub.Description,
		URL:         pub.URL,
		FormerURLs:  pub.FormerURLs,
		Language:    pub.Language,
		Author:      newsletter.Person(pub.Author),
		Address:     pub.Address,
		Accent:      pub.Accent,
		Colors:      newsletter.Colors(pub.Colors),
		Header:      pub.Header,
		Footer:      pub.Footer,
		Zone:        zone,
	}
	if p.facts.Logo, p.logoFile, err = p.logo(); err != nil {
		return p.wrong("publication.logo", err)
	}
	if p.facts.About, err = p.about(); err != nil {
		return p.wrong("publication.about", err)
	}
	if dir := p.Path(p.Templates); dir != "" {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return p.wrong("templates", fmt.Errorf("there is no folder %s; `threadmill init --templates` writes one", dir))
		}
	}
	if p.Backup.Every > 0 && strings.Contains(p.DatabaseSource(), "://") {
		return p.wrong("backup.every", errors.New("PostgreSQL is backed up by its own tools, such as pg_dump; leave the key out"))
	}
	p.codings = site.NewCompressor(p.Path(p.Output), p.log)
	p.reader = thread.Reader{Dir: p.Path(p.Threads), Label: filepath.ToSlash(filepath.Clean(p.Threads)), Zone: zone, Memory: thread.NewMemory()}
	return nil
}

// maxAbout bounds the text about the publication, in bytes.
const maxAbout = 256 << 10

// about reads the text about the publication, empty where there is none.
func (p *publication) about() (string, error) {
	if p.Publication.About == "" {
		return "", nil
	}
	f, err := os.Open(p.Path(p.Publication.About))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no file %s; write it or leave the key out", p.Publication.About)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAbout+1))
	if err == nil && len(text) > maxAbout {
		err = fmt.Errorf("%s is longer than %d KB", p.Publication.About, maxAbout>>10)
	}
	return string(text), err
}

// privacy is what the page about privacy has from the configuration.
func (p *publication) privacy() render.Privacy {
	f := render.Privacy{Mail: p.Mail.From != "", ByMail: p.Mail.Unsubscribe == "mailto"}
	if p.Mail.Transport == "smtp" {
		f.Relay = p.Mail.SMTP.Host
	}
	f.Months, f.Days = p.Privacy.KeepDeliveries.Length()
	return f
}

// wrong is an error in the value of a config key, with its place.
func (p *publication) wrong(key string, err error) error {
	return &usageError{fmt.Errorf("%s: %s: %w", p.Position(key), key, err)}
}

// join makes the parts that need the database.
func (p *publication) join(ctx context.Context) error {
	tokens, err := p.store.Keys(ctx, store.KeyTokens)
	if err != nil {
		return err
	}
	ids, err := p.store.Keys(ctx, store.KeyMessageIDs)
	if err != nil {
		return err
	}
	var keys []audience.Key
	for _, k := range tokens {
		keys = append(keys, audience.Key(k))
	}
	p.tokens = audience.NewTokens(keys[0], keys[1:]...)
	p.idKey = ids[len(ids)-1].Secret
	p.audience = audience.New(p.store, p.tokens)
	p.signUps = p.newSignUps()
	p.reports = p.newReports()
	if p.facts.Search, p.facts.SignUp, err = p.forms(ctx); err != nil {
		return err
	}
	catchUp, err := schedule.ParseCatchUp(p.Schedule.CatchUp)
	if err != nil {
		return p.wrong("schedule.catch_up", err)
	}
	except, err := schedule.ParseExcept(p.Schedule.Except, p.facts.Zone)
	if err != nil {
		return p.wrong("schedule.except", err)
	}
	o := publish.Options{
		Store:           p.store,
		Parse:           p.reader.Parse,
		Place:           p.place(),
		Publication:     p.facts,
		Templates:       p.templates,
		Site:            p.site,
		Expression:      p.Schedule.Cron,
		CatchUp:         catchUp,
		Except:          except,
		Order:           newsletter.Order(p.Schedule.Order),
		ThreadsPerIssue: p.Schedule.ThreadsPerIssue,
		To:              newsletter.Segment(p.Audience.To),
		SendMissed:      p.Schedule.WhenEmpty == "missed",
		Batch:           p.Delivery.Batch,
		Grace:           p.Delivery.Grace,
		Letterhead:      p.letterhead(),
		EmbedPictures:   p.Mail.Images == "embedded",
		MayMail:         p.mayMail,
		MayPublish:      p.mayPublish,
		MaySend:         p.maySend,
		MayWrite:        p.mayWrite,
		Hooks:           p.hooks(),
		Log:             p.log,
	}
	if p.Threads != "" {
		o.Folder = p.reader
	}
	if p.Privacy.KeepDeliveries != "" {
		o.Folds = p.Privacy.KeepDeliveries.Before
	}
	if p.schedule != nil { // a nil *Schedule in the interface would not be nil
		o.Schedule = p.schedule
	}
	p.publisher = publish.New(o)
	return nil
}

// forms is where the forms of the pages go, empty for no form: run answers
// them, and a site that is only put onto a static host has nobody who does. So it
// takes a word about the web server in the config, or that run has served the
// publication. Which process writes the site makes no difference.
func (p *publication) forms(ctx context.Context) (search, signUp string, err error) {
	if p.Web.Listen == "" {
		return "", "", nil
	}
	if !p.Given("web.listen") && !p.Given("web.url") {
		if served, err := p.store.Served(ctx); err != nil || !served {
			return "", "", err
		}
	}
	search = p.Web.URL + "/search"
	if p.signUps != nil {
		signUp = p.Web.URL + "/subscribe"
	}
	return search, signUp, nil
}

// serves notes that run serves the publication.
func (p *publication) serves(ctx context.Context) error {
	served, err := p.store.Served(ctx)
	if err != nil || served {
		return err
	}
	if err := p.store.NoteServed(ctx); err != nil {
		return err
	}
	return p.join(ctx)
}

func (p *publication) templates() (*render.Templates, error) {
	var override fs.FS
	if p.Templates != "" {
		override = os.DirFS(p.Path(p.Templates))
	}
	t, err := render.Load(override, templates.FS)
	if err == nil {
		p.loaded.Store(t)
	}
	return t, err
}

// day is a day as mails write it.
func (p *publication) day(t time.Time) string {
	words := p.loaded.Load()
	if words == nil {
		var err error
		if words, err = p.templates(); err != nil {
			return t.In(p.facts.Zone).Format(time.DateOnly)
		}
	}
	return words.Date(p.facts, t)
}

func (p *publication) site(t *render.Templates, dir string) *site.Site {
	codings := p.codings
	if dir != "" {
		codings = nil
	}
	facts := p.facts
	if about, err := p.about(); err == nil { // as it is now, like the threads
		facts.About = about
	} else {
		p.log.Warn("the page about the publication shows what it said at the start", "err", err)
	}
	return site.New(site.Options{
		Dir:         cmp.Or(dir, p.Path(p.Output)),
		Compressor:  codings,
		Publication: facts,
		Logo:        p.logoFile,
		Templates:   t,
		Privacy:     p.privacy(),
		FeedItems:   p.Feeds.Items,
		FeedBytes:   int(p.Feeds.MaxBytes),
		Hubs:        p.Feeds.Hub,
		OpenAsset: func(ctx context.Context, t newsletter.Thread, name string) (io.ReadCloser, string, error) {
			if dir != "" && t.File != "" && p.Threads != "" { // a preview shows what the folder holds
				if f, err := p.reader.OpenAsset(t, name); err == nil {
					return f, "", nil
				}
			}
			return p.store.OpenAsset(ctx, t.ID, name)
		},
		Plans: &p.plans,
		Log:   p.log,
	})
}

func (p *publication) letterhead() publish.Letterhead {
	l := publish.Letterhead{Headers: p.Mail.Headers, Greeting: p.Mail.Greeting == "on"}
	l.From, l.ReplyTo = asciiAddress(p.Mail.From), asciiAddress(p.Mail.ReplyTo)
	l.ReturnPath = p.returnPath(l.From.Address)
	if p.Mail.Unsubscribe == "mailto" {
		to := cmp.Or(l.ReplyTo.Address, l.From.Address)
		l.UnsubscribeURL = "mailto:" + url.PathEscape(to) + "?subject=unsubscribe%20"
		return l
	}
	l.UnsubscribeURL, l.PreferencesURL = p.Web.URL+"/unsubscribe/", p.Web.URL+"/preferences/"
	l.OneClick = true
	return l
}

// asciiAddress reads an address that config has checked; one of an international
// domain as it stands in a header and in an envelope (RFC 5890, section 2.3.2.1).
func asciiAddress(text string) netmail.Address {
	read, err := netmail.ParseAddress(text)
	if err != nil {
		return netmail.Address{}
	}
	if ascii, err := audience.ParseAddress(read.Address); err == nil {
		read.Address = ascii.Email
	}
	return *read
}

// returnPath is the envelope sender as mail.bounce asks for it.
func (p *publication) returnPath(from string) mail.ReturnPath {
	address := from
	switch p.Mail.Bounce.Mode {
	case "plus":
	case "verp":
		address = asciiAddress("bounce@" + p.Mail.Bounce.Domain).Address
	default:
		return mail.ReturnPath(from)
	}
	path, err := mail.Tokened(address)
	if err != nil { // config has checked its length
		return mail.ReturnPath(from)
	}
	return path
}

func (p *publication) transport() mail.Transport {
	if p.Mail.Transport == "folder" {
		return p.signing(mail.NewFolder(p.Path(p.Mail.Folder)))
	}
	return p.signing(mail.NewSMTP(p.relay()))
}

func (p *publication) relay() mail.SMTPOptions {
	s := p.Mail.SMTP
	return mail.SMTPOptions{
		Host:                  s.Host,
		Port:                  s.Port,
		Username:              s.Username,
		Password:              s.Password.Reveal(),
		TLS:                   s.TLS,
		Timeout:               s.Timeout,
		FinalTimeout:          s.FinalTimeout,
		MessagesPerConnection: s.MessagesPerConnection,
		LocalName:             p.facts.Host(),
	}
}

// sender makes the one who sends the mail in a database; shared is nil
// where this process is the only one.
func (p *publication) sender(mail deliver.Store, engine deliver.Engine) *deliver.Sender {
	return deliver.New(deliver.Options{
		Store:        mail,
		Shared:       engine != nil,
		Engine:       engine,
		Transport:    p.transport(),
		Token:        p.tokens.Sign,
		BounceToken:  p.tokens.SignBounce,
		MessageIDKey: p.idKey,
		Day:          p.day,
		Connections:  p.Mail.SMTP.Connections,
		Rate:         p.Mail.Rate,
		Daily:        p.Mail.Daily,
		Retry:        deliver.Retry(p.Delivery.Retry),
		Probes:       deliver.ProbesAfter(p.Delivery.Probe),
		Resend:       p.resend(),
		StopTimeout:  p.Delivery.StopTimeout,
		Zone:         p.facts.Zone,
		Log:          p.log,
	})
}

// migrate brings an older database up to date. On SQLite only the holder of the
// lock may.
func (p *publication) migrate(ctx context.Context) error {
	if !p.older {
		return nil
	}
	copied, err := p.store.Migrate(ctx)
	if err != nil {
		return err
	}
	p.log.Info("database migrated", "copy", copied)
	p.older = false
	return p.join(ctx)
}

// upgrade brings an older database up to date, for a command that does not
// hold the lock yet. Where nodes of the older version are at work they go on.
func (p *publication) upgrade(ctx context.Context) error {
	if !p.older || p.store.Shared() {
		return p.migrate(ctx)
	}
	l, err := p.lock(ctx, migrating)
	if err != nil {
		return fmt.Errorf("%w, and its database must be migrated first; stop it and start it again", err)
	}
	return l.Unlock()
}

// place names this node's output folder in the database, where there may be
// more than one. Beside a database that is a file there is one.
func (p *publication) place() string {
	if !p.store.Shared() {
		return ""
	}
	output := p.Path(p.Output)
	if abs, err := filepath.Abs(output); err == nil {
		output = abs
	}
	host, _ := os.Hostname() // one without a name is told apart by its folder
	return host + ":" + output
}
