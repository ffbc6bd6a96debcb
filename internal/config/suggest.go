package config

import "strings"

// suggest says what may have been meant by an unknown key.
func (l *loader) suggest(key string) string {
	parent, name := split(key)
	best, distance := "", 3 // a distance of three is another word
	for _, known := range l.names(parent) {
		if d := editDistance(name, known); d < min(distance, len(name)) {
			best, distance = known, d
		}
	}
	if best != "" {
		return `did you mean "` + best + `"?`
	}
	for _, s := range l.settings {
		if _, last := split(s.key); last == name {
			return `did you mean "` + s.key + `"?`
		}
	}
	return "the keys here are " + strings.Join(l.names(parent), ", ")
}

// names lists the keys and sections directly in the section parent.
func (l *loader) names(parent string) []string {
	var names []string
	for _, s := range l.settings {
		rest := s.key
		if parent != "" {
			var ok bool
			if rest, ok = strings.CutPrefix(s.key, parent+"."); !ok {
				continue
			}
		}
		name, _, _ := strings.Cut(rest, ".")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	if section, name := split(headersKey); section == parent {
		names = append(names, name)
	}
	return names
}

// split parts the last name of a dotted key from its section.
func split(key string) (parent, name string) {
	if i := strings.LastIndexByte(key, '.'); i >= 0 {
		return key[:i], key[i+1:]
	}
	return "", key
}

// editDistance is the Levenshtein distance in bytes. Names of more than 40
// bytes are far from everything.
func editDistance(a, b string) int {
	if len(a) > 40 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
