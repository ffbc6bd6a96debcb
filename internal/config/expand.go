package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces every ${NAME} of text by its value, and $${ by ${.
func expand(text string, lookup func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "${")
		if !found {
			return b.String() + text, nil
		}
		if escaped, ok := strings.CutSuffix(before, "$"); ok {
			b.WriteString(escaped + "${")
			text = after
			continue
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed || !variable.MatchString(name) {
			return "", errors.New("${ begins a variable, but no name and } follow; write ${NAME}, or $${ for the signs themselves")
		}
		value, ok := lookup(name)
		if !ok {
			return "", fmt.Errorf("the variable %s is not set; set it in the environment or in .env beside the config", name)
		}
		b.WriteString(before + value)
		text = rest
	}
}
