package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Config is the whole configuration. Paths in it are as written; Path makes
// them usable. After Load every value has passed its checks.
type Config struct {
	// Dir is the folder of the config file, from which relative paths count.
	Dir string
	// Warnings are faults that do not keep the program from working, one line
	// each with its place, such as a secret that other users can read.
	Warnings []string

	Publication Publication
	Threads     string // folder of the threads
	Templates   string // folder of replaced templates; empty means none
	Output      string // folder of the site
	Database    Database
	// DatabaseFile is where Database was read from, if from a file.
	DatabaseFile string
	Schedule     Schedule
	Mail         Mail
	Delivery     Delivery
	Audience     Audience
	Privacy      Privacy
	Operator     Operator
	Review       time.Duration // before a slot the author is told; 0 for never
	Hooks        Hooks
	Backup       Backup
	Feeds        Feeds
	Web          Web

	file   string                      // the config as the caller named it; empty without one
	places map[string]place            // where each key that the file gives has its value
	lookup func(string) (string, bool) // the value of a variable
	clear  []string                    // the keys of secrets that the file gives without a variable
}

// Publication describes the newsletter to its readers.
type Publication struct {
	Title       string // the host of URL when not given
	URL         string // absolute http or https, without a slash at the end
	FormerURLs  URLs   // where it was before, in the same form
	Description string
	Language    string // BCP 47
	Author      Person
	Address     string // postal address on one line; "none" or empty leaves it out
	Accent      string // #rrggbb
	Colors      Colors
	Logo        string // file, or https address; empty means the title
	Header      string // Markdown above every page and mail
	Footer      string // the same below
	About       string // Markdown file of the page about it; empty means no page
}

// Colors are those of text and ground, each #rrggbb.
type Colors struct {
	Ground, Ink         string
	GroundDark, InkDark string // for readers who prefer dark
}

// Person is the author.
type Person struct {
	Name  string
	Email string
	URL   string
	Bio   string // one or two sentences
}

// Schedule says when an issue goes out and with which threads.
type Schedule struct {
	Cron            string // empty means only by hand
	Timezone        string // a name of the IANA database
	CatchUp         string // one, skip or a duration
	Order           string // oldest, newest, name or list
	ThreadsPerIssue int
	WhenEmpty       string // wait or missed
	Except          Days   // on which no slot counts
}

// Mail says who sends and how.
type Mail struct {
	From        string // address with or without a name; empty when not set yet
	ReplyTo     string // the same
	Transport   string // smtp or folder
	Folder      string // where the folder transport writes
	SMTP        SMTP
	Rate        float64           // messages a second; 0 means no limit
	Daily       int               // messages in 24 hours; 0 means no limit
	Provider    string            // fills what the file does not give; empty for none
	Region      string            // of the provider
	Headers     map[string]string // further headers of every message
	Unsubscribe string            // https or mailto
	Images      string            // "hosted" or "embedded"
	Greeting    string            // on or off
	Bounce      Bounce
	Webhooks    Webhooks // of providers that report by HTTP
	DKIM        DKIMKeys // sign every message
}

// Bounce says where reports of non-delivery go.
type Bounce struct {
	Mode          string // from, plus or verp
	Domain        string // of verp
	SuppressAfter int    // issues in a row; 0 for never
	Listen        string // host:port of a mail server for them; empty means none
	Maildir       string // folder they are delivered to; empty means none
	IMAP          IMAP
}

// IMAP is a mailbox that reports are fetched from.
type IMAP struct {
	Host         string // empty means none
	Port         int    // when not given, by TLS: 993 for implicit, else 143
	Username     string
	Password     Secret
	PasswordFile string // where Password was read from, if from a file
	Folder       string
	TLS          string // implicit, mandatory or none
}

// Webhooks are what proves that a provider sends a report; an empty one is not
// answered.
type Webhooks struct {
	SES          string // ARN of the SNS topic
	Postmark     Secret
	PostmarkFile string
	Mailgun      Secret // signing key
	MailgunFile  string
	SendGrid     string // public key, as the provider shows it
}

// SMTP is the relay.
type SMTP struct {
	Host                  string
	Port                  int // when not given, by TLS: 465 for implicit, 25 for none, else 587
	Username              string
	Password              Secret
	PasswordFile          string // where Password was read from, if from a file
	TLS                   string // mandatory, opportunistic, implicit or none
	Connections           int
	MaxConnections        int           // of all nodes, 0 for no limit
	MessagesPerConnection int           // 0 means no limit
	Timeout               time.Duration // of each step but the last
	FinalTimeout          time.Duration // of the answer to a message (RFC 5321, section 4.5.3.2.6)
}

// Delivery says how the deliveries of an issue are worked off.
type Delivery struct {
	Batch       int
	Grace       time.Duration // between publishing and the first mail
	Retry       Retry
	Probe       time.Duration // the wait before what was refused because of us is tried again
	InDoubt     string        // resend or hold
	StopTimeout time.Duration // how long a stop waits for messages in flight
}

// Privacy says what is kept of people.
type Privacy struct {
	KeepDeliveries Span // who got an issue, after it was sent; none for ever
}

// Retry is the pace of further attempts after a refusal for now.
type Retry struct {
	First  time.Duration // the wait before the second attempt
	Max    time.Duration // the longest wait
	GiveUp time.Duration // a delivery fails when it is this old
}

// Audience says how people come onto the list, and what they get.
type Audience struct {
	ConfirmWithin time.Duration // how long the link of a confirmation works
	Reminder      time.Duration // when who did not confirm is asked once more; 0 for never
	Proof         int           // bits of the proof of work that a sign-up needs; 0 for none
	Limits        SignUpLimits
	To            Tags   // who gets threads that do not say it; empty for everybody
	FormTags      Tags   // that the form of signing up may give; no others
	Welcome       string // what newcomers get: latest, the id of a thread, or none
}

// SignUpLimits bound the sign-ups of an hour; 0 means no limit.
type SignUpLimits struct {
	PerClient  int // from one address
	PerNetwork int // from one network
	PerHour    int // from everywhere
	PerAddress int // mails to one address in 24 hours
}

// Operator says how whoever runs the publication hears of faults.
type Operator struct {
	Email     string
	Command   string // run by the shell, with the event as JSON on its stdin
	Heartbeat string // address that is called after each slot that ended well
	WarnLeft  int    // fewer threads than this are a warning; 0 for never
	WarnDisk  int    // so are fewer free megabytes; 0 for never
	// WarnBounces and WarnComplaints are the shares of an issue's mails from which
	// on what came back is a warning; 0 for never.
	WarnBounces, WarnComplaints Share
}

// Hooks are commands for the shell that run in the config's folder, with the
// issue as JSON on their stdin; empty for none.
type Hooks struct {
	BeforeSlot string        // what becomes of it keeps nothing back
	AfterSite  string        // mail waits until it ends with 0
	AfterIssue string        // once when nothing is left to send
	Timeout    time.Duration // of each
}

// Backup says when run backs the publication up by itself.
type Backup struct {
	Every time.Duration // 0 for never
	Keep  int           // archives
	Dir   string
}

// Feeds describes the feeds.
type Feeds struct {
	Items    int  // entries in a feed
	MaxBytes Size // of a feed; it has fewer entries then
	Hub      URLs // WebSub hubs
}

// Web is the built-in web server.
type Web struct {
	Listen string // host:port; empty means no server
	URL    string // base of the dynamic addresses; the publication's URL when not given
	// TLS is off or auto. With auto the server gets its certificates itself
	// (RFC 8555), and Listen is where it speaks TLS, :443 when not given.
	TLS            string
	ACMEEmail      string   // where the authority may write to; may be empty
	ACMEDirectory  string   // of the authority
	TrustedProxies Networks // whose word about the client is taken
	MetricsFrom    Networks // that may read /metrics, besides this machine
	AdminFrom      Networks // the same for /admin/
	AccessLog      string   // on or off
}

// Default returns the configuration of an empty file. It lacks the address of
// the publication, so it is not valid as it is.
func Default() Config {
	return Config{
		Dir: ".",
		Publication: Publication{
			Language: "en", Accent: "#b4532a",
			Colors: Colors{Ground: "#fdfcfa", Ink: "#1d1b19", GroundDark: "#151412", InkDark: "#e8e5e0"},
		},
		Threads:  "threads",
		Output:   "public",
		Database: "threadmill.db",
		Schedule: Schedule{Timezone: "UTC", CatchUp: "one", Order: "oldest", ThreadsPerIssue: 1, WhenEmpty: "wait"},
		Mail: Mail{
			Transport: "smtp",
			Folder:    "mail",
			SMTP: SMTP{
				Port:                  587,
				TLS:                   "mandatory",
				Connections:           10,
				MessagesPerConnection: 100,
				Timeout:               30 * time.Second,
				FinalTimeout:          10 * time.Minute,
			},
			Unsubscribe: "https", Images: "hosted", Greeting: "off",
			Bounce: Bounce{Mode: "from", SuppressAfter: 5, IMAP: IMAP{Port: 993, Folder: "INBOX", TLS: "implicit"}},
		},
		Delivery: Delivery{
			Batch:       500,
			Retry:       Retry{First: 5 * time.Minute, Max: 4 * time.Hour, GiveUp: 72 * time.Hour},
			Probe:       15 * time.Minute,
			InDoubt:     "resend",
			StopTimeout: time.Minute,
		},
		Audience: Audience{
			ConfirmWithin: 7 * 24 * time.Hour,
			Reminder:      24 * time.Hour,
			Limits:        SignUpLimits{PerClient: 10, PerNetwork: 40, PerHour: 500, PerAddress: 3},
			Welcome:       "none",
		},
		Operator: Operator{WarnDisk: 100, WarnBounces: 5, WarnComplaints: 0.1},
		Hooks:    Hooks{Timeout: 5 * time.Minute},
		Backup:   Backup{Keep: 7, Dir: "backups"},
		Feeds:    Feeds{Items: 50, MaxBytes: 1_000_000},
		Web: Web{
			Listen: "127.0.0.1:8080", TLS: "off", AccessLog: "off",
			ACMEDirectory: "https://acme-v02.api.letsencrypt.org/directory",
		},
	}
}

// Path resolves a path of the config against Dir. An empty path stays empty.
func (c *Config) Path(rel string) string {
	if rel == "" || filepath.IsAbs(rel) {
		return rel
	}
	return filepath.Join(c.Dir, rel)
}

// DatabaseSource returns the database in clear: an address as it is written,
// or the resolved path of a file.
func (c *Config) DatabaseSource() string {
	if source := c.Database.Reveal(); strings.Contains(source, "://") {
		return source
	}
	return c.Path(c.Database.Reveal())
}

// SecretArgument returns a value of the command line that may be secret: text
// with every ${NAME} replaced as in the config, or what stands in a file. A file
// that others can read is told in Warnings.
func (c *Config) SecretArgument(text, file string) (Secret, error) {
	if file == "" {
		value, err := expand(text, c.lookup)
		return Secret(value), err
	}
	data, mode, err := readFile(file, maxSecret)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, reason(err))
	}
	if c.OthersRead(file, mode) {
		c.Warnings = append(c.Warnings, readableSecret(file))
	}
	return Secret(trimLine(data)), nil
}

// Given tells whether the file gives a key such as "web.listen".
func (c *Config) Given(key string) bool {
	_, given := c.places[key]
	return given
}

// Position returns where the value of a key such as "schedule.cron" stands,
// as file:line:column, for errors that only the reader of the value finds. It
// is the file alone when the file does not give the key.
func (c *Config) Position(key string) string {
	if at, ok := c.places[key]; ok {
		return Problem{File: c.file, Line: at.line, Column: at.column}.position()
	}
	return c.file
}
