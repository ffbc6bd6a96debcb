package mailcheck

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Verdict says how bad a finding is.
type Verdict string

// The verdicts. An error keeps mail from arriving, a warning may.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning"
	Error   Verdict = "error"
)

// Finding is the outcome of one check, for one line of text.
type Finding struct {
	Check   string  `json:"check"`   // such as "spf"
	Subject string  `json:"subject"` // the name or address that was looked at
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Why     string  `json:"why,omitempty"`    // it matters
	Advice  string  `json:"advice,omitempty"` // what to do, beside Record
	// Record is what to put into DNS.
	Record *Record `json:"record,omitempty"`
}

// Record is a DNS record.
type Record struct {
	Name  string `json:"name"` // without a dot at its end
	Type  string `json:"type"`
	Value string `json:"value"` // of TXT: in one piece, without quotes
}

// maxString is the longest string of a TXT record (RFC 1035, section 3.3).
const maxString = 255

// String is the record as a line of a zone file. A long text is cut into the
// strings that a TXT record consists of; readers join them again (RFC 7208,
// section 3.3).
func (r Record) String() string {
	value := r.Value
	if r.Type == "TXT" {
		var b strings.Builder
		for {
			part := value[:min(maxString, len(value))]
			b.WriteString(`"` + escaped(part) + `"`)
			if value = value[len(part):]; value == "" {
				break
			}
			b.WriteByte(' ')
		}
		value = b.String()
	}
	return fmt.Sprintf("%s. IN %s %s", r.Name, r.Type, value)
}

// escaped is text between quotes in a zone file (RFC 1035, section 5.1). A part
// of it may come from outside.
func escaped(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		switch {
		case c == '"' || c == '\\':
			b.Write([]byte{'\\', c})
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// String is the finding on one line.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s: %s", f.Check, f.Subject, f.Verdict, f.Found)
	if f.Why != "" {
		b.WriteString("; " + f.Why)
	}
	if f.Advice != "" {
		b.WriteString(". " + upper(f.Advice))
	}
	if f.Record != nil {
		fmt.Fprintf(&b, ". Put in DNS: %s", f.Record)
	}
	return b.String()
}

// upper begins a sentence.
func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// maxShown is how much of a text from outside stands in a finding.
const maxShown = 300

// shown is a text from outside on one line, without what a terminal would
// take for a command.
func shown(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
	if len(clean) > maxShown {
		clean = strings.ToValidUTF8(clean[:maxShown], "") + "…"
	}
	return clean
}

func quoted(s string) string { return "“" + shown(s) + "”" }

func (f Finding) with(v Verdict, found string) Finding {
	f.Verdict, f.Found = v, found
	return f
}

func (f Finding) because(why string) Finding {
	f.Why = why
	return f
}

func (f Finding) advise(advice string) Finding {
	f.Advice = advice
	return f
}

// publish advises a TXT record.
func (f Finding) publish(name, value string) Finding {
	f.Record = &Record{name, "TXT", value}
	return f
}

// reason is an error on one line. It leaves out the address that was asked for,
// which the reader knows, and the name server, which Go tells as that of the
// system even when another was asked.
func reason(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return shown(e.Err + " (" + strings.TrimSuffix(e.Name, ".") + ")")
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return shown(err.Error())
}

// unanswered says that DNS did not tell.
func (f Finding) unanswered(err error) []Finding {
	return []Finding{f.with(Error, "DNS gives no answer: "+reason(err)).advise("try again, and ask whoever serves the zone if it stays so")}
}
