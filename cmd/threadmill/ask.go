package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"threadmill/internal/config"
	"threadmill/internal/schedule"
)

// beginning is what init writes into the files of a new publication.
type beginning struct {
	Title, URL, Address     string
	AuthorName, AuthorEmail string
	Cron, Zone, From        string
	Provider, Region        string
	Host, Port              string // of a relay that is no provider's
	Username                string
	password                string // goes to .env alone
	Templates               bool
}

// The answers that are only examples; check asks for better ones.
const (
	exampleURL  = "https://example.com"
	exampleFrom = "newsletter@example.com"
	exampleSlot = "Monday 9:00"
)

// asker puts questions to who sits at the terminal.
type asker struct {
	app   *app
	lines *bufio.Reader
}

// errNothingWritten says that the questions were broken off.
var errNothingWritten = fmt.Errorf("%w; nothing was written", errInterrupted)

// ask asks until accept takes the answer, and returns it; Enter takes the default.
func (q *asker) ask(ctx context.Context, question, usual string, accept func(string) error) (string, error) {
	for {
		shown := question
		if usual != "" {
			shown += " [" + usual + "]"
		}
		fmt.Fprint(q.app.stdout, shown+": ")
		line, err := q.line(ctx, func() (string, error) { return q.lines.ReadString('\n') })
		if err != nil {
			fmt.Fprintln(q.app.stdout)
			return "", err
		}
		answer := cmp.Or(strings.Join(strings.Fields(line), " "), usual)
		if err := accept(answer); err != nil {
			fmt.Fprintf(q.app.stdout, "  %v\n", err)
			continue
		}
		return answer, nil
	}
}

// line waits for a line or the end of ctx.
func (q *asker) line(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	got := make(chan result, 1)
	go func() { // ends with the answer, or with the process
		text, err := read()
		got <- result{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", errNothingWritten
	case r := <-got:
		if r.err != nil { // Ctrl-D
			return "", errNothingWritten
		}
		return r.text, nil
	}
}

// secret asks for what the screen must not show; Enter leaves it empty. The echo
// is off before the question stands there, as somebody may answer at once.
func (q *asker) secret(ctx context.Context, question string) (string, error) {
	f, ok := q.app.stdin.(*os.File)
	if !ok {
		return "", nil
	}
	before, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(int(f.Fd()), before) }() // also after Ctrl-C
	screen := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{f, q.app.stdout}, "")
	if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		_ = screen.SetSize(width, height)
	}
	for {
		text, err := q.line(ctx, func() (string, error) { return screen.ReadPassword(question + ": ") })
		if err != nil {
			fmt.Fprint(q.app.stdout, "\r\n")
			return "", err
		}
		if _, err := config.DotenvLine("SMTP_PASSWORD", text); err != nil {
			fmt.Fprintf(screen, "  %v\n", err)
			continue
		}
		return text, nil
	}
}

// usualBeginning is what Enter takes everywhere.
func (a *app) usualBeginning(title string) beginning {
	return beginning{
		Title: title, URL: exampleURL, Address: "none", Cron: "0 9 * * MON", Zone: a.machineZone(),
		From: exampleFrom, Provider: "local",
	}
}

// askBeginning asks for what a publication begins with.
func (a *app) askBeginning(ctx context.Context, b beginning) (beginning, error) {
	q := &asker{a, bufio.NewReader(a.stdin)}
	fmt.Fprintln(a.stdout, "Enter takes what stands in brackets; all of it can be changed in config.yaml.")
	var slot, relay string
	one := func(into *string, question, usual string, accept func(string) error) func() error {
		return func() (err error) {
			*into, err = q.ask(ctx, question, cmp.Or(usual, *into), accept)
			return err
		}
	}
	steps := []func() error{
		one(&b.Title, "Title", "", valid("publication.title")),
		one(&b.URL, "Address of the site", "", valid("publication.url")),
		func() error { b.From = senderFor(b.URL); return nil },
		one(&b.From, "From, as Name <address>", "", valid("mail.from")),
		one(&slot, "Weekday and hour of the issues", exampleSlot, func(s string) error { _, err := slotCron(s); return err }),
		one(&b.Zone, "Time zone", "", valid("schedule.timezone")),
		one(&b.Address, "Postal address under the mails, none to leave it out", "", valid("publication.address")),
		one(&relay, "Mail provider ("+strings.Join(config.Providers(), ", ")+", or HOST:PORT)", b.Provider, func(s string) error { return new(beginning).relay(s) }),
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return b, err
		}
	}
	b.Cron, _ = slotCron(slot) // it was accepted
	_ = b.relay(relay)
	if from, err := netmail.ParseAddress(b.From); err == nil && b.From != senderFor(b.URL) {
		b.AuthorName, b.AuthorEmail = from.Name, from.Address
	}
	return b, q.login(ctx, &b)
}

// login asks for what a provider wants besides its name.
func (q *asker) login(ctx context.Context, b *beginning) (err error) {
	if b.Provider == "ses" {
		if b.Region, err = q.ask(ctx, "Region of the account", "us-east-1", valid("mail.region")); err != nil {
			return err
		}
	}
	if b.Provider == "local" || b.nearby() {
		return nil
	}
	if b.Username, err = q.ask(ctx, "User name there", bareAddress(b.From), valid("mail.smtp.username")); err != nil {
		return err
	}
	b.password, err = q.secret(ctx, "Password there (goes to .env; Enter to write it there later)")
	return err
}

// valid accepts what config takes for a key, and nothing empty.
func valid(key string) func(string) error {
	return func(text string) error {
		if text == "" {
			return errors.New("it cannot be empty")
		}
		return config.Check(key, text)
	}
}

// relay takes the name of a provider, or host and port.
func (b *beginning) relay(text string) error {
	if slices.Contains(config.Providers(), text) {
		b.Provider, b.Host, b.Port = text, "", ""
		return nil
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = text, "587"
	}
	if err := cmp.Or(config.Check("mail.smtp.host", host), config.Check("mail.smtp.port", port)); err != nil {
		return err
	}
	if host == "" || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return config.Check("mail.provider", cmp.Or(text, "nothing"))
	}
	b.Provider, b.Host, b.Port = "", host, port
	return nil
}

// nearby tells whether the relay is on this machine, where nobody logs in and
// nothing is encrypted.
func (b *beginning) nearby() bool {
	return b.Host == "localhost" || net.ParseIP(b.Host).IsLoopback()
}

// SMTP is the section mail.smtp, on one line.
func (b *beginning) SMTP() string {
	var keys []string
	if b.Host != "" {
		keys = append(keys, "host: "+quoted(b.Host), "port: "+b.Port)
	}
	if b.nearby() {
		keys = append(keys, "tls: none")
	}
	if b.Port == "465" {
		keys = append(keys, "tls: implicit")
	}
	if b.Username != "" {
		keys = append(keys, "username: "+quoted(b.Username), `password: "${SMTP_PASSWORD}"`)
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

// quoted is a value in the quotes of YAML.
func quoted(text string) string { return fmt.Sprintf("%q", text) }

// plainYAML leaves the quotes out where the value needs none.
func plainYAML(text string) string {
	if strings.ContainsAny(text, " #,[]{}'\"&*!|>%@`") {
		return quoted(text)
	}
	return text
}

// senderFor guesses the address that the mail of a site comes from.
func senderFor(site string) string {
	u, err := url.Parse(site)
	if err != nil || config.Check("mail.from", "newsletter@"+u.Hostname()) != nil || net.ParseIP(u.Hostname()) != nil {
		return exampleFrom
	}
	return "newsletter@" + strings.TrimPrefix(u.Hostname(), "www.")
}

func bareAddress(mailbox string) string {
	if a, err := netmail.ParseAddress(mailbox); err == nil {
		return a.Address
	}
	return mailbox
}

// slotCron turns “Monday 9:00” into a cron expression.
func slotCron(text string) (string, error) {
	wrong := fmt.Errorf("%q is not a weekday and an hour; write them as in %s", text, exampleSlot)
	day, hour, ok := strings.Cut(text, " ")
	if !ok || len(day) < 3 {
		return "", wrong
	}
	var name string
	for d := range time.Weekday(7) {
		if full := d.String(); len(day) <= len(full) && strings.EqualFold(full[:len(day)], day) {
			name = strings.ToUpper(full[:3])
		}
	}
	if !strings.Contains(hour, ":") {
		hour += ":00"
	}
	at, err := time.Parse("15:04", hour)
	if err != nil || name == "" {
		return "", wrong
	}
	expression := fmt.Sprintf("%d %d * * %s", at.Minute(), at.Hour(), name)
	_, err = schedule.Parse(expression, "UTC")
	return expression, err
}

// machineZone is the zone of this machine, UTC where it does not tell.
func (a *app) machineZone() string {
	zone, _ := a.env("TZ")
	zones := []string{strings.TrimPrefix(zone, ":")}
	if target, err := filepath.EvalSymlinks("/etc/localtime"); err == nil {
		_, name, _ := strings.Cut(filepath.ToSlash(target), "zoneinfo/")
		zones = append(zones, name)
	}
	if b, err := os.ReadFile("/etc/timezone"); err == nil {
		zones = append(zones, strings.TrimSpace(string(b)))
	}
	for _, z := range zones {
		if z != "" && config.Check("schedule.timezone", z) == nil {
			return z
		}
	}
	return "UTC"
}
