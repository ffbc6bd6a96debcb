// Package calendar writes calendars that other programs read (RFC 5545). It must
// not know what stands in them. It is less than a library for it would ask of its
// caller: events at an instant, without zones, alarms and repetition.
package calendar

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Calendar is what one document holds.
type Calendar struct {
	Name  string
	Stamp time.Time // when it was written
	// Refresh is how often who subscribes to it should look again; 0 says nothing.
	Refresh time.Duration
	Events  []Event
}

// Event is at one instant, and makes nobody busy.
type Event struct {
	UID     string // the same whenever the event is written
	At      time.Time
	Summary string
	Text    string // more about it; empty for nothing
	Status  Status
}

// Status is how sure an event is (RFC 5545, section 3.8.1.11).
type Status string

// The states of an event.
const (
	Confirmed Status = "CONFIRMED"
	Tentative Status = "TENTATIVE"
	Canceled  Status = "CANCELLED"
)

// utc is the form of an instant (RFC 5545, section 3.3.5, form 2).
const utc = "20060102T150405Z"

// String is the document, with the line ends and folds of RFC 5545, section 3.1.
func (c Calendar) String() string {
	var w writer
	w.line("BEGIN", "VCALENDAR")
	w.line("VERSION", "2.0")
	w.line("PRODID", "-//Threadmill//Threadmill//EN")
	w.line("CALSCALE", "GREGORIAN")
	w.line("METHOD", "PUBLISH")
	w.line("NAME", text(c.Name)) // RFC 7986, section 5.1
	w.line("X-WR-CALNAME", text(c.Name))
	if c.Refresh > 0 {
		w.line("REFRESH-INTERVAL;VALUE=DURATION", "PT"+strings.ToUpper(shortest(c.Refresh))) // RFC 7986, section 5.7
	}
	for _, e := range c.Events {
		w.line("BEGIN", "VEVENT")
		w.line("UID", text(e.UID))
		w.line("DTSTAMP", c.Stamp.UTC().Format(utc))
		w.line("DTSTART", e.At.UTC().Format(utc))
		w.line("SUMMARY", text(e.Summary))
		if e.Text != "" {
			w.line("DESCRIPTION", text(e.Text))
		}
		w.line("STATUS", string(e.Status))
		w.line("TRANSP", "TRANSPARENT")
		w.line("END", "VEVENT")
	}
	w.line("END", "VCALENDAR")
	return w.String()
}

// shortest is a duration without what is zero at its end: 1h, 1h30m.
func shortest(d time.Duration) string {
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// text escapes a value (RFC 5545, section 3.3.11). Controls are left out, as no
// escape stands for them.
func text(value string) string {
	value = strings.ReplaceAll(strings.ToValidUTF8(value, "\ufffd"), "\r\n", "\n")
	var b strings.Builder
	for _, r := range value {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\\' || r == ';' || r == ',':
			b.WriteByte('\\')
			b.WriteRune(r)
		case !unicode.IsControl(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// widest is how many octets a line has at most, without its end.
const widest = 75

type writer struct{ strings.Builder }

// line writes a content line, folded between characters.
func (w *writer) line(name, value string) {
	rest, room := name+":"+value, widest
	for len(rest) > room {
		cut := room
		for !utf8.RuneStart(rest[cut]) {
			cut--
		}
		w.WriteString(rest[:cut] + "\r\n ")
		rest, room = rest[cut:], widest-1
	}
	w.WriteString(rest + "\r\n")
}
