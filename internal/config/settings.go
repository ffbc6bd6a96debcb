package config

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// setting is one key with its value in a Config.
type setting struct {
	key  string                  // dotted
	set  func(text string) error // parses, checks and stores a value
	raw  func() string           // the value as set takes it, secrets in clear
	show func() string           // the same with secrets redacted
	list bool                    // the file may give a list; set gets its values with spaces between
}

// headersKey is the section whose names are free; see Mail.setHeader.
const headersKey = "mail.headers"

// settings is the table of all keys in the order of config.example.yaml, with
// those of mail.headers that c has.
func (c *Config) settings() []setting {
	return slices.Concat(c.siteSettings(), c.mailSettings(), c.headerSettings(), c.sendingSettings(), c.audienceSettings(), c.servingSettings())
}

func (c *Config) siteSettings() []setting {
	p, s := &c.Publication, &c.Schedule
	return []setting{
		bind("publication.title", &p.Title, parseLine),
		bind("publication.url", &p.URL, parseURL),
		listed(bind("publication.former_urls", &p.FormerURLs, parseFormerURLs)),
		bind("publication.description", &p.Description, parseLine),
		bind("publication.language", &p.Language, parseLanguage),
		bind("publication.author.name", &p.Author.Name, parseLine),
		bind("publication.author.email", &p.Author.Email, parseAddress),
		bind("publication.author.url", &p.Author.URL, parseURL),
		bind("publication.author.bio", &p.Author.Bio, parseLine),
		bind("publication.address", &p.Address, parseLine),
		bind("publication.accent", &p.Accent, parseColour),
		bind("publication.colors.ground", &p.Colors.Ground, parseColour),
		bind("publication.colors.ink", &p.Colors.Ink, parseColour),
		bind("publication.colors.ground_dark", &p.Colors.GroundDark, parseColour),
		bind("publication.colors.ink_dark", &p.Colors.InkDark, parseColour),
		bind("publication.logo", &p.Logo, parseLogo),
		bind("publication.header", &p.Header, parseLine),
		bind("publication.footer", &p.Footer, parseLine),
		bind("publication.about", &p.About, parseOptionalPath),

		bind("threads", &c.Threads, parseOptionalPath),
		bind("templates", &c.Templates, parseOptionalPath),
		bind("output", &c.Output, parsePath),
		bind("database", &c.Database, parseDatabase),
		bind("database_file", &c.DatabaseFile, parseOptionalPath),

		bind("schedule.cron", &s.Cron, parseLine),
		bind("schedule.timezone", &s.Timezone, parseZone),
		bind("schedule.catch_up", &s.CatchUp, parseCatchUp),
		bind("schedule.order", &s.Order, oneOf("oldest", "newest", "name", "list")),
		bind("schedule.threads_per_issue", &s.ThreadsPerIssue, integer(1, 50)),
		bind("schedule.when_empty", &s.WhenEmpty, oneOf("wait", "missed")),
		listed(bind("schedule.except", &s.Except, parseDays)),
	}
}

func (c *Config) mailSettings() []setting {
	m, s, i := &c.Mail, &c.Mail.SMTP, &c.Mail.Bounce.IMAP
	return []setting{
		bind("mail.from", &m.From, parseMailbox),
		bind("mail.reply_to", &m.ReplyTo, parseMailbox),
		bind("mail.transport", &m.Transport, oneOf("smtp", "folder")),
		bind("mail.folder", &m.Folder, parsePath),
		bind("mail.provider", &m.Provider, parseProvider),
		bind("mail.region", &m.Region, parseRegion),
		bind("mail.smtp.host", &s.Host, parseHost),
		bind("mail.smtp.port", &s.Port, integer(1, 65535)),
		bind("mail.smtp.username", &s.Username, parseLine),
		bind("mail.smtp.password", &s.Password, parseSecret),
		bind("mail.smtp.password_file", &s.PasswordFile, parseOptionalPath),
		bind("mail.smtp.tls", &s.TLS, oneOf("mandatory", "opportunistic", "implicit", "none")),
		bind("mail.smtp.connections", &s.Connections, integer(1, 1000)),
		bind("mail.smtp.max_connections", &s.MaxConnections, integer(0, 100_000)),
		bind("mail.smtp.messages_per_connection", &s.MessagesPerConnection, integer(0, 1_000_000)),
		bind("mail.smtp.timeout", &s.Timeout, parseDuration),
		bind("mail.smtp.final_timeout", &s.FinalTimeout, parseDuration),
		bind("mail.rate", &m.Rate, number(0, 100_000)),
		bind("mail.daily", &m.Daily, integer(0, 1_000_000_000)),
		bind("mail.bounce.mode", &m.Bounce.Mode, oneOf("from", "plus", "verp")),
		bind("mail.bounce.domain", &m.Bounce.Domain, parseMailDomain),
		bind("mail.bounce.suppress_after", &m.Bounce.SuppressAfter, integer(0, 1000)),
		bind("mail.bounce.listen", &m.Bounce.Listen, parseListen),
		bind("mail.bounce.maildir", &m.Bounce.Maildir, parseOptionalPath),
		bind("mail.bounce.imap.host", &i.Host, parseHost),
		bind("mail.bounce.imap.port", &i.Port, integer(1, 65535)),
		bind("mail.bounce.imap.username", &i.Username, parseLine),
		bind("mail.bounce.imap.password", &i.Password, parseSecret),
		bind("mail.bounce.imap.password_file", &i.PasswordFile, parseOptionalPath),
		bind("mail.bounce.imap.folder", &i.Folder, parseLine),
		bind("mail.bounce.imap.tls", &i.TLS, oneOf("implicit", "mandatory", "none")),
		bind("mail.webhooks.ses", &m.Webhooks.SES, parseTopic),
		bind("mail.webhooks.postmark", &m.Webhooks.Postmark, parseSecret),
		bind("mail.webhooks.postmark_file", &m.Webhooks.PostmarkFile, parseOptionalPath),
		bind("mail.webhooks.mailgun", &m.Webhooks.Mailgun, parseSecret),
		bind("mail.webhooks.mailgun_file", &m.Webhooks.MailgunFile, parseOptionalPath),
		bind("mail.webhooks.sendgrid", &m.Webhooks.SendGrid, parsePublicKey),
		bind("mail.unsubscribe", &m.Unsubscribe, oneOf("https", "mailto")),
		bind(dkimKey, &m.DKIM, parseDKIM),
		bind("mail.images", &m.Images, oneOf("hosted", "embedded")),
		bind("mail.greeting", &m.Greeting, oneOf("on", "off")),
	}
}

// headerSettings are the names of mail.headers in alphabetical order.
func (c *Config) headerSettings() []setting {
	var settings []setting
	for _, name := range slices.Sorted(maps.Keys(c.Mail.Headers)) {
		value := c.Mail.Headers[name]
		text := func() string { return value }
		set := func(text string) error { return c.Mail.setHeader(name, text) }
		settings = append(settings, setting{key: headersKey + "." + name, set: set, raw: text, show: text})
	}
	return settings
}

func (c *Config) sendingSettings() []setting {
	d := &c.Delivery
	return []setting{
		bind("delivery.batch", &d.Batch, integer(1, 10_000)),
		bind("delivery.grace", &d.Grace, parseGrace),
		bind("delivery.retry.first", &d.Retry.First, parseDuration),
		bind("delivery.retry.max", &d.Retry.Max, parseDuration),
		bind("delivery.retry.give_up", &d.Retry.GiveUp, parseDuration),
		bind("delivery.probe", &d.Probe, parseDuration),
		bind("delivery.in_doubt", &d.InDoubt, oneOf("resend", "hold")),
		bind("delivery.stop_timeout", &d.StopTimeout, parseDuration),
	}
}

func (c *Config) audienceSettings() []setting {
	a, l := &c.Audience, &c.Audience.Limits
	return []setting{
		bind("audience.confirm_within", &a.ConfirmWithin, parseConfirmWithin),
		bind("audience.reminder", &a.Reminder, parseReminder),
		bind("audience.proof_of_work", &a.Proof, integer(0, 22)),
		bind("audience.limits.per_client", &l.PerClient, integer(0, 1_000_000)),
		bind("audience.limits.per_network", &l.PerNetwork, integer(0, 1_000_000)),
		bind("audience.limits.per_hour", &l.PerHour, integer(0, 1_000_000)),
		bind("audience.limits.per_address", &l.PerAddress, integer(1, 10)),
		listed(bind("audience.to", &a.To, parseTags)),
		listed(bind("audience.form_tags", &a.FormTags, parseFormTags)),
		bind("audience.welcome", &a.Welcome, parseWelcome),

		bind("privacy.keep_deliveries", &c.Privacy.KeepDeliveries, parseSpan),
	}
}

func (c *Config) servingSettings() []setting {
	o, h := &c.Operator, &c.Hooks
	return []setting{
		bind("operator.email", &o.Email, parseAddress),
		bind("operator.command", &o.Command, parseLine),
		bind("operator.heartbeat", &o.Heartbeat, parseCall),
		bind("operator.warn_left", &o.WarnLeft, integer(0, 10_000)),
		bind("operator.warn_disk", &o.WarnDisk, integer(0, 1_000_000_000)),
		bind("operator.warn_bounces", &o.WarnBounces, parseShare),
		bind("operator.warn_complaints", &o.WarnComplaints, parseShare),

		bind("review", &c.Review, parseReview),

		bind("hooks.before_slot", &h.BeforeSlot, parseLine),
		bind("hooks.after_site", &h.AfterSite, parseLine),
		bind("hooks.after_issue", &h.AfterIssue, parseLine),
		bind("hooks.timeout", &h.Timeout, parseHookTimeout),

		bind("backup.every", &c.Backup.Every, parseBackupEvery),
		bind("backup.keep", &c.Backup.Keep, integer(1, 1000)),
		bind("backup.dir", &c.Backup.Dir, parsePath),

		bind("feeds.items", &c.Feeds.Items, integer(1, 1000)),
		bind("feeds.max_bytes", &c.Feeds.MaxBytes, parseSize),
		listed(bind("feeds.hub", &c.Feeds.Hub, parseURLs)),

		bind("web.listen", &c.Web.Listen, parseListen),
		bind("web.url", &c.Web.URL, parseURL),
		bind("web.tls", &c.Web.TLS, oneOf("off", "auto")),
		bind("web.acme_email", &c.Web.ACMEEmail, parseAddress),
		bind("web.acme_directory", &c.Web.ACMEDirectory, parseDirectory),
		listed(bind("web.trusted_proxies", &c.Web.TrustedProxies, parseNetworks)),
		listed(bind("web.metrics_from", &c.Web.MetricsFrom, parseNetworks)),
		listed(bind("web.admin_from", &c.Web.AdminFrom, parseNetworks)),
		bind("web.access_log", &c.Web.AccessLog, oneOf("on", "off")),
	}
}

// listed lets the file give several values.
func listed(s setting) setting {
	s.list = true
	return s
}

// bind makes the setting that keeps its value in target.
func bind[T any](key string, target *T, parse func(string) (T, error)) setting {
	return setting{
		key: key,
		set: func(text string) error {
			value, err := parse(text)
			if err == nil {
				*target = value
			}
			return err
		},
		raw: func() string {
			if secret, ok := any(*target).(interface{ Reveal() string }); ok {
				return secret.Reveal()
			}
			return written(*target)
		},
		show: func() string { return written(*target) },
	}
}

// written is a value as it stands in the file.
func written(value any) string {
	if d, ok := value.(time.Duration); ok {
		return shortDuration(d.String())
	}
	return fmt.Sprint(value)
}
