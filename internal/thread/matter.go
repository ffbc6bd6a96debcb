package thread

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"threadmill/internal/newsletter"
)

// readFields puts the known keys of the front matter into t. Keys it does not
// know are other programs' and are left alone.
func readFields(t *newsletter.Thread, f fields, zone *time.Location) {
	t.Title = f.text("title")
	t.Titled = t.Title != ""
	t.Slug = f.text("slug")
	t.Description = f.text("description", "summary")
	t.Lang = language(f)
	t.Tags = f.list("tags", words)
	t.Weight = f.number("weight")
	t.Draft = draft(f)
	t.Date = f.date("date", zone)
	t.PublishDate = f.date("publishDate", zone)
	t.ExpiryDate = f.date("expiryDate", zone)
	t.Lastmod = f.date("lastmod", zone)
	if v, ok := f.find("expiryDate"); ok && !t.ExpiryDate.IsZero() && !t.ExpiryDate.After(t.PublishDate) {
		f.lint.warnf(v.line, v.name, "not after publishDate: the thread would never go out")
	}
	v, ok := f.find("params")
	if !ok {
		return
	}
	readParams(t, newFields(v.node, "params.", f.before, f.lint), zone)
}

// readParams reads the keys that no other program has.
func readParams(t *newsletter.Thread, f fields, zone *time.Location) {
	t.PinnedID = pinnedID(f)
	t.GUID = f.text("guid")
	t.Subject = f.text("subject")
	t.Author = f.text("author")
	t.Published = f.date("published", zone)
	t.Formerly = formerly(f)
	t.To = segment(f)
	if v, ok := f.find("source"); ok {
		t.Origin = f.text("source")
		if u, err := url.Parse(t.Origin); t.Origin != "" && (err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http")) {
			f.lint.warnf(v.line, v.name, "%q is no address that begins with https://: left out", t.Origin)
			t.Origin = ""
		}
	}
	for _, s := range f.list("channels", words) {
		c := newsletter.Channel(strings.ToLower(s))
		if c != newsletter.ChannelMail && c != newsletter.ChannelWeb {
			v, _ := f.find("channels")
			f.lint.errorf(v.line, v.name, "%q is not a channel: there are mail and web", s)
		} else if !slices.Contains(t.Channels, c) {
			t.Channels = append(t.Channels, c)
		}
	}
}

// segment reads params.to. An exclamation mark begins a tag of YAML where it
// stands without quotes, and the word behind it would be lost.
func segment(f fields) newsletter.Segment {
	if v, ok := f.byName["to"]; ok && v.tagged {
		f.lint.errorf(v.line, v.name, "put quotes around a tag that begins with an exclamation mark")
		return nil
	}
	v, ok := f.find("to")
	if !ok {
		return nil
	}
	s, err := newsletter.ParseSegment(f.list("to", words))
	if err != nil {
		f.lint.errorf(v.line, v.name, "%v", err)
	}
	return s
}

// draft tells whether the author holds the thread back, in one of three ways.
func draft(f fields) bool {
	held, _ := f.boolean("draft")
	published, ok := f.boolean("published")
	return held || ok && !published || strings.EqualFold(f.text("status"), "draft")
}

// languageTag is the shape of a tag of RFC 5646, section 2.1.
var languageTag = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)

func language(f fields) string {
	s, v, ok := f.raw("lang")
	if !ok || s == "" {
		return ""
	}
	if !languageTag.MatchString(s) {
		f.lint.errorf(v.line, v.name, "%q is not a language tag: write one such as en or pt-BR", s)
		return ""
	}
	return s
}

// idLength bounds params.id in bytes.
const idLength = 200

func pinnedID(f fields) string {
	s, v, ok := f.raw("id")
	if !ok {
		return ""
	}
	odd := strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar
	})
	switch {
	case len(s) > idLength:
		f.lint.errorf(v.line, v.name, "longer than %d bytes", idLength)
	case odd:
		f.lint.errorf(v.line, v.name, "%q holds a space or a character that does not print", s)
	default:
		return s
	}
	return ""
}
