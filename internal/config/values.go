package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/idna"
)

// The functions of this file turn the text of one value into its type. Their
// errors say what is wrong with the text and what to write, and show it
// unless it is a secret.

// parseLine reads a text of one line. Line breaks, which a block of YAML may
// hold, and runs of spaces become one space.
func parseLine(text string) (string, error) {
	line := strings.Join(strings.Fields(text), " ")
	if strings.ContainsFunc(line, unicode.IsControl) {
		return "", fmt.Errorf("%q holds a control character; remove it", text)
	}
	return line, nil
}

// parseSecret keeps the text as it is.
func parseSecret(text string) (Secret, error) {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", errors.New("holds a line break or another control character; write it on one line")
	}
	return Secret(text), nil
}

// parseDatabase keeps the text as it is; the store knows which it can open.
func parseDatabase(text string) (Database, error) {
	if text == "" {
		return "", errors.New("empty; write a path such as threadmill.db or leave the key out")
	}
	secret, err := parseSecret(text)
	return Database(secret), err
}

func parsePath(text string) (string, error) {
	if text == "" {
		return "", errors.New("empty; write a path or leave the key out")
	}
	return parseOptionalPath(text)
}

func parseOptionalPath(text string) (string, error) {
	if strings.ContainsFunc(text, unicode.IsControl) {
		return "", fmt.Errorf("%q holds a control character; write a path", text)
	}
	return text, nil
}

// parseURL reads the address of a site or page, without its last slashes.
func parseURL(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", strings.ContainsAny(text, " \"<>"):
		return "", fmt.Errorf("%q is not an address; write it in full, such as https://example.com", text)
	case u.User != nil:
		return "", errors.New("the address holds a user name or a password; leave them out")
	case u.RawQuery != "", u.ForceQuery, strings.Contains(text, "#"):
		return "", fmt.Errorf("%q has a part behind ? or #; leave it out", text)
	}
	return strings.TrimRight(text, "/"), nil
}

// parseLogo reads a path, or an address that every page and mail may show.
func parseLogo(text string) (string, error) {
	name := text
	if strings.Contains(text, "://") {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(text, " \"<>") {
			return "", fmt.Errorf("%q is not an address for a logo; write it in full with https, such as https://example.com/logo.png, or the path of a file", text)
		}
		name = u.Path
	}
	switch ext := strings.ToLower(path.Ext(name)); {
	case text == "", ext == ".png", ext == ".jpg", ext == ".jpeg", ext == ".gif":
		return parseOptionalPath(text)
	}
	return "", fmt.Errorf("%q is no picture that every mail program shows; write that of a .png, .jpg or .gif", text)
}

// parseCall reads an address that is called as it is written.
func parseCall(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.ContainsAny(text, " \"<>") {
		return "", fmt.Errorf("%q is not an address; write it in full, such as https://example.com/ping", text)
	}
	return text, nil
}

// parseDirectory reads the address of a certificate authority's directory.
func parseDirectory(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) || u.User != nil || strings.ContainsAny(text, " \"<>") {
		return "", fmt.Errorf("%q is not the directory of a certificate authority; write its address in full with https", text)
	}
	return text, nil
}

// loopback tells whether a host is this machine by its name.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

func parseLanguage(text string) (string, error) {
	if !languageTag.MatchString(text) {
		return "", fmt.Errorf("%q is not a language tag; write one such as en or pt-BR", text)
	}
	return text, nil
}

var hexColour = regexp.MustCompile(`^#(?:[0-9a-f]{3}|[0-9a-f]{6})$`)

// parseColour reads a CSS hex colour and writes it out in six small digits.
func parseColour(text string) (string, error) {
	c := strings.ToLower(text)
	if !hexColour.MatchString(c) {
		return "", fmt.Errorf(`%q is not a colour; write it as six hex digits in quotes, such as "#b4532a"`, text)
	}
	if len(c) == len("#rgb") {
		c = string([]byte{'#', c[1], c[1], c[2], c[2], c[3], c[3]})
	}
	return c, nil
}

// parseAddress reads a bare mail address.
func parseAddress(text string) (string, error) {
	if _, err := parseMailbox(text); err != nil {
		return "", err
	}
	if strings.ContainsAny(text, "<> ") {
		return "", fmt.Errorf("%q is more than an address; write it without a name, such as jo@example.com", text)
	}
	return text, nil
}

// parseMailbox reads a mail address with or without a name.
func parseMailbox(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	// net/mail folds line breaks away, which must not reach a header.
	read, err := mail.ParseAddress(text)
	if err != nil || strings.ContainsFunc(text, unicode.IsControl) {
		return "", fmt.Errorf("%q is not a mail address; write jo@example.com or Jo Smith <jo@example.com>", text)
	}
	at := strings.LastIndexByte(read.Address, '@')
	if strings.ContainsFunc(read.Address[:at], func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", fmt.Errorf("%q has letters before the @ that are not ASCII, which few servers take (they need SMTPUTF8, RFC 6531); write another address of yours", read.Address)
	}
	if _, err := idna.Lookup.ToASCII(read.Address[at+1:]); err != nil {
		return "", fmt.Errorf("%q has no valid domain behind the @; write one such as jo@example.com", read.Address)
	}
	return text, nil
}

// parseMailDomain reads the domain of addresses.
func parseMailDomain(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if _, err := parseAddress("bounce@" + text); err != nil || strings.ContainsAny(text, "@ ") || !strings.Contains(text, ".") {
		return "", fmt.Errorf("%q is not a domain; write one such as bounces.example.com", text)
	}
	return text, nil
}

func parseHost(text string) (string, error) {
	if strings.ContainsAny(text, "/@ \t\r\n") || strings.Contains(text, ":") && net.ParseIP(text) == nil {
		return "", fmt.Errorf("%q is not a host; write its name alone, such as smtp.example.com, and the port as port", text)
	}
	return text, nil
}

// parseListen reads host:port; "off" is the same as empty.
func parseListen(text string) (string, error) {
	if text == "" || text == "off" {
		return "", nil
	}
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("%q is not an address to listen on; write 127.0.0.1:8080, :8080 or off", text)
	}
	return text, nil
}

func parseZone(text string) (string, error) {
	// Go takes "" for UTC and "Local" for the zone of the machine.
	if _, err := time.LoadLocation(text); err != nil || text == "" || text == "Local" {
		return "", fmt.Errorf("%q is not a known time zone; write UTC or a name such as Europe/London", text)
	}
	return text, nil
}

func parseCatchUp(text string) (string, error) {
	if text == "one" || text == "skip" {
		return text, nil
	}
	if _, err := parseDuration(text); err != nil {
		return "", fmt.Errorf("%q is not known; write one, skip, or how late an issue may be, such as 6h", text)
	}
	return text, nil
}

// parseWelcome reads what newcomers get; empty is the same as none.
func parseWelcome(text string) (string, error) {
	if text == "" {
		return "none", nil
	}
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
		return "", fmt.Errorf("%q is not the id of a thread; write latest, none, or an id that `threadmill threads` shows", text)
	}
	return text, nil
}

// maxDuration bounds all durations, so that sums of them cannot overflow.
const maxDuration = 366 * 24 * time.Hour

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration; write %s", text, likelyDuration(text))
	case d <= 0:
		return 0, fmt.Errorf("%q is not above zero; write a duration such as 5m", text)
	case d > maxDuration:
		return 0, fmt.Errorf("%q is more than a year; write a shorter duration", text)
	}
	return d, nil
}

// parseGrace reads a duration that may be nothing, and is a day at most: who
// waits for longer wants a later slot.
// The bounds of how long a confirmation may take: a link that works for less
// than an hour comes too late, and letters are kept for a month.
const (
	minConfirm = time.Hour
	maxConfirm = 30 * 24 * time.Hour
)

func parseConfirmWithin(text string) (time.Duration, error) {
	d, err := parseDuration(text)
	if err == nil && (d < minConfirm || d > maxConfirm) {
		err = fmt.Errorf("%s is not from %s to %s", written(d), written(minConfirm), written(maxConfirm))
	}
	return d, err
}

// parseReminder reads when somebody is reminded: 0s is never.
func parseReminder(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && d == 0 {
		return 0, nil
	}
	d, err := parseDuration(text)
	if err == nil && d < minConfirm {
		err = fmt.Errorf("%s is shorter than %s; write 24h, or 0s for no reminder", written(d), written(minConfirm))
	}
	return d, err
}

// parseBackupEvery reads how often a backup is made: 0s is never.
func parseBackupEvery(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && d == 0 {
		return 0, nil
	}
	d, err := parseDuration(text)
	if err == nil && d < time.Hour {
		err = fmt.Errorf("%s is shorter than 1h; write 24h, or 0s for no backups", written(d))
	}
	return d, err
}

func parseGrace(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && d == 0 {
		return 0, nil
	}
	d, err := parseDuration(text)
	if err == nil && d > 24*time.Hour {
		return 0, fmt.Errorf("%q is more than a day; write a shorter duration", text)
	}
	return d, err
}

// parseReview reads how long before a slot the author is told.
func parseReview(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil && d == 0 {
		return 0, nil
	}
	d, err := parseDuration(text)
	if err == nil && (d < time.Minute || d > 14*24*time.Hour) {
		return 0, fmt.Errorf("%q is shorter than a minute or longer than two weeks; write one such as 24h, or 0s for no review", text)
	}
	return d, err
}

// parseHookTimeout reads how long a hook may take: meanwhile no slot comes.
func parseHookTimeout(text string) (time.Duration, error) {
	d, err := parseDuration(text)
	if err == nil && (d < time.Second || d > time.Hour) {
		return 0, fmt.Errorf("%q is shorter than a second or longer than an hour; write one such as 5m", text)
	}
	return d, err
}

var spelledDuration = regexp.MustCompile(`^(\d{1,4}) ?(s|m|h|d|w)(?:ec|ecs|econds?|in|ins|inutes?|ours?|rs?|ays?|eeks?)?$`)

// likelyDuration guesses what was meant by "5 minutes" or "3d".
func likelyDuration(text string) string {
	m := spelledDuration.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if m == nil {
		return "one such as 30s, 5m or 72h"
	}
	n, _ := strconv.Atoi(m[1]) // four digits at most
	switch unit := m[2]; unit {
	case "d":
		return fmt.Sprintf("%dh", n*24)
	case "w":
		return fmt.Sprintf("%dh", n*24*7)
	default:
		return m[1] + unit
	}
}

// shortDuration drops the zero parts that time.Duration prints: 4h0m0s is 4h.
func shortDuration(text string) string {
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// integer reads a whole number from low to high.
func integer(low, high int) func(string) (int, error) {
	return func(text string) (int, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < low || n > high {
			return 0, fmt.Errorf("%q is not a whole number from %d to %d", text, low, high)
		}
		return n, nil
	}
}

// number reads a number from low to high, with or without a fraction.
func number(low, high float64) func(string) (float64, error) {
	return func(text string) (float64, error) {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || n < low || n > high {
			return 0, fmt.Errorf("%q is not a number from %v to %v", text, low, high)
		}
		return n, nil
	}
}

// oneOf reads one of the given words.
func oneOf(words ...string) func(string) (string, error) {
	return func(text string) (string, error) {
		if slices.Contains(words, text) {
			return text, nil
		}
		last := len(words) - 1
		return "", fmt.Errorf("%q is not known; write %s or %s", text, strings.Join(words[:last], ", "), words[last])
	}
}
