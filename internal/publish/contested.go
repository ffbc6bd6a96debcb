package publish

import (
	"cmp"
	"slices"
	"strings"

	"threadmill/internal/newsletter"
)

// Contested tells of the addresses in params.formerly that lead elsewhere,
// because another thread has them: as its page, or since before. label is how
// the author names the threads folder.
func (c Catalogue) Contested(pub newsletter.Publication, label string) []newsletter.Problem {
	var entries []newsletter.Entry
	owner := map[string]string{} // of an address, by its key
	claim := func(key string, t newsletter.Thread) (string, bool) {
		if holder, taken := owner[key]; taken && holder != t.ID {
			return holder, false
		}
		owner[key] = t.ID
		return "", true
	}
	for _, t := range c.Threads {
		if t.Second || t.ID == "" {
			continue
		}
		entries = append(entries, t.Entry())
		if t.Out() {
			claim(newsletter.PathKey(pub.BasePath()+"/"+t.Path()), t.Thread)
		}
	}
	for _, e := range entries {
		for _, page := range e.FormerPaths() {
			claim(newsletter.PathKey(pub.BasePath()+"/"+page), e.Thread)
		}
	}
	var list []newsletter.Problem
	for _, e := range newsletter.ByClaim(entries) {
		for _, text := range e.Formerly {
			for _, a := range pub.FormerAddresses(newsletter.Thread{Formerly: []string{text}}) {
				if holder, ok := claim(a.Key(), e.Thread); !ok && e.File != "" {
					list = append(list, newsletter.Problem{
						File: label + "/" + e.File, Line: lineOf(e.Source, text), Field: "params.formerly",
						Text: "“" + text + "” leads to " + holder + " already; take it away in one of the two",
					})
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b newsletter.Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return list
}

// lineOf is the line in which a text stands first, 0 where it is written in
// another way.
func lineOf(source, text string) int {
	before, _, found := strings.Cut(source, text)
	if !found {
		return 0
	}
	return strings.Count(before, "\n") + 1
}
