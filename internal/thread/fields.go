package thread

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// field is one key of the front matter with its value.
type field struct {
	name   string // as messages give it: "params.id"
	node   ast.Node
	line   int
	tagged bool // a tag of YAML stood before the value, or before one in a list
}

// fields are the keys of one mapping, by their names in lower case.
type fields struct {
	lint   *lint
	byName map[string]field
	before int // lines of the file before the front matter
}

// newFields reads the mapping n. The names in messages begin with prefix.
func newFields(n ast.Node, prefix string, before int, faults *lint) fields {
	f := fields{lint: faults, byName: map[string]field{}, before: before}
	var pairs []*ast.MappingValueNode
	switch n := unwrap(n).(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.NullNode:
	default:
		faults.errorf(before+lineOf(n), strings.TrimSuffix(prefix, "."), "expected lines of key: value")
	}
	for _, p := range pairs {
		key := p.Key.GetToken().Value
		if s, ok := p.Key.(*ast.StringNode); ok {
			key = s.Value
		}
		line := before + lineOf(p.Key)
		name := prefix + key
		if first, ok := f.byName[strings.ToLower(key)]; ok {
			faults.errorf(line, name, "given twice, first on line %d: keep one", first.line)
			continue
		}
		f.byName[strings.ToLower(key)] = field{name, unwrap(p.Value), line, tagged(p.Value)}
	}
	return f
}

// tagged tells whether a tag of YAML stands before a value, such as !london.
func tagged(n ast.Node) bool {
	if seq, ok := n.(*ast.SequenceNode); ok {
		return slices.ContainsFunc(seq.Values, tagged)
	}
	_, ok := n.(*ast.TagNode)
	return ok
}

func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1
	}
	return n.GetToken().Position.Line
}

// find returns the first of the keys that is there and not null.
func (f fields) find(keys ...string) (field, bool) {
	for _, key := range keys {
		v, ok := f.byName[strings.ToLower(key)]
		if !ok {
			continue
		}
		if _, null := v.node.(*ast.NullNode); !null && v.node != nil {
			return v, true
		}
	}
	return field{}, false
}

// scalar returns the text of a value that is one word or sentence: of a
// number or boolean as it was written, so that 0123 stays 0123.
func scalar(n ast.Node) (string, bool) {
	switch n := unwrap(n).(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// raw returns the scalar under the first of the keys that is there.
func (f fields) raw(keys ...string) (string, field, bool) {
	v, ok := f.find(keys...)
	if !ok {
		return "", v, false
	}
	s, ok := scalar(v.node)
	if !ok {
		f.lint.errorf(v.line, v.name, "expected one value, found %s", kind(v.node))
	}
	return strings.TrimSpace(s), v, ok
}

// text returns a value as text on one line.
func (f fields) text(keys ...string) string {
	s, _, _ := f.raw(keys...)
	return line(s)
}

// boolean returns true or false, and false when the key is not there.
func (f fields) boolean(key string) (value, ok bool) {
	s, v, ok := f.raw(key)
	if !ok {
		return false, false
	}
	switch strings.ToLower(s) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	f.lint.errorf(v.line, v.name, "%q is neither true nor false", s)
	return false, false
}

// number returns a whole number.
func (f fields) number(key string) int {
	s, v, ok := f.raw(key)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		f.lint.errorf(v.line, v.name, "%q is not a whole number", s)
	}
	return int(n)
}

// date returns a time, and the zero time when there is none.
func (f fields) date(key string, zone *time.Location) time.Time {
	s, v, ok := f.raw(key)
	if !ok {
		return time.Time{}
	}
	t, ok := parseDate(s, zone)
	if !ok {
		f.lint.errorf(v.line, v.name, "%q is not a date: write 2006-01-02 or 2006-01-02T15:04:05Z", s)
	}
	return t
}

// list returns the values of a sequence, each on one line. A scalar is
// divided by divide; nil leaves it whole.
func (f fields) list(key string, divide func(string) []string) []string {
	v, ok := f.find(key)
	if !ok {
		return nil
	}
	var out []string
	seq, ok := v.node.(*ast.SequenceNode)
	if !ok {
		s, ok := scalar(v.node)
		if !ok {
			f.lint.errorf(v.line, v.name, "expected a list, found %s", kind(v.node))
		}
		parts := []string{s}
		if divide != nil {
			parts = divide(s)
		}
		for _, part := range parts {
			out = appendNew(out, line(part))
		}
		return out
	}
	for _, n := range seq.Values {
		if _, null := unwrap(n).(*ast.NullNode); null {
			continue
		}
		s, ok := scalar(n)
		if !ok {
			f.lint.errorf(f.before+lineOf(n), v.name, "expected a list of words, found %s in it", kind(unwrap(n)))
			continue
		}
		out = appendNew(out, line(s))
	}
	return out
}

// words divides "a, b c" at its commas, and "a b" at its spaces.
func words(s string) []string {
	if strings.Contains(s, ",") {
		return strings.Split(s, ",")
	}
	return strings.Fields(s)
}

// kind names the type of a value in messages.
func kind(n ast.Node) string {
	switch n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.AliasNode:
		return "an alias (write the value itself)"
	}
	return "something else"
}

// dateLayouts are the ways to write a date. A fraction of a second is read
// with all of them; the forms without a zone count in the publication's.
var dateLayouts = []string{
	time.DateOnly,
	"2006-01-02 15:04",
	"2006-01-02 15:04:05",
	"2006-01-02 15:04Z07:00",
	"2006-01-02 15:04:05Z07:00",
	"2006-01-02 15:04 Z07:00",
	"2006-01-02 15:04:05 Z07:00",
	"2006-01-02 15:04 -0700",
	"2006-01-02 15:04:05 -0700",
	"2006-01-02 15:04:05-0700",
}

// midnight returns the beginning of the day named by date, which t was read
// from. Where clocks go forward at midnight t can be an hour too early.
func midnight(t time.Time, date string) time.Time {
	if t.Format(time.DateOnly) != date {
		return t.Add(time.Hour)
	}
	return t
}

// parseDate reads a date of the years 1000 to 9999.
func parseDate(s string, zone *time.Location) (time.Time, bool) {
	if len(s) > len(time.DateOnly) && (s[len(time.DateOnly)] == 'T' || s[len(time.DateOnly)] == 't') {
		s = s[:len(time.DateOnly)] + " " + s[len(time.DateOnly)+1:]
	}
	for _, layout := range dateLayouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			if layout == time.DateOnly {
				t = midnight(t, s)
			}
			return t, t.Year() >= 1000 && t.Year() <= 9999
		}
	}
	return time.Time{}, false
}
