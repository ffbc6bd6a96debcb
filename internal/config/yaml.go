package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// place is a line and a column, both counted from 1.
type place struct{ line, column int }

func placeOf(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{}
	}
	return place{tk.Position.Line, tk.Position.Column}
}

// decode reads the text of a config into l.config. It is false when the text
// is not YAML, so that nothing can be said about its keys.
func (l *loader) decode(data []byte) bool {
	text := strings.TrimPrefix(string(data), "\uFEFF")
	if !utf8.ValidString(text) {
		l.report(place{}, "", "it is not text in UTF-8; save it as such")
		return false
	}
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		l.reportSyntax(err)
		return false
	}
	for i, document := range file.Docs {
		switch {
		case document.Body == nil:
		case i == 0:
			l.section("", document.Body, placeOf(document.Body.GetToken()))
		default:
			l.report(placeOf(document.Start), "", "a second document begins here; keep all keys in one")
		}
	}
	return true
}

// reportSyntax reports what the YAML parser says.
func (l *loader) reportSyntax(err error) {
	at, text := place{}, err.Error()
	if syntax, ok := errors.AsType[yaml.Error](err); ok {
		at, text = placeOf(syntax.GetToken()), syntax.GetMessage()
	}
	text = strings.ReplaceAll(text, "\t", `\t`) // indenting by tabs is the usual cause
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + " …"
	}
	l.report(at, "", "YAML: "+text)
}

// usualName is a name that can stand in an error as it is.
var usualName = regexp.MustCompile(`^[\w<?-]{1,70}$`)

// section reads the keys of the section name; that of the outermost is empty.
func (l *loader) section(name string, node ast.Node, at place) {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	case *ast.NullNode: // a section with all keys left out
	default:
		l.report(at, name, "a section is expected here; write its keys below it, indented")
	}
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		if !usualName.MatchString(key) {
			key = strconv.Quote(key[:min(len(key), 70)])
		}
		if name != "" {
			key = name + "." + key
		}
		l.entry(name, key, pair)
	}
}

// entry reads one key of a section.
func (l *loader) entry(section, key string, pair *ast.MappingValueNode) {
	at := placeOf(pair.Value.GetToken())
	switch pair.Value.(type) {
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		at = placeOf(pair.Key.GetToken()) // theirs is that of a sign inside
	}
	s, known := l.setting(key)
	switch {
	case section == headersKey:
		_, name := split(key)
		s = setting{key: key, set: func(text string) error { return l.config.Mail.setHeader(name, text) }}
	case l.isSection(key):
		l.section(key, pair.Value, at)
		return
	case !known:
		l.report(placeOf(pair.Key.GetToken()), key, "unknown key; "+l.suggest(key))
		return
	}
	if pair.Value.Type() == ast.NullType {
		// Also what remains of an unquoted colour, which YAML takes for a comment.
		l.warn(at, key, `no value, so the default holds; write "" for an empty text, and quotes around one that begins with #`)
		return
	}
	l.config.places[key] = at
	if key == dkimKey {
		l.dkim(s, pair.Value, at)
		return
	}
	l.value(s, pair.Value, at)
}

func (l *loader) isSection(key string) bool {
	return key == headersKey || slices.ContainsFunc(l.settings, func(s setting) bool { return strings.HasPrefix(s.key, key+".") })
}

// value stores one value.
func (l *loader) value(s setting, node ast.Node, at place) {
	text, err := scalar(node)
	if n, ok := node.(*ast.SequenceNode); ok && s.list {
		text, err = joined(n)
	}
	if err != nil {
		l.report(at, s.key, err.Error())
		return
	}
	expanded, err := expand(text, l.lookup)
	if err == nil {
		err = s.set(expanded)
	}
	if err != nil {
		l.report(at, s.key, err.Error())
		return
	}
	if text != expanded || s.show == nil || s.show() == s.raw() {
		return
	}
	l.config.clear = append(l.config.clear, s.key)
	if l.public {
		l.warn(at, s.key, "a secret in a file that other users can read; write ${NAME} and set NAME in .env, or run chmod 600 "+l.config.file)
	}
}

// joined returns the values of a list with spaces between.
func joined(list *ast.SequenceNode) (string, error) {
	var texts []string
	for _, value := range list.Values {
		text, err := scalar(value)
		if err != nil {
			return "", err
		}
		if len(strings.Fields(text)) > 1 {
			return "", fmt.Errorf("%q in a list holds a space; write a hyphen there, or two values", text)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " "), nil
}

// scalar returns the text of a value. That is the raw token: what it means is
// for the setting to say, not for YAML.
func scalar(node ast.Node) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, nil
	case *ast.MappingNode, *ast.MappingValueNode:
		return "", errors.New("one value is expected here, not a section")
	case *ast.SequenceNode:
		return "", errors.New("one value is expected here, not a list")
	default:
		return "", fmt.Errorf("a YAML %s is not understood here; write the plain value", strings.ToLower(n.Type().YAMLName()))
	}
}
