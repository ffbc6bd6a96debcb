package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is what every error of this package wraps: the configuration
// cannot be used as it is.
var ErrInvalid = errors.New("invalid configuration")

// Problem is one fault with its place.
type Problem struct {
	File         string
	Line, Column int    // counted from 1; 0 when the file as a whole is meant
	Key          string // dotted, such as "mail.smtp.port"; empty for faults of YAML
	Text         string // what is wrong and what to write instead
}

// String is the problem on one line: "config.yaml:12:3: mail.rate: …".
func (p Problem) String() string {
	var parts []string
	for _, part := range []string{p.position(), p.Key, p.Text} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

func (p Problem) position() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// problems are faults in the order in which they were found.
type problems []Problem

// about tells whether there is a fault of key.
func (ps problems) about(key string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Key == key })
}

// err returns an *InvalidError with the faults in the order of the file, those
// without a place last, or nil when there are none.
func (ps problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		// As unsigned numbers, lines of 0 less 1 come last.
		return cmp.Or(cmp.Compare(uint(a.Line-1), uint(b.Line-1)), cmp.Compare(a.Column, b.Column))
	})
	return &InvalidError{Problems: ps}
}

// InvalidError holds everything that is wrong with a configuration. It wraps
// ErrInvalid and, for a file that cannot be read, the reason.
type InvalidError struct {
	Problems []Problem // never empty, in the order of the file
	cause    error
}

// Error is all problems, a line each.
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns ErrInvalid and the cause, if there is one.
func (e *InvalidError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrInvalid}
	}
	return []error{ErrInvalid, e.cause}
}
