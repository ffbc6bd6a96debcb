package config_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"threadmill/internal/config"
)

// write puts files into a new folder and returns the path of config.yaml.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "config.yaml")
}

// variables is an environment.
func variables(pairs ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func load(t *testing.T, text string) config.Config {
	t.Helper()
	c, err := config.Load(write(t, map[string]string{"config.yaml": text}), nil)
	if err != nil {
		t.Fatalf("load:\n%s\n%v", text, err)
	}
	return c
}

// ignored is what tells of the file and not of the settings.
func ignored() cmp.Option {
	return cmp.Options{cmpopts.IgnoreUnexported(config.Config{}), cmpopts.IgnoreFields(config.Config{}, "Dir"), cmpopts.EquateComparable(netip.Prefix{})}
}

func networks(list ...string) (n config.Networks) {
	for _, text := range list {
		n = append(n, netip.MustParsePrefix(text))
	}
	return n
}

// site is the least valid config, for tests about other keys.
const site = "publication: {url: https://example.com}\n"

func TestLoadEveryKey(t *testing.T) {
	path := write(t, map[string]string{
		"config.yaml": `
publication:
  title: 'It''s a shed'
  url: https://example.com/letters/
  description: |
    Things that neighbours
    can do.
  language: pt-BR
  author: {name: "Jo \"J\" Smith", email: jo@example.com, url: "https://example.com/jo/", bio: Moves sheds.}
  address: 1 Mill Lane,
    Thread
  accent: "#0A7"
  colors: {ground: "#FFF", ink: "#000000", ground_dark: "#000", ink_dark: "#eeeeee"}
  logo: looks/logo.PNG
  about: about.md
threads: posts
templates: looks
output: site
database: postgres://jo:${DB_PASSWORD}@db.example.com/threads
schedule:
  cron: 0 9 * * MON
  timezone: Europe/London
  catch_up: 6h
  order: list
  threads_per_issue: "3"
  when_empty: missed
mail:
  from: Jo Smith <jo@example.com>
  reply_to: answers@example.com
  transport: folder
  folder: letters
  smtp:
    host: smtp.example.com
    port: "2525"
    username: 0123
    password: "${SMTP_PASSWORD}"
    tls: opportunistic
    connections: 4
    messages_per_connection: 0
    timeout: 1m30s
    final_timeout: 5m
  rate: 0.5
  daily: 300
  provider: mailgun
  region: eu
  bounce:
    mode: verp
    domain: bounces.example.com
    suppress_after: 0
    listen: :25
    maildir: mail/bounces
    imap: {host: imap.example.com, username: jo, password: hunter3, folder: Bounces, tls: mandatory}
  webhooks:
    ses: arn:aws:sns:eu-west-1:123456789012:bounces
    postmark: 0123456789abcdef
    mailgun: key-0123456789abcdef
    sendgrid: MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==
  unsubscribe: mailto
  images: embedded
  greeting: on
  headers:
    x-mailgun-track: htmlonly
    X-Campaign: weekly
    X-Number: 0x10
delivery:
  batch: 200
  grace: 10m
  retry: {first: 1m, max: 1h, give_up: 24h}
  probe: 5m
  in_doubt: hold
  stop_timeout: 90s
audience:
  confirm_within: 48h
  reminder: 0s
  proof_of_work: 14
  limits: {per_client: 1, per_network: 2, per_hour: 3, per_address: 4}
  to: [members, "!london"]
  form_tags: [garden, from-blog]
  welcome: moving-a-shed
privacy: {keep_deliveries: 24mo}
operator:
  email: op@example.com
  command: cat > /dev/null
  heartbeat: https://example.com/ping/?a=b
  warn_left: 3
  warn_disk: 500
  warn_bounces: 2.5 %
  warn_complaints: 1
review: 24h
hooks: {before_slot: git pull --ff-only, after_site: ./upload, after_issue: ./toot, timeout: 90s}
backup: {every: 24h, keep: 3, dir: copies}
feeds: {items: 20, max_bytes: 500 KB, hub: [https://hub.example/, https://push.example.org/a?b=c]}
web:
  listen: off
  url: https://letters.example.com
  tls: "off"
  acme_email: admin@example.com
  acme_directory: http://127.0.0.1:14000/dir
  trusted_proxies: [127.0.0.1, "::1", "::ffff:10.1.2.0/120", 127.0.0.1]
  metrics_from: 10.0.0.0/8 fd00::/8
  admin_from: 192.0.2.7
  access_log: on
`,
		".env": "# secrets\nDB_PASSWORD='from the file'\nSMTP_PASSWORD=loses\n",
	})
	got, err := config.Load(path, variables("SMTP_PASSWORD", "${not} $again"))
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Publication: config.Publication{
			Title: "It's a shed", URL: "https://example.com/letters", Description: "Things that neighbours can do.", Language: "pt-BR",
			Author:  config.Person{Name: `Jo "J" Smith`, Email: "jo@example.com", URL: "https://example.com/jo", Bio: "Moves sheds."},
			Address: "1 Mill Lane, Thread", Accent: "#00aa77", About: "about.md",
			Colors: config.Colors{Ground: "#ffffff", Ink: "#000000", GroundDark: "#000000", InkDark: "#eeeeee"},
			Logo:   "looks/logo.PNG",
		},
		Threads: "posts", Templates: "looks", Output: "site",
		Database: "postgres://jo:from the file@db.example.com/threads",
		Schedule: config.Schedule{Cron: "0 9 * * MON", Timezone: "Europe/London", CatchUp: "6h", Order: "list", ThreadsPerIssue: 3, WhenEmpty: "missed"},
		Mail: config.Mail{
			From: "Jo Smith <jo@example.com>", ReplyTo: "answers@example.com", Transport: "folder", Folder: "letters",
			SMTP: config.SMTP{
				Host: "smtp.example.com", Port: 2525, Username: "0123", Password: "${not} $again", TLS: "opportunistic",
				Connections: 4, Timeout: 90 * time.Second, FinalTimeout: 5 * time.Minute,
			},
			Rate: 0.5, Daily: 300, Unsubscribe: "mailto", Images: "embedded", Greeting: "on",
			Provider: "mailgun", Region: "eu", Bounce: config.Bounce{
				Mode: "verp", Domain: "bounces.example.com", Listen: ":25", Maildir: "mail/bounces",
				IMAP: config.IMAP{Host: "imap.example.com", Port: 143, Username: "jo", Password: "hunter3", Folder: "Bounces", TLS: "mandatory"},
			},
			Webhooks: config.Webhooks{
				SES: "arn:aws:sns:eu-west-1:123456789012:bounces", Postmark: "0123456789abcdef", Mailgun: "key-0123456789abcdef",
				SendGrid: "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
			},
			Headers: map[string]string{
				"X-Campaign": "weekly", "X-Number": "0x10",
				"x-mailgun-track": "htmlonly", "X-Mailgun-Track-Clicks": "no", "X-Mailgun-Track-Opens": "no",
			},
		},
		Delivery: config.Delivery{
			Batch: 200, Grace: 10 * time.Minute, Retry: config.Retry{First: time.Minute, Max: time.Hour, GiveUp: 24 * time.Hour}, Probe: 5 * time.Minute, InDoubt: "hold", StopTimeout: 90 * time.Second,
		},
		Audience: config.Audience{
			ConfirmWithin: 48 * time.Hour, Proof: 14,
			Limits: config.SignUpLimits{PerClient: 1, PerNetwork: 2, PerHour: 3, PerAddress: 4},
			To:     config.Tags{"members", "!london"}, FormTags: config.Tags{"garden", "from-blog"}, Welcome: "moving-a-shed",
		},
		Privacy: config.Privacy{KeepDeliveries: "24mo"},
		Operator: config.Operator{
			Email: "op@example.com", Command: "cat > /dev/null", Heartbeat: "https://example.com/ping/?a=b", WarnLeft: 3, WarnDisk: 500, WarnBounces: 2.5, WarnComplaints: 1,
		},
		Review: 24 * time.Hour,
		Hooks:  config.Hooks{BeforeSlot: "git pull --ff-only", AfterSite: "./upload", AfterIssue: "./toot", Timeout: 90 * time.Second},
		Backup: config.Backup{Every: 24 * time.Hour, Keep: 3, Dir: "copies"},
		Feeds:  config.Feeds{Items: 20, MaxBytes: 500_000, Hub: config.URLs{"https://hub.example/", "https://push.example.org/a?b=c"}},
		Web: config.Web{
			URL: "https://letters.example.com", TLS: "off", ACMEEmail: "admin@example.com", ACMEDirectory: "http://127.0.0.1:14000/dir",
			TrustedProxies: networks("127.0.0.1/32", "::1/128", "10.1.2.0/24"), MetricsFrom: networks("10.0.0.0/8", "fd00::/8"),
			AdminFrom: networks("192.0.2.7/32"), AccessLog: "on",
		},
	}
	if diff := cmp.Diff(want, got, ignored()); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
	if err := got.ReadyToSend(); err != nil {
		t.Errorf("ReadyToSend: %v", err)
	}
}

func TestLoadFillsWhatIsLeftOut(t *testing.T) {
	want := config.Default()
	want.Publication.URL, want.Publication.Title, want.Web.URL = "https://example.com", "example.com", "https://example.com"
	for _, text := range []string{
		site,
		"\uFEFF" + site,
		strings.ReplaceAll(site, "\n", "\r\n"),
		site + "schedule:\nmail:\n  smtp:\nfeeds: {}\nweb: ~\n",
	} {
		if diff := cmp.Diff(want, load(t, text), ignored()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestPortFollowsTLS(t *testing.T) {
	tests := []struct {
		smtp string
		want int
	}{
		{"{}", 587},
		{"{tls: mandatory}", 587},
		{"{tls: opportunistic}", 587},
		{"{tls: implicit}", 465},
		{"{tls: none}", 25},
		{"{tls: none, port: 587}", 587},
		{"{tls: implicit, port: '2465'}", 2465},
	}
	for _, test := range tests {
		if got := load(t, site+"mail: {smtp: "+test.smtp+"}\n").Mail.SMTP.Port; got != test.want {
			t.Errorf("%s: port %d, want %d", test.smtp, got, test.want)
		}
	}
}

func TestPath(t *testing.T) {
	c := config.Config{Dir: "letters"}
	for rel, want := range map[string]string{"": "", "threads": "letters/threads", "../x": "x", "/var/mail": "/var/mail"} {
		if got := c.Path(rel); got != want {
			t.Errorf("Path(%q) = %q, want %q", rel, got, want)
		}
	}
	for database, want := range map[config.Database]string{
		"threadmill.db": "letters/threadmill.db", "/var/t.db": "/var/t.db", "postgres://jo:secret@db/t": "postgres://jo:secret@db/t",
	} {
		c.Database = database
		if got := c.DatabaseSource(); got != want {
			t.Errorf("DatabaseSource = %q, want %q", got, want)
		}
	}
}

func TestPosition(t *testing.T) {
	path := write(t, map[string]string{"config.yaml": site + "schedule:\n  cron: \"0 9 * * *\"\n  timezone:   UTC\n"})
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"publication.url":   path + ":1:20",
		"schedule.cron":     path + ":3:9",
		"schedule.timezone": path + ":4:15",
		"schedule.order":    path,
	} {
		if got := c.Position(key); got != want {
			t.Errorf("Position(%s) = %s, want %s", key, got, want)
		}
	}
}

// TestExampleIsTheDefaults keeps the documentation whole: the example has
// every key, in the order of the table, with its default.
func TestExampleIsTheDefaults(t *testing.T) {
	data, err := os.ReadFile("../../config.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const empty = `url: ""                    # public`
	if !strings.Contains(string(data), empty) {
		t.Fatalf("the example lacks %s", empty)
	}
	got := load(t, strings.Replace(string(data), empty, "url: https://example.com #", 1))
	want := load(t, site)
	if diff := cmp.Diff(want, got, ignored()); diff != "" {
		t.Errorf("the example differs from the defaults (-want +got):\n%s", diff)
	}
	var keys []string
	for line := range strings.Lines(string(data)) {
		key, rest, _ := strings.Cut(line, ":")
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		if !strings.Contains(rest, " # ") && strings.TrimSpace(rest) != "" {
			t.Errorf("no comment: %s", line)
		}
		keys = append(keys, key)
	}
	var known []string
	for line := range strings.Lines(want.Redacted()) {
		key, _, _ := strings.Cut(line, ":")
		known = append(known, key)
		if key == "  greeting" { // Redacted leaves out empty headers
			known = append(known, "  headers")
		}
	}
	if diff := cmp.Diff(known, keys); diff != "" {
		t.Errorf("keys of the example (-known +example):\n%s", diff)
	}
}

func TestValidate(t *testing.T) {
	c := config.Default()
	c.Publication.URL = "https://example.com"
	if err := c.Validate(); err != nil {
		t.Errorf("Validate: %v", err)
	}
	c.Mail.Headers = map[string]string{"X-A": "1", "x-a": "2"}
	c.Feeds.Items = 0
	c.Delivery.StopTimeout = -time.Second
	err := c.Validate()
	for _, want := range []string{
		`feeds.items: "0" is not a whole number from 1 to 1000`,
		`delivery.stop_timeout: "-1s" is not above zero`,
		`mail.headers.x-a: given twice, also as X-A`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate: %v lacks %s", err, want)
		}
	}
	if len(c.Mail.Headers) != 2 {
		t.Errorf("Validate changed the headers: %v", c.Mail.Headers)
	}
}

func TestReadyToSend(t *testing.T) {
	tests := []struct {
		mail string
		want []string
	}{
		{"{}", []string{"mail.from", "mail.smtp.host"}},
		{"{from: jo@example.com}", []string{"mail.smtp.host"}},
		{"{from: jo@example.com, transport: folder}", nil},
		{"{from: jo@example.com, smtp: {host: localhost}}", nil},
	}
	for _, test := range tests {
		c := load(t, site+"mail: "+test.mail+"\n")
		if diff := cmp.Diff(test.want, faults(c.ReadyToSend())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.mail, diff)
		}
	}
}

// Mail to strangers has a postal address, or says that it has none.
func TestReadyForReaders(t *testing.T) {
	at := []string{"publication.address"}
	tests := []struct {
		text string
		want []string
	}{
		{"publication: {url: https://a.example}\nmail: {smtp: {host: b}}\n", at},
		{"publication: {url: https://a.example, address: \" \"}\nmail: {smtp: {host: b}}\n", at},
		{"publication: {url: https://a.example, address: none}\nmail: {smtp: {host: b}}\n", nil},
		{"publication: {url: https://a.example, address: 12 Mill Lane}\nmail: {smtp: {host: b}}\n", nil},
		{"publication: {url: https://a.example}\nmail: {transport: folder}\n", nil},
	}
	for _, test := range tests {
		c := load(t, test.text)
		if diff := cmp.Diff(test.want, faults(c.ReadyForReaders())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.text, diff)
		}
	}
}
