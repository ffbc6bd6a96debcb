package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Redacted returns the effective configuration as YAML, with [redacted] in the
// place of secrets. Where nothing is secret, Load reads the same from it.
func (c *Config) Redacted() string {
	var b strings.Builder
	var open []string // the sections around the line before
	line := func(key, value string) {
		names := strings.Split(key, ".")
		sections := names[:len(names)-1]
		shared := 0
		for shared < min(len(open), len(sections)) && open[shared] == sections[shared] {
			shared++
		}
		for i := shared; i < len(sections); i++ {
			b.WriteString(strings.Repeat("  ", i) + sections[i] + ":\n")
		}
		b.WriteString(strings.Repeat("  ", len(sections)) + names[len(sections)] + ": " + value + "\n")
		open = sections
	}
	settings := c.settings()
	for _, s := range settings {
		fromFile := slices.ContainsFunc(settings, func(file setting) bool {
			return file.key == s.key+"_file" && file.raw() != ""
		})
		switch {
		case fromFile:
		case s.key == dkimKey:
			line(s.key, strings.ReplaceAll(s.show(), "${", "$${"))
		default:
			line(s.key, quote(s.show()))
		}
	}
	return b.String()
}

// plain is a scalar that YAML reads as it stands.
var plain = regexp.MustCompile(`^[A-Za-z0-9/][A-Za-z0-9/._@+-]*(?:[ :][A-Za-z0-9/._@+-]+)*$`)

// quote writes a scalar so that Load reads the same text.
func quote(text string) string {
	if plain.MatchString(text) && !strings.EqualFold(text, "null") {
		return text
	}
	return strconv.Quote(strings.ReplaceAll(text, "${", "$${"))
}
