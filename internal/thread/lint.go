package thread

import (
	"cmp"
	"fmt"
	"slices"

	"threadmill/internal/newsletter"
)

// lint gathers the problems of one file.
type lint struct {
	file     string
	problems []newsletter.Problem
}

func (l *lint) errorf(line int, field, format string, args ...any) {
	l.add(newsletter.Error, line, field, format, args)
}

func (l *lint) warnf(line int, field, format string, args ...any) {
	l.add(newsletter.Warning, line, field, format, args)
}

func (l *lint) add(s newsletter.Severity, line int, field, format string, args []any) {
	l.problems = append(l.problems, newsletter.Problem{
		File: l.file, Line: line, Field: clean(field), Severity: s, Text: clean(fmt.Sprintf(format, args...)),
	})
}

// sorted returns the problems in the order of their lines.
func (l *lint) sorted() []newsletter.Problem {
	sortProblems(l.problems)
	return l.problems
}

// broken tells whether an error keeps the thread from going out.
func (l *lint) broken() bool {
	return slices.ContainsFunc(l.problems, func(p newsletter.Problem) bool {
		return p.Severity == newsletter.Error
	})
}

func sortProblems(p []newsletter.Problem) {
	slices.SortStableFunc(p, func(a, b newsletter.Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

// appendNew appends s unless it is empty or already there.
func appendNew(list []string, s string) []string {
	if s == "" || slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
