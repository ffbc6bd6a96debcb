package thread

import (
	"errors"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// matterLimit bounds front matter in bytes. The time the YAML parser takes
// grows with the square of the depth of what it is given.
const matterLimit = 16 << 10

// section is a part of a file: its text and the file's line it begins at.
type section struct {
	text string
	line int
}

var (
	matterStart = regexp.MustCompile(`^[ \t\n]*---[ \t]*\n`)
	matterEnd   = regexp.MustCompile(`(?m)^---[ \t]*(?:\n|\z)`)
	tomlStart   = regexp.MustCompile(`^[ \t\n]*\+\+\+[ \t]*\n`)
)

// split divides a file into its front matter and its body. A file without
// front matter is all body; ok is false when the two cannot be told apart.
func split(text string, faults *lint) (front, body section, ok bool) {
	open := matterStart.FindString(text)
	if open == "" {
		if o := tomlStart.FindString(text); o != "" {
			faults.errorf(strings.Count(o, "\n"), "", "front matter between +++ lines is TOML: write it as YAML between --- lines")
			return front, body, false
		}
		return section{line: 1}, section{text, 1}, true
	}
	front = section{text[len(open):], 1 + strings.Count(open, "\n")}
	end := matterEnd.FindStringIndex(front.text)
	if end == nil {
		faults.errorf(front.line-1, "", "the front matter is not closed: end it with a line of ---")
		return front, body, false
	}
	body = section{front.text[end[1]:], front.line + strings.Count(front.text[:end[1]], "\n")}
	front.text = front.text[:end[0]]
	return front, body, true
}

// surrogate is an escape of a UTF-16 surrogate, or of a pair of them.
var surrogate = regexp.MustCompile(`\\*\\u[dD](?:[89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]|[89a-fA-F])[0-9a-fA-F]{2}`)

// mendSurrogates replaces the escape of a lone surrogate by that of U+FFFD:
// it stands for no character, and the YAML parser stops at it.
func mendSurrogates(s string) string {
	return surrogate.ReplaceAllStringFunc(s, func(m string) string {
		escape := strings.TrimLeft(m, `\`)
		slashes := len(m) - len(escape)
		if slashes%2 == 0 || strings.Contains(escape, `\`) {
			return m
		}
		return m[:slashes] + `ufffd`
	})
}

// parseYAML reads front matter into its fields. What is wrong with its form
// goes into faults; then there are no fields.
func parseYAML(front section, faults *lint) fields {
	none := fields{lint: faults}
	if len(front.text) > matterLimit {
		faults.errorf(front.line, "", "the front matter is longer than %d KB: move text into the body", matterLimit>>10)
		return none
	}
	text := strings.Map(func(r rune) rune {
		if r != '\t' && r != '\n' && clean(string(r)) == "" {
			return ' '
		}
		return r
	}, mendSurrogates(front.text))
	file, err := parser.ParseBytes([]byte(text), 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, message := front.line, err.Error()
		if e, ok := errors.AsType[*yaml.SyntaxError](err); ok {
			message = e.Message
			if e.Token != nil && e.Token.Position != nil {
				line += e.Token.Position.Line - 1
			}
		}
		faults.errorf(line, "", "the front matter is not YAML: %s; a value with \": \", #, ! or quotes goes between quotes", message)
		return none
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return none
	}
	return newFields(file.Docs[0].Body, "", front.line-1, faults)
}

// unwrap takes the tag and the anchor off a node.
func unwrap(n ast.Node) ast.Node {
	for {
		switch v := n.(type) {
		case *ast.TagNode:
			n = v.Value
		case *ast.AnchorNode:
			n = v.Value
		default:
			return n
		}
	}
}
