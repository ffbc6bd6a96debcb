package thread

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"threadmill/internal/newsletter"
)

// formerly reads the ids and addresses that the thread had elsewhere. What is
// neither is left out with a warning: it keeps no thread from going out.
func formerly(f fields) []string {
	v, ok := f.find("formerly")
	if !ok {
		return nil
	}
	nodes := []ast.Node{v.node}
	seq, many := v.node.(*ast.SequenceNode)
	if many {
		nodes = seq.Values
	}
	var list []string
	for _, n := range nodes {
		if _, null := unwrap(n).(*ast.NullNode); null {
			continue
		}
		text, ok := scalar(n)
		if !ok {
			f.lint.errorf(f.before+lineOf(n), v.name, "expected a list of addresses and ids, found %s in it", kind(unwrap(n)))
			continue
		}
		at := f.before + lineOf(n)
		if len(list) == newsletter.FormerMax {
			f.lint.warnf(at, v.name, "more than %d: the rest is left out", newsletter.FormerMax)
			break
		}
		text = strings.TrimSpace(text)
		if _, err := newsletter.ParseFormer(text); err != nil && !errors.Is(err, newsletter.ErrNoAddress) {
			f.lint.warnf(at, v.name, "%q: %v: left out", cut(line(text), titleLength), err)
		} else if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}
