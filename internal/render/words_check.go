package render

import (
	"fmt"
	"slices"
	tree "text/template/parse"

	"golang.org/x/text/language"
)

// checkWords holds every use of a word in the templates against wordsFile, so
// that one which is misspelt is found without a page that shows it.
func (t *Templates) checkWords() error {
	var trees []*tree.Tree
	for _, name := range htmlFiles() {
		for _, part := range t.html[name].Templates() {
			trees = append(trees, part.Tree)
		}
	}
	for _, name := range textFiles() {
		for _, part := range t.text[name].Templates() {
			trees = append(trees, part.Tree)
		}
	}
	words := t.words.tongues[language.English].words
	for _, of := range trees {
		if of == nil || of.Root == nil {
			continue
		}
		for _, use := range uses(of.Root) {
			if err := use.check(words); err != nil {
				place, _ := of.ErrorContext(use.at)
				return &TemplateError{Text: place + ": " + err.Error(), Err: err}
			}
		}
	}
	return nil
}

// use is a place where a template asks for a word.
type use struct {
	at   tree.Node
	args []tree.Node // the name of the word and what fills its slots
}

// check tells what is wrong with a use. What is no plain text is not judged.
func (u use) check(words map[string]word) error {
	if len(u.args) == 0 {
		return fmt.Errorf("a word needs its name, a key of %s", wordsFile)
	}
	name, ok := u.args[0].(*tree.StringNode)
	if !ok {
		return nil
	}
	w, ok := words[name.Text]
	if !ok || w.forms == nil {
		return fmt.Errorf("there is no word %q in %s", name.Text, wordsFile)
	}
	known, given := w.slots(), []string{}
	for i := 1; i < len(u.args); i += 2 {
		slot, ok := u.args[i].(*tree.StringNode)
		switch {
		case !ok:
			return nil
		case !slices.Contains(known, slot.Text):
			return fmt.Errorf("word %q has no slot %q", name.Text, slot.Text)
		}
		given = append(given, slot.Text)
	}
	for _, slot := range known {
		if !slices.Contains(given, slot) {
			return fmt.Errorf("word %q needs a value for its slot %q", name.Text, slot)
		}
	}
	return nil
}

// uses finds all uses below a node.
func uses(n tree.Node) []use {
	var found []use
	list := func(l *tree.ListNode) {
		if l != nil {
			found = append(found, uses(l)...)
		}
	}
	branch := func(b *tree.BranchNode) {
		found = append(found, uses(b.Pipe)...)
		list(b.List)
		list(b.ElseList)
	}
	switch n := n.(type) {
	case *tree.ListNode:
		for _, c := range n.Nodes {
			found = append(found, uses(c)...)
		}
	case *tree.IfNode:
		branch(&n.BranchNode)
	case *tree.RangeNode:
		branch(&n.BranchNode)
	case *tree.WithNode:
		branch(&n.BranchNode)
	case *tree.TemplateNode:
		if n.Pipe != nil {
			found = uses(n.Pipe)
		}
	case *tree.ActionNode:
		found = uses(n.Pipe)
	case *tree.PipeNode:
		for _, c := range n.Cmds {
			found = append(found, uses(c)...)
		}
	case *tree.CommandNode:
		if asks(n.Args[0]) {
			found = append(found, use{n, n.Args[1:]})
		}
		for _, a := range n.Args {
			found = append(found, uses(a)...)
		}
	}
	return found
}

// asks tells whether a node calls Word or Rich.
func asks(n tree.Node) bool {
	var path []string
	switch n := n.(type) {
	case *tree.FieldNode:
		path = n.Ident
	case *tree.VariableNode:
		path = n.Ident[1:]
	case *tree.ChainNode:
		path = n.Field
	}
	return len(path) > 0 && (path[len(path)-1] == "Word" || path[len(path)-1] == "Rich")
}
