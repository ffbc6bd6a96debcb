package render

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// lists are the words that are lists, with their lengths: months from January,
// weekdays from Sunday.
var lists = map[string]int{"months": 12, "weekdays": 7}

// slotsOfDates are what the words that are dates may use.
var slotsOfDates = []string{"d", "dd", "m", "mm", "month", "weekday", "year"}

// wordGreeting is put around each name when the mail is sent, so it is divided
// at its one slot.
const wordGreeting = "greeting"

// pluralForms are the categories of CLDR.
var pluralForms = map[string]plural.Form{
	"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many, "other": plural.Other,
}

// readWords reads the built-in words and those of the publication, which may be
// empty, and which go first, sentence by sentence.
func readWords(builtin, own string) (*wordbook, error) {
	sections := map[language.Tag]map[string]word{}
	r := wordsReader{sections: sections}
	if err := r.read(builtin); err != nil {
		return nil, err
	}
	r.model = sections[language.English]
	if err := r.read(own); err != nil {
		return nil, err
	}
	return newWordbook(sections), nil
}

// newWordbook gives each language the words that it lacks.
func newWordbook(sections map[language.Tag]map[string]word) *wordbook {
	english := sections[language.English]
	b := &wordbook{tongues: map[language.Tag]*tongue{}}
	// What another language has of dates is of no use to one that has none.
	plain := maps.Clone(english)
	for _, name := range []string{wordDate, wordDayMonth, wordNextDay} {
		p, _ := parsePhrase("{year}-{mm}-{dd}")
		plain[name] = word{forms: map[plural.Form]phrase{plural.Other: p}}
	}
	b.fallback = &tongue{tag: language.English, words: plain}
	for tag := range sections {
		words := maps.Clone(plain)
		var chain []language.Tag
		for t := tag; !t.IsRoot(); t = t.Parent() {
			chain = append(chain, t)
		}
		for _, t := range slices.Backward(chain) {
			maps.Copy(words, sections[t])
		}
		b.tongues[tag] = &tongue{tag: tag, words: words}
	}
	return b
}

// wordsReader reads files of words.
type wordsReader struct {
	sections map[language.Tag]map[string]word
	// model is the section that says which words there are and what slots they
	// have; nil while that is read itself.
	model map[string]word
}

// fault is an error with the line of a token.
func (*wordsReader) fault(at *token.Token, format string, args ...any) error {
	text := wordsFile
	if at != nil && at.Position != nil {
		text += fmt.Sprintf(":%d", at.Position.Line)
	}
	err := fmt.Errorf(format, args...)
	return &TemplateError{Text: text + ": " + err.Error(), Err: err}
}

func (r *wordsReader) read(text string) error {
	file, err := parser.ParseBytes([]byte(strings.TrimPrefix(text, "\uFEFF")), 0)
	if syntax, ok := errors.AsType[yaml.Error](err); ok {
		return r.fault(syntax.GetToken(), "YAML: %s", syntax.GetMessage())
	}
	if err != nil {
		return r.fault(nil, "YAML: %w", err)
	}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		sections, err := r.pairs(d.Body)
		if err != nil {
			return err
		}
		for _, s := range sections {
			if err := r.section(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// pairs are those of a mapping.
func (r *wordsReader) pairs(n ast.Node) ([]*ast.MappingValueNode, error) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, nil
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, nil
	case *ast.NullNode:
		return nil, nil
	}
	return nil, r.fault(n.GetToken(), "keys and their values are expected here, such as en: {posts: …}")
}

// section reads the words of one language.
func (r *wordsReader) section(s *ast.MappingValueNode) error {
	at := s.Key.GetToken()
	tag, err := language.Parse(at.Value)
	if err != nil {
		return r.fault(at, "%q is no language; write a tag such as en or pt-BR", at.Value)
	}
	words, err := r.pairs(s.Value)
	if err != nil {
		return err
	}
	if r.sections[tag] == nil {
		r.sections[tag] = map[string]word{}
	}
	for _, w := range words {
		name := w.Key.GetToken().Value
		if _, known := r.model[name]; r.model != nil && !known {
			return r.fault(w.Key.GetToken(), "there is no word %q%s", name, r.suggest(name))
		}
		read, err := r.word(name, w.Value)
		if err != nil {
			return err
		}
		r.sections[tag][name] = read
	}
	return nil
}

// suggest names the word that begins most like a misspelt one.
func (r *wordsReader) suggest(name string) string {
	shared := func(s string) (n int) {
		for n < min(len(s), len(name)) && s[n] == name[n] {
			n++
		}
		return n
	}
	known := slices.Sorted(maps.Keys(r.model))
	best := slices.MaxFunc(known, func(a, b string) int {
		return cmp.Or(cmp.Compare(shared(a), shared(b)), cmp.Compare(-len(a), -len(b)))
	})
	if shared(best) < 2 {
		return ""
	}
	return fmt.Sprintf("; is %q meant?", best)
}

// word reads one of them: a text, its plural forms, or a list.
func (r *wordsReader) word(name string, n ast.Node) (word, error) {
	if size := lists[name]; size > 0 {
		return r.list(name, n, size)
	}
	if text, ok := textOf(n); ok {
		p, err := r.phrase(name, n, text)
		if err == nil && name == wordGreeting && p.values() != 1 {
			err = r.fault(n.GetToken(), "%s: it has its slot {name} once; greeting_nameless is for those without a name", name)
		}
		return word{forms: map[plural.Form]phrase{plural.Other: p}}, err
	}
	forms, err := r.pairs(n)
	if err != nil {
		return word{}, err
	}
	w := word{forms: map[plural.Form]phrase{}}
	for _, f := range forms {
		form, ok := pluralForms[f.Key.GetToken().Value]
		text, isText := textOf(f.Value)
		if !ok || !isText {
			return word{}, r.fault(f.Key.GetToken(), "%s: the plural forms are zero, one, two, few, many and other, each a text", name)
		}
		if w.forms[form], err = r.phrase(name, f.Value, text); err != nil {
			return word{}, err
		}
	}
	if _, ok := w.forms[plural.Other]; !ok {
		return word{}, r.fault(n.GetToken(), "%s: the form other is missing", name)
	}
	if m := r.model[name]; r.model != nil && len(m.forms) == 1 {
		return word{}, r.fault(n.GetToken(), "%s: it counts nothing and has one form only", name)
	}
	return w, nil
}

func (r *wordsReader) list(name string, n ast.Node, size int) (word, error) {
	var w word
	if s, ok := n.(*ast.SequenceNode); ok {
		for _, v := range s.Values {
			if text, ok := textOf(v); ok {
				w.list = append(w.list, text)
			}
		}
	}
	if len(w.list) != size {
		return word{}, r.fault(n.GetToken(), "%s: a list of %d names is expected, [a, b, …]", name, size)
	}
	return w, nil
}

// textOf is a text that stands there, whatever YAML takes it for.
func textOf(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case *ast.NullNode:
		return "", true
	}
	return "", false
}

// phrase reads a text and sees to it that its slots get values.
func (r *wordsReader) phrase(name string, n ast.Node, text string) (phrase, error) {
	p, err := parsePhrase(oneLine(text))
	if err != nil {
		return nil, r.fault(n.GetToken(), "%s: %w", name, err)
	}
	known := r.model[name].slots()
	if isDate(name) {
		known = slotsOfDates
	}
	for _, piece := range p {
		if r.model != nil && piece.slot != "" && !slices.Contains(known, piece.slot) {
			return nil, r.fault(n.GetToken(), "%s: it has no slot %q; it has: %s", name, piece.slot, strings.Join(known, ", "))
		}
	}
	return p, nil
}

func isDate(name string) bool { return name == wordDate || name == wordDayMonth || name == wordNextDay }

// slots are the names of those that a word uses, sorted.
func (w word) slots() []string {
	var names []string
	for _, p := range w.forms {
		for _, piece := range p {
			if piece.slot != "" {
				names = append(names, piece.slot)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// values counts the slots whose values are shown.
func (p phrase) values() (n int) {
	for _, piece := range p {
		if piece.text == "" {
			n++
		}
	}
	return n
}

// inPhrase is a slot, {name}, or a text that is a link to one, [text](name).
var inPhrase = regexp.MustCompile(`\{([a-z_]+)\}|\[([^\[\]]+)\]\(([a-z_]+)\)`)

// parsePhrase divides a text at its slots.
func parsePhrase(text string) (phrase, error) {
	var p phrase
	plain := func(s string) error {
		if strings.ContainsAny(s, "{}") {
			return errors.New("a brace without its slot; write {name}")
		}
		if s != "" {
			p = append(p, piece{text: s})
		}
		return nil
	}
	from := 0
	for _, m := range inPhrase.FindAllStringSubmatchIndex(text, -1) {
		if err := plain(text[from:m[0]]); err != nil {
			return nil, err
		}
		if m[2] >= 0 {
			p = append(p, piece{slot: text[m[2]:m[3]]})
		} else {
			p = append(p, piece{text: text[m[4]:m[5]], slot: text[m[6]:m[7]]})
		}
		from = m[1]
	}
	return p, plain(text[from:])
}
